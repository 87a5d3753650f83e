"""Tiny made-up FER-2013s in every layout; a picture's brightness tells its label and its split."""

import csv
import zipfile
from pathlib import Path

import cv2
import numpy as np

from inference.arrays import Image
from inference.emotions import CROP_PX, EMOTIONS
from training.dataset import SPLITS

USAGES = {"train": "Training", "validation": "PublicTest", "private": "PrivateTest"}


def count(label: int, split: str) -> int:
    """Pictures of a label in a split: no two labels alike, so that swapped ones show."""
    return label + 1 + (2 if split == "train" else 0)


def picture(label: int, split: str) -> Image:
    """(48, 48), of one brightness, far enough from every other for JPEG."""
    return np.full((CROP_PX, CROP_PX), 30 * label + 10 * SPLITS.index(split) + 5, np.uint8)


def told(images: Image) -> list[tuple[int, str]]:
    """Label and split of (N, 48, 48) pictures, from their brightness."""
    levels = images.reshape(len(images), -1).mean(axis=1).round().astype(int)
    return [(level // 30, SPLITS[level % 30 // 10]) for level in levels.tolist()]


def write_picture(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_csv(
    folder: Path, splits: tuple[str, ...] = SPLITS, name: str = "fer2013.csv", header: str = ""
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow((header or "emotion,pixels,Usage").split(","))
        for split in splits:
            for label in range(len(EMOTIONS)):
                for _ in range(count(label, split)):
                    pixels = " ".join(map(str, picture(label, split).ravel().tolist()))
                    lines.writerow((label, pixels, USAGES[split]))
    return folder / name


def write_prefixed(folder: Path, splits: tuple[str, ...] = SPLITS) -> Path:
    """train/<emotion>/Training_*.png and test/<emotion>/PublicTest_*.png, PrivateTest_*.png."""
    number = 0
    for split in splits:
        for label, emotion in enumerate(EMOTIONS):
            for _ in range(count(label, split)):
                top = "train" if split == "train" else "test"
                number += 1
                write_picture(folder / top / emotion / f"{USAGES[split]}_{number}.png", picture(label, split))
    return folder


def write_plain(folder: Path) -> Path:
    """images/train/<emotion>/*.jpg and images/validation/<emotion>/*.jpg: the names tell nothing."""
    number = 0
    for split in ("train", "validation"):
        for label, emotion in enumerate(EMOTIONS):
            for _ in range(count(label, split)):
                number += 1
                write_picture(folder / "images" / split / emotion / f"{number}.jpg", picture(label, split))
    return folder


def zipped(folder: Path, to: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(folder).as_posix())
    return to
