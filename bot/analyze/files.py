"""Finds the files to analyse, and names their copies."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path
from typing import Final

IMAGES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
VIDEOS: Final = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mjpeg"})


class AnalyzeError(Exception):
    """A file cannot be analysed; the text is one line that says what to do."""


def find_media(paths: tuple[Path, ...]) -> list[Path]:
    """The files to analyse.

    Args:
        paths: Files, and folders whose media files are analysed; folders inside them are not searched.

    Raises:
        AnalyzeError: a path does not exist or is of no known kind, or there is no file to analyse.
    """
    media: list[Path] = []
    for path in paths:
        if path.is_dir():
            media += _media_inside(path)
        elif not path.exists():
            raise AnalyzeError(f"{path} does not exist: give images, videos or folders of them")
        elif path.suffix.lower() not in IMAGES | VIDEOS:
            known = " ".join(sorted(IMAGES | VIDEOS))
            raise AnalyzeError(f"{path} is of no known kind: give a file that ends in one of {known}")
        else:
            media.append(path)
    if not media:
        raise AnalyzeError("give an image, a video or a folder that has some: no image or video was found")
    return media


def _media_inside(folder: Path) -> list[Path]:
    try:
        known = [file for file in folder.iterdir() if file.suffix.lower() in IMAGES | VIDEOS]
        return sorted(file for file in known if file.is_file())
    except OSError as exc:
        raise AnalyzeError(f"make {folder} readable: it cannot be read ({exc.strerror})") from exc


def with_copies(files: Iterable[Path], out: Path) -> list[tuple[Path, Path]]:
    """Each file once, with a unique path for its copy in the folder ``out``."""
    copies: dict[Path, Path] = {}
    used_names: set[str] = set()  # casefolded: some file systems do not distinguish case
    for file in files:
        suffix = ".mp4" if file.suffix.lower() in VIDEOS else file.suffix
        names = (f"{file.stem}{mark}{suffix}" for mark in chain([""], (f"-{number}" for number in count(2))))
        if file not in copies:
            name = next(name for name in names if name.casefold() not in used_names)
            used_names.add(name.casefold())
            copies[file] = out / name
    return list(copies.items())
