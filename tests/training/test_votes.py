"""FER+ votes: columns, images and targets are matched correctly, in a folder and in a zip."""

import io
from pathlib import Path

import numpy as np
import pytest

from inference.emotions import EMOTIONS
from training.dataset import Split, hold_back, load
from training.errors import DatasetError
from training.votes import majority, read_votes, targets

from . import fer_layouts

HEADER = "file,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def _write_votes(folder: Path) -> None:
    """Votes for images 1 to 3 of ``fer_layouts`` only, which have the label angry."""
    (folder / "ferplus_votes.csv").write_text(
        f"{HEADER}\n"
        "train/angry/Training_1.png,1,2,3,4,0,0,0,0,0,0\n"
        "train/angry/Training_2.png,0,0,0,0,5,6,7,8,9,10\n"
        "train/angry/Training_3.png,0,0,0,0,0,0,0,4,3,3\n"
    )


@pytest.mark.parametrize("in_zip", [False, True])
def test_votes_are_loaded_with_their_images(in_zip: bool, tmp_path: Path) -> None:
    data = fer_layouts.write_prefixed(tmp_path / "fer")
    assert load(data, "train").votes is None
    _write_votes(data)
    path = fer_layouts.zipped(data, tmp_path / "fer.zip") if in_zip else data
    split = load(path, "train")
    assert split.votes is not None
    rows = split.votes[split.votes.sum(axis=1) > 0]
    by_name = [dict(zip(EMOTIONS, row.tolist(), strict=True)) for row in rows]
    no_votes = dict.fromkeys(EMOTIONS, 0.0)
    assert by_name == [
        no_votes | {"neutral": 1, "happy": 2, "surprise": 3, "sad": 4},
        no_votes | {"angry": 5, "disgust": 6, "fear": 7},
    ]
    assert fer_layouts.labels_and_splits(split.images) == [
        (label, "train") for label in split.labels.tolist()
    ]
    other = load(path, "validation").votes
    assert other is not None
    assert other.sum() == 0


def test_a_part_keeps_votes_and_labels_together() -> None:
    labels = np.arange(40) % 2
    images = np.repeat(np.arange(40, dtype=np.uint8), 48 * 48).reshape(40, 48, 48)
    votes = np.repeat(np.arange(40, dtype=np.float32), 7).reshape(40, 7)
    for part in hold_back(Split(images, labels, votes), 0.25, seed=3):
        assert part.votes is not None
        assert part.votes[:, 0].tolist() == part.images[:, 0, 0].tolist()
        assert part.labels.tolist() == (part.images[:, 0, 0] % 2).tolist()


def test_targets_mix_the_label_with_the_shares_of_the_votes() -> None:
    labels = np.array([0, 3])
    votes = np.array([[1, 0, 0, 0, 3, 0, 0], [0] * 7], np.float32)
    assert targets(labels, votes, 0.0).tolist() == np.eye(7)[labels].tolist()
    assert targets(labels, votes, 0.4)[0] == pytest.approx([0.7, 0, 0, 0, 0.3, 0, 0])
    assert targets(labels, votes, 0.4)[1] == pytest.approx([0, 0, 0, 1, 0, 0, 0])


def test_a_tie_and_no_votes_have_no_majority() -> None:
    votes = np.array([[0, 0, 5, 4, 0, 0, 0], [3, 3, 0, 0, 0, 0, 0], [0] * 7], np.float32)
    assert majority(votes).tolist() == [2, -1, -1]


@pytest.mark.parametrize("content", ["file,neutral\na.png,1\n", f"{HEADER}\na.png,x,0,0,0,0,0,0,0,0,0\n"])
def test_a_damaged_table_is_reported(content: str) -> None:
    with pytest.raises(DatasetError, match="votes"):
        read_votes(io.BytesIO(content.encode()), "votes.csv")
