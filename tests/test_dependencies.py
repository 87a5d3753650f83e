"""constraints.txt pins the installed versions, and locks/ has their hashes."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
LOCKS = ROOT / "locks"


def pinned_versions() -> dict[str, str]:
    lines = CONSTRAINTS.read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 for pin in pins), "each line must pin one exact version"
    return {canonicalize_name(name): number for name, number in pins}


def add_requirements(name: str, extras: set[str], seen: dict[str, str]) -> None:
    """Add the versions of all installed distributions that ``name`` requires, recursively."""
    for text in requires(name) or ():
        wanted = Requirement(text)
        marker = wanted.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        key = canonicalize_name(wanted.name)
        if key in seen:
            continue
        try:
            seen[key] = version(wanted.name)
        except PackageNotFoundError:
            continue  # belongs to an extra that is not installed
        add_requirements(wanted.name, set(wanted.extras), seen)


def test_every_installed_dependency_is_pinned_at_its_installed_version() -> None:
    used: dict[str, str] = {}
    add_requirements("classmood", {"", "dev"}, used)
    assert {"aiohttp", "aiortc", "cryptography", "av", "sqlalchemy", "hypothesis"} <= set(used)
    pins = pinned_versions()
    assert {name: pins.get(name) for name in used} == used


def test_constraints_contain_no_url_and_no_path() -> None:
    """Users choose the package index; a URL in the file would override their choice."""
    for line in CONSTRAINTS.read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.txt")), ids=lambda lock: lock.stem)
def test_each_lock_has_hashes_for_the_pinned_version_of_every_core_dependency(lock: Path) -> None:
    lines = lock.read_text().splitlines()
    locked = {}
    for line in lines:
        if not line.startswith("#"):
            found = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+) --hash=sha256:[0-9a-f]{64}", line)
            assert found, f"{line}: run make lock"
            locked[canonicalize_name(found[1])] = found[2]
    pins = pinned_versions()
    assert locked == {name: pins.get(name) for name in locked}, "constraints.txt changed: run make lock"
    named = subprocess.run(
        [sys.executable, str(LOCKS / "make_lock.py"), "--name"], capture_output=True, text=True, check=True
    )
    if lock.name != named.stdout.strip():
        return  # for another kind of machine, which may need other distributions
    used: dict[str, str] = {}
    add_requirements("classmood", {""}, used)
    assert set(locked) == set(used), "pyproject.toml changed: run make lock"
