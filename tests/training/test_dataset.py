"""Loading FER-2013 from every layout, and the messages for damaged data."""

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
def test_every_layout_loads_the_images_of_one_split_with_their_labels(layout: str, tmp_path: Path) -> None:
    write, splits = LAYOUTS[layout]
    path = write(tmp_path)
    for split in splits:
        loaded = load(path, split)
        assert loaded.images.dtype == np.uint8
        assert loaded.images.shape[1:] == (48, 48)
        expected = fer_layouts.labels_and_splits(loaded.images)
        assert [label for label, _ in expected] == loaded.labels.tolist()
        assert {split_of for _, split_of in expected} == {split}
        assert np.bincount(loaded.labels).tolist() == [
            fer_layouts.image_count(label, split) for label in range(7)
        ]


@pytest.mark.parametrize("layout", ["images", "zip of images"])
def test_a_missing_split_is_reported(layout: str, tmp_path: Path) -> None:
    path = LAYOUTS[layout][0](tmp_path)
    with pytest.raises(DatasetError, match="no image of the split 'private'"):
        load(path, "private")


def test_a_csv_without_the_split_is_reported(tmp_path: Path) -> None:
    path = fer_layouts.write_csv(tmp_path, splits=("train",))
    with pytest.raises(DatasetError, match="no image of the split 'validation'"):
        load(path, "validation")


def test_file_names_separate_public_and_private_images_of_one_folder(tmp_path: Path) -> None:
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
def test_the_folder_decides_the_split_if_the_file_name_does_not(
    folder: str, split: str, tmp_path: Path
) -> None:
    fer_layouts.write_image(tmp_path / folder / "sad" / "17.png", fer_layouts.uniform_image(4, "train"))
    assert load(tmp_path, split).labels.tolist() == [4]
    for other in {*SPLITS} - {split}:
        with pytest.raises(DatasetError, match="no image of the split"):
            load(tmp_path, other)


@pytest.mark.parametrize(("folder", "emotion"), [("Anger", "angry"), ("HAPPY", "happy"), ("fearful", "fear")])
def test_synonyms_of_an_emotion_are_accepted(folder: str, emotion: str, tmp_path: Path) -> None:
    fer_layouts.write_image(tmp_path / "train" / folder / "1.png", fer_layouts.uniform_image(0, "train"))
    assert load(tmp_path, "train").labels.tolist() == [EMOTIONS.index(emotion)]


def test_an_image_of_another_size_is_resized_to_48(tmp_path: Path) -> None:
    fer_layouts.write_image(tmp_path / "train" / "fear" / "1.png", np.full((96, 64), 77, np.uint8))
    assert load(tmp_path, "train").images.tolist() == np.full((1, 48, 48), 77).tolist()


@pytest.mark.parametrize("extra", ["readme.txt", ".DS_Store", "__MACOSX/train/sad/._1.png"])
def test_other_files_in_the_folder_are_ignored(extra: str, tmp_path: Path) -> None:
    folder = fer_layouts.write_prefixed(tmp_path / "a")
    (folder / extra).parent.mkdir(parents=True, exist_ok=True)
    (folder / extra).write_text("not an image")
    expected = sum(fer_layouts.image_count(label, "train") for label in range(7))
    assert len(load(folder, "train")) == expected
    assert len(load(fer_layouts.zipped(folder, tmp_path / "b.zip"), "train")) == expected


def test_image_files_are_used_if_there_is_also_a_csv(tmp_path: Path) -> None:
    fer_layouts.write_csv(tmp_path)
    fer_layouts.write_image(tmp_path / "train" / "fear" / "1.png", np.full((48, 48), 200, np.uint8))
    assert load(tmp_path, "train").labels.tolist() == [EMOTIONS.index("fear")]


@pytest.mark.parametrize("split", ["test", "", "Training"])
def test_an_unknown_split_is_refused(split: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train, validation, private"):
        load(tmp_path, split)


def test_a_path_without_data_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        load(tmp_path / "absent", "train")
    with pytest.raises(DatasetError, match="no image of the split"):
        load(tmp_path, "train")
    (tmp_path / "fer2013.txt").write_text("x")
    with pytest.raises(DatasetError, match="neither a folder, a zip nor"):
        load(tmp_path / "fer2013.txt", "train")
    fer_layouts.zipped(tmp_path, tmp_path / "b.zip")
    with pytest.raises(DatasetError, match="no image of the split"):
        load(tmp_path / "b.zip", "train")


def test_a_folder_that_names_no_emotion_is_refused(tmp_path: Path) -> None:
    fer_layouts.write_image(tmp_path / "train" / "contempt" / "1.png", fer_layouts.uniform_image(0, "train"))
    with pytest.raises(DatasetError, match="'contempt' is not an emotion"):
        load(tmp_path, "train")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_damaged_image_is_named(share: float, tmp_path: Path) -> None:
    folder = fer_layouts.write_prefixed(tmp_path / "a")
    damaged = next((folder / "train" / "sad").iterdir())
    content = damaged.read_bytes()
    damaged.write_bytes(content[: int(len(content) * share)])
    for path in (folder, fer_layouts.zipped(folder, tmp_path / "b.zip")):
        with pytest.raises(DatasetError, match=damaged.name):
            load(path, "train")


@pytest.mark.parametrize("write", [fer_layouts.write_prefixed, lambda tmp: fer_layouts.write_csv(tmp).parent])
def test_a_damaged_zip_is_reported(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = fer_layouts.zipped(write(tmp_path / "a"), tmp_path / "b.zip")
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match="download it again"):
        load(path, "train")
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.write(fer_layouts.write_csv(tmp_path / "c"), "fer2013.csv")
    content = bytearray((tmp_path / "whole.zip").read_bytes())
    content[2000:2100] = b"\x00" * 100  # inside the compressed data: only the checksum fails
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"fer2013\.csv|download it again"):
        load(path, "train")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("7,{pixels},Training", "line 2: 7 is not a label"),
        ("-1,{pixels},Training", "line 2: -1 is not a label"),
        ("x,{pixels},Training", "line 2: not 48x48 pixels"),
        ("3,1 2 3,Training", "line 2: not 48x48 pixels"),
        ("3,{pixels} 0,Training", "line 2: not 48x48 pixels"),
        ("3,{too_bright},Training", "line 2: not 48x48 pixels"),
        ("3,{pixels}", "line 2: a column is missing"),
    ],
)
def test_the_line_of_a_damaged_row_is_named(row: str, message: str, tmp_path: Path) -> None:
    pixels = " ".join(["9"] * 2304)
    text = row.format(pixels=pixels, too_bright=pixels[:-1] + "256")
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n{text}\n")
    with pytest.raises(DatasetError, match=message):
        load(path, "train")


@pytest.mark.parametrize("content", [b"", b"emotion,pixels\n1,2\n", b"\xff\xfe\x00emotion", b"\x00\x00"])
def test_a_file_that_is_not_fer2013_csv_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"lacks one of the columns emotion|is not a CSV file"):
        load(path, "train")


def _numbered_split(labels: list[int]) -> Split:
    """A split whose images contain their own index, for ``_numbers``."""
    images = np.zeros((len(labels), 48, 48), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(len(labels)) % 256, np.arange(len(labels)) // 256
    return Split(images, np.array(labels, np.int64))


def _numbers(split: Split) -> list[int]:
    return (split.images[:, 0, 0] + 256 * split.images[:, 0, 1].astype(int)).tolist()


def test_holding_back_divides_a_split_without_loss_or_overlap() -> None:
    whole = _numbered_split([0] * 100 + [1] * 20 + [6] * 300)
    rest, held_back = hold_back(whole, 0.05, seed=1)
    assert sorted(_numbers(rest) + _numbers(held_back)) == list(range(420))
    assert np.bincount(held_back.labels, minlength=7).tolist() == [5, 1, 0, 0, 0, 0, 15]
    for part in (rest, held_back):
        assert part.labels.tolist() == [whole.labels[number] for number in _numbers(part)]
    again = hold_back(whole, 0.05, seed=1)
    assert _numbers(again[1]) == _numbers(held_back)
    assert _numbers(hold_back(whole, 0.05, seed=2)[1]) != _numbers(held_back)


def test_holding_back_from_an_empty_split() -> None:
    rest, held_back = hold_back(_numbered_split([]), 0.05, seed=1)
    assert (len(rest), len(held_back)) == (0, 0)
