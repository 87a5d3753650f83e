"""FER+ votes: the expressions that ten annotators saw in each image, and training targets made from them.

``ferplus_votes.csv`` has a row for each image: the file name, then the votes.

Source: Barsoum et al. 2016, "Training deep networks for facial expression recognition with crowd-sourced
label distribution" (arXiv 1608.01041).
"""

from __future__ import annotations

import csv
import io
from pathlib import PurePosixPath
from typing import IO, Final

import numpy as np

from inference.arrays import Floats, Labels
from inference.emotions import EMOTIONS
from training.errors import DatasetError

VOTES_NAME: Final = "ferplus_votes.csv"

COLUMNS: Final = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}
"""FER-2013's expression by column. Votes for contempt, unknown and NF (no face) are ignored."""


def read_votes(table: IO[bytes], name: str) -> dict[str, Floats]:
    """Votes by file name, without its folder: in FER-2013 the file name alone is unique.

    Args:
        table: The CSV.
        name: Name of the CSV in error messages.

    Returns:
        By file name, (7,) votes for the seven expressions in the order of ``EMOTIONS``.

    Raises:
        DatasetError: a column is missing, or the file is damaged.
    """
    try:
        rows = csv.DictReader(io.TextIOWrapper(table, "utf-8-sig", newline=""))
        if not {"file", *COLUMNS} <= set(rows.fieldnames or ()):
            raise DatasetError(
                f"{name} lacks one of the columns file, {', '.join(COLUMNS)}: download it again or remove it"
            )
        column = {emotion: title for title, emotion in COLUMNS.items()}
        return {
            PurePosixPath(row["file"]).name: np.array(
                [float(row[column[one]]) for one in EMOTIONS], np.float32
            )
            for row in rows
        }
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError) as exc:
        raise DatasetError(f"{name} is damaged ({exc}): download it again or remove it") from exc


def targets(labels: Labels, votes: Floats, weight: float) -> Floats:
    """Training targets: FER-2013's own label mixed with the shares of the FER+ votes.

    Args:
        labels: (N,).
        votes: (N, 7); an image without votes gets its own label only.
        weight: Weight of the votes, 0..1.

    Returns:
        (N, 7), rows summing to 1.
    """
    own = np.eye(len(EMOTIONS), dtype=np.float32)[labels]
    counts = votes.sum(axis=1, keepdims=True)
    shares = np.where(counts > 0, votes / np.maximum(counts, 1), own)
    return np.asarray((1 - weight) * own + weight * shares, np.float32)


def majority(votes: Floats) -> Labels:
    """The expression with the most votes: (N, 7) to (N,), -1 without votes or in a tie."""
    ordered = np.sort(votes, axis=1)
    clear = ordered[:, -1] > ordered[:, -2]
    return np.where(clear, votes.argmax(axis=1), -1).astype(np.int64)
