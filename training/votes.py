"""FER+: what ten annotators saw in each picture, and how their votes become the target of training.

Comes in: ``ferplus_votes.csv`` (a picture's file, then its votes). Goes out: (N, 7) shares to aim at.

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
"""The columns that are expressions of FER-2013. Votes for contempt, unknown and NF (no face) are left out."""


def read_votes(table: IO[bytes], name: str) -> dict[str, Floats]:
    """Votes by file name, which is unique in FER-2013 whatever the folders are.

    Args:
        table: The CSV.
        name: What to call it in an error.

    Returns:
        (7,) votes in the order of ``EMOTIONS``, those of the seven only.

    Raises:
        DatasetError: it is no such table.
    """
    try:
        rows = csv.DictReader(io.TextIOWrapper(table, "utf-8-sig", newline=""))
        if not {"file", *COLUMNS} <= set(rows.fieldnames or ()):
            raise DatasetError(
                f"{name} lacks a column of file, {', '.join(COLUMNS)}: fetch it again or take it away"
            )
        column = {emotion: title for title, emotion in COLUMNS.items()}
        return {
            PurePosixPath(row["file"]).name: np.array(
                [float(row[column[one]]) for one in EMOTIONS], np.float32
            )
            for row in rows
        }
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError) as exc:
        raise DatasetError(f"{name} is damaged ({exc}): fetch it again or take it away") from exc


def targets(labels: Labels, votes: Floats, weight: float) -> Floats:
    """What training aims at: FER-2013's own label mixed with the shares of FER+'s votes.

    Args:
        labels: (N,).
        votes: (N, 7); a row without a vote leaves the picture its own label alone.
        weight: Of the votes, 0..1.

    Returns:
        (N, 7), rows summing to 1.
    """
    own = np.eye(len(EMOTIONS), dtype=np.float32)[labels]
    counts = votes.sum(axis=1, keepdims=True)
    shares = np.where(counts > 0, votes / np.maximum(counts, 1), own)
    return np.asarray((1 - weight) * own + weight * shares, np.float32)


def majority(votes: Floats) -> Labels:
    """The expression most annotators saw: (N, 7) to (N,), -1 without a vote or where two lead."""
    ordered = np.sort(votes, axis=1)
    clear = ordered[:, -1] > ordered[:, -2]
    return np.where(clear, votes.argmax(axis=1), -1).astype(np.int64)
