"""``benchmarks facing``: how well a head turned away is told from one that faces the camera.

Comes in: FER-2013 (its zip) for heads labelled by hand in ``facing_labels.csv``, and clips of people who
look into a camera. Goes out: how many of each are told right, and how far the turn of a face strays when
the face is made smaller in a 320 x 180 picture.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from bot.app import make_live_detector
from bot.config import AnalysisSettings
from inference.arrays import Image
from inference.detector import BlazeFace, FaceDetector
from inference.facing import MAX_TURN, turn

SIDES: Final = (28, 32, 40, 48, 60, 80)
"""Sides of the face's box that are tried, pixels."""

_PICTURE_PX, _HEAD_PX = 192, 96
_WIDTH, _HEIGHT = 320, 180
_EVERY: Final = 8


def labelled_turns(archive: Path) -> dict[str, list[float]]:
    """Turns of the labelled heads, by label; a head in which no face is found is left out.

    Raises:
        OSError: the archive cannot be read.
        zipfile.BadZipFile: it is no zip.
    """
    detector = BlazeFace()
    found: dict[str, list[float]] = {"facing": [], "turned": [], "unclear": []}
    by_hand = resources.files("benchmarks").joinpath("facing_labels.csv").read_text().splitlines()
    labels = {row["picture"]: row["head"] for row in csv.DictReader(by_hand)}
    with zipfile.ZipFile(archive) as pictures:
        for name in pictures.namelist():
            label = labels.get(name.rsplit("/", 1)[-1])
            if label is None:
                continue
            head = np.asarray(cv2.imdecode(np.frombuffer(pictures.read(name), np.uint8), 0), np.uint8)
            faces = detector.detect(_in_the_middle(head))
            if len(faces):
                found[label].append(turn(faces.landmarks[0]))
    return found


def told(turns: dict[str, list[float]]) -> dict[str, Any]:
    """How many heads of each label are told as turned away."""
    return {
        f"{label}_told_turned": f"{sum(one > MAX_TURN for one in found)} of {len(found)}"
        for label, found in turns.items()
    }


def measure(archive: Path | None, clips: list[Path]) -> dict[str, Any]:
    """Everything this benchmark finds, for printing."""
    found: dict[str, Any] = {}
    if archive is not None:
        found["labelled"] = told(labelled_turns(archive))
    live = make_live_detector(AnalysisSettings())
    for clip in clips:
        pictures = list(_pictures(clip))
        whole = [(image, faces) for image in pictures if len(faces := live.detect(image)) == 1]
        found[clip.stem] = {
            "pictures": len(pictures),
            "facing": sum(turn(faces.landmarks[0]) <= MAX_TURN for _, faces in whole),
            **{
                f"{side}_px": _strays(
                    [(image, turn(faces.landmarks[0]), float(faces.sides[0])) for image, faces in whole],
                    side,
                    live,
                )
                for side in SIDES
            },
        }
    return found


def _strays(whole: list[tuple[Image, float, float]], side: int, live: FaceDetector) -> str:
    """95th percentile of the error of the turn when the faces are so small; "lost" when none is found."""
    errors = []
    rng = np.random.default_rng(side)
    for image, expected, full_px in whole:
        scale = side / full_px
        resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        small = np.asarray(resized, np.uint8)[:_HEIGHT, :_WIDTH]
        picture = np.full((_HEIGHT, _WIDTH), 100, np.uint8)
        top = int(rng.integers(0, _HEIGHT - small.shape[0] + 1))
        left = int(rng.integers(0, _WIDTH - small.shape[1] + 1))
        picture[top : top + small.shape[0], left : left + small.shape[1]] = small
        faces = live.detect(picture)
        if len(faces) == 1:
            errors.append(abs(turn(faces.landmarks[0]) - expected))
    return f"{np.percentile(errors, 95):.2f}" if errors else "lost"


def _in_the_middle(head: Image) -> Image:
    edge = (_PICTURE_PX - _HEAD_PX) // 2
    picture = np.full((_PICTURE_PX, _PICTURE_PX), 127, np.uint8)
    picture[edge : edge + _HEAD_PX, edge : edge + _HEAD_PX] = cv2.resize(
        head, (_HEAD_PX, _HEAD_PX), interpolation=cv2.INTER_CUBIC
    )
    return picture


def _pictures(clip: Path) -> Iterator[Image]:
    with av.open(str(clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % _EVERY == 0:
                yield np.asarray(frame.reformat(640, 360, "gray").to_ndarray(), np.uint8)
