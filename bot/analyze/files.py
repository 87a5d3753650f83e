"""Finds the files to analyse, and names their copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path
from typing import Final

from bot.media.kinds import MEDIA, VIDEOS, is_hidden

_KNOWN: Final = " ".join(sorted(MEDIA))
_APPLE_DOUBLE: Final = "._"
"""Begin of the names of the files without pictures that macOS puts beside the files it copies."""


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
            for file in _files_inside(path):
                if file.suffix.lower() in MEDIA:
                    media.append(file)
                else:
                    left_out[file.suffix.lower() or "no suffix"] += 1
        elif not path.exists():
            raise AnalyzeError(f"{path} does not exist: give images, videos or folders of them")
        elif path.suffix.lower() not in MEDIA:
            raise AnalyzeError(f"{path} is of no known kind: give a file that ends in one of {_KNOWN}")
        elif not path.name.startswith(_APPLE_DOUBLE):
            media.append(path)
    if not media:
        found = f" ({describe_left_out(left_out)})" if left_out else ""
        raise AnalyzeError(
            f"give an image, a video or a folder that has some: no file found ends in one of {_KNOWN}{found}"
        )
    return media, left_out


def describe_left_out(left_out: Counter[str]) -> str:
    """One line, such as "2 files of other kinds left out: .heic 1, .txt 1"."""
    kinds = ", ".join(f"{suffix} {number}" for suffix, number in sorted(left_out.items()))
    number = left_out.total()
    files = "1 file of another kind" if number == 1 else f"{number} files of other kinds"
    return f"{files} left out: {kinds}"


def _files_inside(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.is_file() and not is_hidden(file))
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
