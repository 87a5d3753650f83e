"""Finds the files to analyse, and names their copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path
from typing import Final

IMAGES: Final = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".avif", ".tif", ".tiff"})
VIDEOS: Final = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mjpeg", ".gif"})

_KNOWN: Final = " ".join(sorted(IMAGES | VIDEOS))


class AnalyzeError(Exception):
    """A file cannot be analysed; the text is one line that says what to do."""


def find_media(paths: tuple[Path, ...]) -> tuple[list[Path], Counter[str]]:
    """The files to analyse.

    Args:
        paths: Files, and folders whose media files are analysed; folders inside them are not searched.

    Returns:
        The files, and for each other kind of file in the folders, by its suffix, how many are left out.

    Raises:
        AnalyzeError: a path does not exist or is of no known kind, or there is no file to analyse.
    """
    media: list[Path] = []
    left_out: Counter[str] = Counter()
    for path in paths:
        if path.is_dir():
            inside = _files_inside(path)
            known = [file for file in inside if file.suffix.lower() in IMAGES | VIDEOS]
            media += known
            left_out.update(file.suffix.lower() or "no suffix" for file in inside if file not in known)
        elif not path.exists():
            raise AnalyzeError(f"{path} does not exist: give images, videos or folders of them")
        elif path.suffix.lower() not in IMAGES | VIDEOS:
            raise AnalyzeError(f"{path} is of no known kind: give a file that ends in one of {_KNOWN}")
        else:
            media.append(path)
    if not media:
        raise AnalyzeError(
            f"give an image, a video or a folder that has some: no file found ends in one of {_KNOWN}"
        )
    return media, left_out


def _files_inside(folder: Path) -> list[Path]:
    """The files in a folder, without hidden ones: macOS puts a ``._`` file beside each file it copies."""
    try:
        return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
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
