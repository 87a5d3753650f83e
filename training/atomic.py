"""Atomic file writes: if the process is killed while writing, the old file stays."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Replace a file atomically.

    Raises:
        OSError: the folder is missing, full or not writable.
    """
    staged = path.with_name(f".{path.name}.part")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
