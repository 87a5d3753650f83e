"""Small artificial copies of FER-2013 in every layout; an image's brightness encodes label and split."""

import csv
import zipfile
from pathlib import Path

import cv2
import numpy as np

from inference.arrays import Image
from inference.emotions import CROP_PX, EMOTIONS
from training.dataset import SPLITS

USAGES = {"train": "Training", "validation": "PublicTest", "private": "PrivateTest"}


def image_count(label: int, split: str) -> int:
    """Images of a label in a split: different for every label, so that swapped labels show."""
    return label + 1 + (2 if split == "train" else 0)


def uniform_image(label: int, split: str) -> Image:
    """(48, 48), of one brightness that differs from all others by more than JPEG changes it."""
    return np.full((CROP_PX, CROP_PX), 30 * label + 10 * SPLITS.index(split) + 5, np.uint8)


def labels_and_splits(images: Image) -> list[tuple[int, str]]:
    """Label and split of (N, 48, 48) images, decoded from their brightness."""
    levels = images.reshape(len(images), -1).mean(axis=1).round().astype(int)
    return [(level // 30, SPLITS[level % 30 // 10]) for level in levels.tolist()]


def write_image(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_csv(
    folder: Path, splits: tuple[str, ...] = SPLITS, name: str = "fer2013.csv", header: str = ""
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((header or "emotion,pixels,Usage").split(","))
        for split in splits:
            for label in range(len(EMOTIONS)):
                for _ in range(image_count(label, split)):
                    pixels = " ".join(map(str, uniform_image(label, split).ravel().tolist()))
                    writer.writerow((label, pixels, USAGES[split]))
    return folder / name


def write_prefixed(folder: Path, splits: tuple[str, ...] = SPLITS) -> Path:
    """train/<emotion>/Training_*.png and test/<emotion>/PublicTest_*.png, PrivateTest_*.png."""
    number = 0
    for split in splits:
        for label, emotion in enumerate(EMOTIONS):
            for _ in range(image_count(label, split)):
                top = "train" if split == "train" else "test"
                number += 1
                path = folder / top / emotion / f"{USAGES[split]}_{number}.png"
                write_image(path, uniform_image(label, split))
    return folder


def write_numbered(folder: Path) -> Path:
    """images/train/<emotion>/*.jpg and images/validation/<emotion>/*.jpg: file names without the split."""
    number = 0
    for split in ("train", "validation"):
        for label, emotion in enumerate(EMOTIONS):
            for _ in range(image_count(label, split)):
                number += 1
                path = folder / "images" / split / emotion / f"{number}.jpg"
                write_image(path, uniform_image(label, split))
    return folder


def zipped(folder: Path, to: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(folder).as_posix())
    return to
