"""Files that are whole or not there: a process killed while writing leaves the file it found."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Replace a file at once.

    Raises:
        OSError: the folder is missing, full or not ours to write to.
    """
    staged = path.with_name(f".{path.name}.part")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
