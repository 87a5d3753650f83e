"""What is installed is what constraints.txt pins, in the core and in what develops it."""

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


def pinned() -> dict[str, str]:
    lines = CONSTRAINTS.read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 for pin in pins), "one exact version a line"
    return {canonicalize_name(name): number for name, number in pins}


def needed(name: str, extras: set[str], seen: dict[str, str]) -> None:
    """Add every installed distribution that ``name`` with these extras needs, at any remove."""
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
            continue  # of an extra that is not installed here
        needed(wanted.name, set(wanted.extras), seen)


def test_every_distribution_in_use_is_pinned_at_the_version_in_use() -> None:
    used: dict[str, str] = {}
    needed("classmood", {"", "dev"}, used)
    assert {"aiohttp", "aiortc", "cryptography", "av", "sqlalchemy", "hypothesis"} <= set(used)
    pins = pinned()
    assert {name: pins.get(name) for name in used} == used


def test_constraints_name_no_host_and_no_path() -> None:
    """Whoever installs chooses where from; a URL in here would choose for them."""
    for line in CONSTRAINTS.read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.txt")), ids=lambda lock: lock.stem)
def test_a_lock_has_hashes_for_the_pinned_versions_of_all_the_core_needs(lock: Path) -> None:
    lines = lock.read_text().splitlines()
    locked = {}
    for line in lines:
        if not line.startswith("#"):
            found = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+) --hash=sha256:[0-9a-f]{64}", line)
            assert found, f"{line}: make lock"
            locked[canonicalize_name(found[1])] = found[2]
    pins = pinned()
    assert locked == {name: pins.get(name) for name in locked}, "constraints.txt changed: make lock"
    named = subprocess.run(
        [sys.executable, str(LOCKS / "make_lock.py"), "--name"], capture_output=True, text=True, check=True
    )
    if lock.name != named.stdout.strip():
        return  # of another kind of machine, where more or less may be needed
    used: dict[str, str] = {}
    needed("classmood", {""}, used)
    assert set(locked) == set(used), "pyproject.toml changed: make lock"
