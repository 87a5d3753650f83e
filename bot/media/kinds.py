"""The kinds of files that are read, by the ends of their names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PAGED: Final = frozenset({".tif", ".tiff"})
"""Images that may have several pages."""

ANIMATED: Final = frozenset({".webp", ".avif", ".png", ".apng"})
"""Images that may be animated."""

IMAGES: Final = PAGED | ANIMATED | {".jpg", ".jpeg", ".jfif", ".bmp"}

VIDEOS: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".ogv"}
    | {".mpg", ".mpeg", ".mts", ".m2ts", ".mjpeg", ".gif"}
)

MEDIA: Final = IMAGES | VIDEOS


class MediaError(Exception):
    """A file cannot be read; the text is one line that says what to do."""


def is_hidden(file: Path) -> bool:
    """Whether a file is hidden, such as the ``._`` file that macOS puts beside each file it copies."""
    return file.name.startswith(".")
