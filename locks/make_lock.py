"""``make lock``: writes a lock file with the hashes of every package that the core needs on this machine.

pip resolves pyproject.toml and constraints.txt. ``pip install --require-hashes`` reads the lock file. It is
named after Python version, system and processor, and lists names, versions and SHA-256 hashes, but no URLs.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def name() -> str:
    """Name of the lock file for this Python, system and processor."""
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    return f"{sys.implementation.name}{version}-{sys.platform}-{platform.machine()}.txt"


def main() -> None:
    """Run pip and write the lock file, or print its name with ``--name``."""
    if sys.argv[1:] == ["--name"]:
        sys.stdout.write(name() + "\n")
        return
    resolved = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
         "--disable-pip-version-check", "--report", "-", "-c", "constraints.txt", "."],
        cwd=HERE.parent, check=True, capture_output=True, text=True,
    )  # fmt: skip
    lines = []
    for item in json.loads(resolved.stdout)["install"]:
        metadata, archive = item["metadata"], item["download_info"].get("archive_info")
        if archive is not None:  # None for this project itself
            lines.append(
                f"{metadata['name']}=={metadata['version']} --hash=sha256:{archive['hashes']['sha256']}"
            )
    lines.sort(key=str.lower)
    (HERE / name()).write_text("# Made by `make lock`.\n" + "\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(lines)} distributions in locks/{name()}\n")


if __name__ == "__main__":
    main()
