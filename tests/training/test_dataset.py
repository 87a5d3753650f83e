"""Every layout of FER-2013, and what is said of broken ones."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inference.emotions import EMOTIONS
from training.dataset import SPLITS, Split, hold_back, load
from training.errors import DatasetError

from . import fer_layouts

ALL = SPLITS
NO_PRIVATE = ("train", "validation")

LAYOUTS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "csv": (lambda tmp: fer_layouts.write_csv(tmp), ALL),
    "csv with blanks in its header": (
        lambda tmp: fer_layouts.write_csv(tmp, name="icml_face_data.csv", header="emotion, pixels, Usage"),
        ALL,
    ),
    "csv with a byte-order mark": (
        lambda tmp: fer_layouts.write_csv(tmp, header="\N{ZERO WIDTH NO-BREAK SPACE}emotion,pixels,Usage"),
        ALL,
    ),
    "folder of a csv": (lambda tmp: fer_layouts.write_csv(tmp).parent, ALL),
    "folder of a csv, nested": (
        lambda tmp: fer_layouts.write_csv(tmp / "fer2013" / "fer2013").parents[2],
        ALL,
    ),
    "folders": (fer_layouts.write_prefixed, ALL),
    "folders, nested": (lambda tmp: fer_layouts.write_prefixed(tmp / "fer" / "2013").parents[1], ALL),
    "images": (fer_layouts.write_numbered, NO_PRIVATE),
    "images, nested": (lambda tmp: fer_layouts.write_numbered(tmp / "face-data").parent, NO_PRIVATE),
    "zip of a csv": (
        lambda tmp: fer_layouts.zipped(fer_layouts.write_csv(tmp / "a").parent, tmp / "b.zip"),
        ALL,
    ),
    "zip of folders": (
        lambda tmp: fer_layouts.zipped(fer_layouts.write_prefixed(tmp / "a"), tmp / "b.zip"),
        ALL,
    ),
    "zip of folders, nested": (
        lambda tmp: fer_layouts.zipped(fer_layouts.write_prefixed(tmp / "a"), tmp / "b.zip", "archive/fer/"),
        ALL,
    ),
    "zip of folders, names with a dot": (
        lambda tmp: fer_layouts.zipped(fer_layouts.write_prefixed(tmp / "a"), tmp / "b.zip", "./"),
        ALL,
    ),
    "zip of images": (
        lambda tmp: fer_layouts.zipped(fer_layouts.write_numbered(tmp / "a"), tmp / "b.zip"),
        NO_PRIVATE,
    ),
    "zip without the suffix": (
        lambda tmp: fer_layouts.zipped(fer_layouts.write_prefixed(tmp / "a"), tmp / "download"),
        ALL,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_every_picture_its_label_and_only_its_split(layout: str, tmp_path: Path) -> None:
    write, splits = LAYOUTS[layout]
    path = write(tmp_path)
    for split in splits:
        found = load(path, split)
        assert found.images.dtype == np.uint8
        assert found.images.shape[1:] == (48, 48)
        told = fer_layouts.labels_and_splits(found.images)
        assert [label for label, _ in told] == found.labels.tolist()
        assert {of for _, of in told} == {split}
        assert np.bincount(found.labels).tolist() == [
            fer_layouts.image_count(label, split) for label in range(7)
        ]


@pytest.mark.parametrize("layout", ["images", "zip of images"])
def test_a_missing_split_is_said(layout: str, tmp_path: Path) -> None:
    path = LAYOUTS[layout][0](tmp_path)
    with pytest.raises(DatasetError, match="no picture of the split 'private'"):
        load(path, "private")


def test_a_csv_without_the_split_is_said(tmp_path: Path) -> None:
    path = fer_layouts.write_csv(tmp_path, splits=("train",))
    with pytest.raises(DatasetError, match="no picture of the split 'validation'"):
        load(path, "validation")


def test_public_and_private_pictures_of_one_folder_are_told_apart(tmp_path: Path) -> None:
    fer_layouts.write_image(
        tmp_path / "test" / "sad" / "PublicTest_1.png", fer_layouts.uniform_image(4, "validation")
    )
    fer_layouts.write_image(
        tmp_path / "test" / "sad" / "PrivateTest_2.png", fer_layouts.uniform_image(4, "private")
    )
    assert fer_layouts.labels_and_splits(load(tmp_path, "validation").images) == [(4, "validation")]
    assert fer_layouts.labels_and_splits(load(tmp_path, "private").images) == [(4, "private")]


@pytest.mark.parametrize(
    ("folder", "split"), [("train", "train"), ("test", "validation"), ("Validation", "validation")]
)
def test_the_folder_decides_where_the_name_tells_nothing(folder: str, split: str, tmp_path: Path) -> None:
    fer_layouts.write_image(tmp_path / folder / "sad" / "17.png", fer_layouts.uniform_image(4, "train"))
    assert load(tmp_path, split).labels.tolist() == [4]
    for other in {*SPLITS} - {split}:
        with pytest.raises(DatasetError, match="no picture of the split"):
            load(tmp_path, other)


@pytest.mark.parametrize(("folder", "emotion"), [("Anger", "angry"), ("HAPPY", "happy"), ("fearful", "fear")])
def test_other_names_of_an_emotion(folder: str, emotion: str, tmp_path: Path) -> None:
    fer_layouts.write_image(tmp_path / "train" / folder / "1.png", fer_layouts.uniform_image(0, "train"))
    assert load(tmp_path, "train").labels.tolist() == [EMOTIONS.index(emotion)]


def test_a_picture_of_another_size_is_brought_to_48(tmp_path: Path) -> None:
    fer_layouts.write_image(tmp_path / "train" / "fear" / "1.png", np.full((96, 64), 77, np.uint8))
    assert load(tmp_path, "train").images.tolist() == np.full((1, 48, 48), 77).tolist()


@pytest.mark.parametrize("extra", ["readme.txt", ".DS_Store", "__MACOSX/train/sad/._1.png"])
def test_what_else_lies_in_the_folder_does_not_matter(extra: str, tmp_path: Path) -> None:
    folder = fer_layouts.write_prefixed(tmp_path / "a")
    (folder / extra).parent.mkdir(parents=True, exist_ok=True)
    (folder / extra).write_text("no picture")
    expected = sum(fer_layouts.image_count(label, "train") for label in range(7))
    assert len(load(folder, "train")) == expected
    assert len(load(fer_layouts.zipped(folder, tmp_path / "b.zip"), "train")) == expected


def test_pictures_count_where_a_csv_lies_beside_them(tmp_path: Path) -> None:
    fer_layouts.write_csv(tmp_path)
    fer_layouts.write_image(tmp_path / "train" / "fear" / "1.png", np.full((48, 48), 200, np.uint8))
    assert load(tmp_path, "train").labels.tolist() == [EMOTIONS.index("fear")]


@pytest.mark.parametrize("split", ["test", "", "Training"])
def test_an_unknown_split_is_refused(split: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train, validation, private"):
        load(tmp_path, split)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        load(tmp_path / "absent", "train")
    with pytest.raises(DatasetError, match="no picture of the split"):
        load(tmp_path, "train")
    (tmp_path / "fer2013.txt").write_text("x")
    with pytest.raises(DatasetError, match="neither a folder, a zip nor"):
        load(tmp_path / "fer2013.txt", "train")
    fer_layouts.zipped(tmp_path, tmp_path / "b.zip")
    with pytest.raises(DatasetError, match="no picture of the split"):
        load(tmp_path / "b.zip", "train")


def test_a_folder_of_no_emotion(tmp_path: Path) -> None:
    fer_layouts.write_image(tmp_path / "train" / "contempt" / "1.png", fer_layouts.uniform_image(0, "train"))
    with pytest.raises(DatasetError, match="'contempt' is no emotion"):
        load(tmp_path, "train")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_damaged_picture_is_named(share: float, tmp_path: Path) -> None:
    folder = fer_layouts.write_prefixed(tmp_path / "a")
    victim = next((folder / "train" / "sad").iterdir())
    content = victim.read_bytes()
    victim.write_bytes(content[: int(len(content) * share)])
    for path in (folder, fer_layouts.zipped(folder, tmp_path / "b.zip")):
        with pytest.raises(DatasetError, match=victim.name):
            load(path, "train")


@pytest.mark.parametrize("write", [fer_layouts.write_prefixed, lambda tmp: fer_layouts.write_csv(tmp).parent])
def test_a_damaged_zip_is_said(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = fer_layouts.zipped(write(tmp_path / "a"), tmp_path / "b.zip")
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match="fetch it again"):
        load(path, "train")
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.write(fer_layouts.write_csv(tmp_path / "c"), "fer2013.csv")
    content = bytearray((tmp_path / "whole.zip").read_bytes())
    content[2000:2100] = b"\x00" * 100  # inside the packed bytes: only the checksum tells
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"fer2013\.csv|fetch it again"):
        load(path, "train")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("7,{pixels},Training", "line 2: 7 is no label"),
        ("-1,{pixels},Training", "line 2: -1 is no label"),
        ("x,{pixels},Training", "line 2: not 48x48 pixels"),
        ("3,1 2 3,Training", "line 2: not 48x48 pixels"),
        ("3,{pixels} 0,Training", "line 2: not 48x48 pixels"),
        ("3,{too_bright},Training", "line 2: not 48x48 pixels"),
        ("3,{pixels}", "line 2: cut short"),
    ],
)
def test_a_broken_row_is_named(row: str, said: str, tmp_path: Path) -> None:
    pixels = " ".join(["9"] * 2304)
    text = row.format(pixels=pixels, too_bright=pixels[:-1] + "256")
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n{text}\n")
    with pytest.raises(DatasetError, match=said):
        load(path, "train")


@pytest.mark.parametrize("content", [b"", b"emotion,pixels\n1,2\n", b"\xff\xfe\x00emotion", b"\x00\x00"])
def test_another_csv_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"column of emotion|no CSV file"):
        load(path, "train")


def _numbered(labels: list[int]) -> Split:
    images = np.zeros((len(labels), 48, 48), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(len(labels)) % 256, np.arange(len(labels)) // 256
    return Split(images, np.array(labels, np.int64))


def _numbers(split: Split) -> list[int]:
    return (split.images[:, 0, 0] + 256 * split.images[:, 0, 1].astype(int)).tolist()


def test_holding_back_parts_a_split_without_loss_or_overlap() -> None:
    whole = _numbered([0] * 100 + [1] * 20 + [6] * 300)
    rest, held = hold_back(whole, 0.05, seed=1)
    assert sorted(_numbers(rest) + _numbers(held)) == list(range(420))
    assert np.bincount(held.labels, minlength=7).tolist() == [5, 1, 0, 0, 0, 0, 15]
    for part in (rest, held):
        assert part.labels.tolist() == [whole.labels[number] for number in _numbers(part)]
    again = hold_back(whole, 0.05, seed=1)
    assert _numbers(again[1]) == _numbers(held)
    assert _numbers(hold_back(whole, 0.05, seed=2)[1]) != _numbers(held)


def test_holding_back_from_nothing() -> None:
    rest, held = hold_back(_numbered([]), 0.05, seed=1)
    assert (len(rest), len(held)) == (0, 0)
