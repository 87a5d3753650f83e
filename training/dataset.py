"""Loads FER-2013 into arrays from any of its usual layouts.

Layouts (source: Kaggle's copies of Goodfellow et al. 2013, arXiv 1307.0414):

* ``fer2013.csv`` with the columns ``emotion``, ``pixels``, ``Usage``;
* ``train/<emotion>/*.png`` and ``test/<emotion>/*.png``, with file names that start with ``Training_``,
  ``PublicTest_`` or ``PrivateTest_``;
* ``images/train/<emotion>/*.jpg`` and ``images/validation/<emotion>/*.jpg``;
* a zip of any of them.

Further folders around a layout are allowed. The file name decides the split if it names one, otherwise the
folder does: ``test`` and ``validation`` are PublicTest. If there are both image files and a CSV, the image
files are used. A ``ferplus_votes.csv`` beside image files adds their FER+ votes (``training.votes``).
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

import cv2
import numpy as np
import numpy.typing as npt

from inference.arrays import Floats, Image, Labels
from inference.emotions import CROP_PX, EMOTIONS
from training.errors import DatasetError
from training.votes import VOTES_NAME, read_votes

SPLITS: Final = ("train", "validation", "private")
"""Training, PublicTest (validation) and PrivateTest (held-out test)."""

_USAGE: Final = {"training": "train", "publictest": "validation", "privatetest": "private"}
_FOLDERS: Final = {"train": "train", "test": "validation", "validation": "validation"}
_SYNONYMS: Final = {
    "anger": "angry",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "fearful": "fear",
    "disgusted": "disgust",
}
_IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_EXPECTED: Final = (
    "expected FER-2013 as fer2013.csv, as train/<emotion>/ and test/<emotion>/, as images/train/<emotion>/ "
    "and images/validation/<emotion>/, or as a zip of one of them"
)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One split of the data set.

    Attributes:
        images: (N, 48, 48) grayscale, 0..255.
        labels: (N,) indices into ``EMOTIONS``.
        votes: (N, 7) votes of FER+ annotators for each expression, 0 where an image has none; None if the
            data set has no ``ferplus_votes.csv``.
    """

    images: Image
    labels: Labels
    votes: Floats | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Split:
        """The selected images, by index or mask."""
        return Split(self.images[rows], self.labels[rows], None if self.votes is None else self.votes[rows])


Row = tuple[Image, int, str]
"""An image, its label and its file name (empty in a CSV)."""


def load(path: Path, split: str) -> Split:
    """Read one split.

    Args:
        path: CSV file, folder or zip in one of the layouts of this module.
        split: ``train``, ``validation`` (PublicTest) or ``private`` (PrivateTest).

    Raises:
        DatasetError: the path does not exist, the layout is unknown, an image cannot be read, or the split is
            empty.
    """
    if split not in SPLITS:
        raise DatasetError(f"choose one of the splits {', '.join(SPLITS)}: there is no split {split!r}")
    if not path.exists():
        raise DatasetError(f"{path} does not exist; {_EXPECTED}")
    try:
        if path.is_dir():
            rows, votes = _from_folder(path, split)
        elif path.suffix.lower() == ".csv":
            with path.open("rb") as table:
                rows, votes = list(_from_csv(table, str(path), split)), {}
        elif path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
            rows, votes = _from_zip(path, split)
        else:
            raise DatasetError(f"{path} is neither a folder, a zip nor a .csv; {_EXPECTED}")
    except OSError as exc:
        raise DatasetError(f"{exc.filename or path} cannot be read: {exc.strerror or exc}") from exc
    if not rows:
        raise DatasetError(f"{path} holds no image of the split {split!r}; {_EXPECTED}")
    images, labels, names = zip(*rows, strict=True)
    no_votes = np.zeros(len(EMOTIONS), np.float32)
    return Split(
        np.stack(images),
        np.asarray(labels, dtype=np.int64),
        np.stack([votes.get(name, no_votes) for name in names]) if votes else None,
    )


def hold_back(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Divide a split in two at random, stratified by label: (the rest, the held-back share)."""
    rng = np.random.default_rng(seed)
    held_back: list[int] = []
    for label in range(len(EMOTIONS)):
        members = np.flatnonzero(split.labels == label)
        held_back.extend(rng.permutation(members)[: round(len(members) * share)].tolist())
    mask = np.zeros(len(split), dtype=bool)
    mask[held_back] = True
    return split.part(~mask), split.part(mask)


def _from_folder(path: Path, split: str) -> tuple[list[Row], dict[str, Floats]]:
    names = (PurePosixPath(file.relative_to(path).as_posix()) for file in path.rglob("*") if file.is_file())
    images, table, votes_table = _classified_names(names)
    if not images and table is not None:
        with (path / table).open("rb") as content:
            return list(_from_csv(content, str(path / table), split)), {}
    votes: dict[str, Floats] = {}
    if votes_table is not None:
        with (path / votes_table).open("rb") as content:
            votes = read_votes(content, str(path / votes_table))
    rows = [
        (_decode((path / name).read_bytes(), str(path / name)), label, name.name)
        for name in images
        if (label := _label(name, split)) is not None
    ]
    return rows, votes


def _from_zip(path: Path, split: str) -> tuple[list[Row], dict[str, Floats]]:
    try:
        with zipfile.ZipFile(path) as archive:
            # Some archivers write ./train/..., and PurePosixPath drops the dot: remember the name as written.
            written = {PurePosixPath(name): name for name in archive.namelist()}
            images, table, votes_table = _classified_names(written)
            if not images and table is not None:
                with archive.open(written[table]) as content:
                    return list(_from_csv(content, f"{path}: {table}", split)), {}
            votes: dict[str, Floats] = {}
            if votes_table is not None:
                with archive.open(written[votes_table]) as content:
                    votes = read_votes(content, f"{path}: {votes_table}")
            rows = [
                (_decode(archive.read(written[name]), f"{path}: {name}"), label, name.name)
                for name in images
                if (label := _label(name, split)) is not None
            ]
            return rows, votes
    # RuntimeError: the archive is encrypted, or compressed in a way that Python does not support.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as exc:
        raise DatasetError(f"{path} cannot be unpacked ({exc}): download it again") from exc


def _classified_names(
    names: Iterable[PurePosixPath],
) -> tuple[list[PurePosixPath], PurePosixPath | None, PurePosixPath | None]:
    """The image files in emotion folders, sorted; the CSV of images and the CSV of votes, if any."""
    # A zip made on a Mac contains a hidden file ._NAME beside every file.
    visible = sorted(name for name in names if not any(part.startswith((".", "__")) for part in name.parts))
    images = [name for name in visible if name.suffix.lower() in _IMAGE_SUFFIXES and len(name.parts) >= 3]
    votes = [name for name in visible if name.name.lower() == VOTES_NAME]
    tables = [name for name in visible if name.suffix.lower() == ".csv" and name not in votes]
    original = [name for name in tables if name.name.lower() == "fer2013.csv"]
    return images, next(iter(original + tables), None), next(iter(votes), None)


def _from_csv(content: IO[bytes], name: str, split: str) -> Iterator[Row]:
    try:
        # utf-8-sig: spreadsheet programs start the file with a byte-order mark.
        reader = csv.reader(io.TextIOWrapper(content, "utf-8-sig", newline=""))
        # Kaggle's other copy, icml_face_data.csv, has blanks before its column names.
        columns = [column.strip().lower() for column in next(reader, [])]
        if not {"emotion", "pixels", "usage"} <= set(columns):
            raise DatasetError(f"{name} lacks one of the columns emotion, pixels, Usage; {_EXPECTED}")
        emotion, pixels, usage = (columns.index(column) for column in ("emotion", "pixels", "usage"))
        for row in filter(None, reader):  # skips blank lines
            if len(row) != len(columns):
                raise DatasetError(f"{name}, line {reader.line_num}: a column is missing; download it again")
            if _USAGE.get(row[usage].strip().lower()) == split:
                yield *_parsed(row[emotion], row[pixels], f"{name}, line {reader.line_num}"), ""
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DatasetError(f"{name} is not a CSV file ({exc}); {_EXPECTED}") from exc


def _parsed(emotion: str, pixels: str, place: str) -> tuple[Image, int]:
    try:
        image = np.array(pixels.split(), dtype=np.uint8).reshape(CROP_PX, CROP_PX)
        label = int(emotion)
    except (ValueError, OverflowError) as exc:
        raise DatasetError(f"{place}: not 48x48 pixels from 0 to 255 and a label") from exc
    if not 0 <= label < len(EMOTIONS):
        raise DatasetError(f"{place}: {label} is not a label of FER-2013 (0 to {len(EMOTIONS) - 1})")
    return image, label


def _label(name: PurePosixPath, split: str) -> int | None:
    """Index of the emotion that a file's folder names, or None if the file belongs to another split."""
    folder = name.parts[-2].lower()
    emotion = _SYNONYMS.get(folder, folder)
    usage = _USAGE.get(name.name.split("_")[0].lower()) or _FOLDERS.get(name.parts[-3].lower())
    if usage != split:
        return None
    if emotion not in EMOTIONS:
        raise DatasetError(f"{name}: {folder!r} is not an emotion of FER-2013 ({', '.join(EMOTIONS)})")
    return EMOTIONS.index(emotion)


def _decode(data: bytes, name: str) -> Image:
    # For an empty buffer cv2.imdecode raises instead of returning None.
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise DatasetError(f"{name} is not an image: download the data set again")
    if image.shape != (CROP_PX, CROP_PX):
        image = cv2.resize(image, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)
