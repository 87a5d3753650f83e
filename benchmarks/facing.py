"""``benchmarks facing``: how well heads that are turned away from the camera are recognised.

There are two inputs: images of FER-2013, labelled by hand in ``facing_labels.csv``, and video clips of people
who look into the camera. For the images, the benchmark counts how many of each label are recognised as turned
away. For the clips, it measures the error of the estimated turn when the face is smaller, in a 320 x 180
image.
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
"""Tested sizes: side of the face's box in pixels."""

_IMAGE_PX, _HEAD_PX = 192, 96
_WIDTH, _HEIGHT = 320, 180
_FRAME_STEP: Final = 8
"""Every eighth frame of a clip is used."""


def labelled_turns(archive: Path) -> dict[str, list[float]]:
    """The turns of the labelled heads, by label; heads without a detected face are left out.

    Raises:
        OSError: the archive cannot be read.
        zipfile.BadZipFile: the file is not a zip archive.
    """
    detector = BlazeFace()
    found: dict[str, list[float]] = {"facing": [], "turned": [], "unclear": []}
    label_lines = resources.files("benchmarks").joinpath("facing_labels.csv").read_text().splitlines()
    labels = {row["picture"]: row["head"] for row in csv.DictReader(label_lines)}
    with zipfile.ZipFile(archive) as images:
        for name in images.namelist():
            label = labels.get(name.rsplit("/", 1)[-1])
            if label is None:
                continue
            head = np.asarray(cv2.imdecode(np.frombuffer(images.read(name), np.uint8), 0), np.uint8)
            faces = detector.detect(_centred(head))
            if len(faces):
                found[label].append(turn(faces.landmarks[0]))
    return found


def count_turned(turns: dict[str, list[float]]) -> dict[str, Any]:
    """Count the heads of each label that are recognised as turned away."""
    return {
        f"{label}_told_turned": f"{sum(value > MAX_TURN for value in found)} of {len(found)}"
        for label, found in turns.items()
    }


def measure(archive: Path | None, clips: list[Path]) -> dict[str, Any]:
    """Measure the labelled images and the clips, as far as they are given."""
    found: dict[str, Any] = {}
    if archive is not None:
        found["labelled"] = count_turned(labelled_turns(archive))
    live = make_live_detector(AnalysisSettings())
    for clip in clips:
        images = list(_sampled_frames(clip))
        full_size = [(image, faces) for image in images if len(faces := live.detect(image)) == 1]
        found[clip.stem] = {
            "pictures": len(images),
            "facing": sum(turn(faces.landmarks[0]) <= MAX_TURN for _, faces in full_size),
            **{
                f"{side}_px": _turn_error(
                    [(image, turn(faces.landmarks[0]), float(faces.sides[0])) for image, faces in full_size],
                    side,
                    live,
                )
                for side in SIDES
            },
        }
    return found


def _turn_error(full_size: list[tuple[Image, float, float]], side: int, live: FaceDetector) -> str:
    """95th percentile of the turn's error for faces of this size; "lost" if no face is detected."""
    errors = []
    rng = np.random.default_rng(side)
    for image, expected, full_px in full_size:
        scale = side / full_px
        resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        small = np.asarray(resized, np.uint8)[:_HEIGHT, :_WIDTH]
        image_with_face = np.full((_HEIGHT, _WIDTH), 100, np.uint8)
        top = int(rng.integers(0, _HEIGHT - small.shape[0] + 1))
        left = int(rng.integers(0, _WIDTH - small.shape[1] + 1))
        image_with_face[top : top + small.shape[0], left : left + small.shape[1]] = small
        faces = live.detect(image_with_face)
        if len(faces) == 1:
            errors.append(abs(turn(faces.landmarks[0]) - expected))
    return f"{np.percentile(errors, 95):.2f}" if errors else "lost"


def _centred(head: Image) -> Image:
    edge = (_IMAGE_PX - _HEAD_PX) // 2
    image = np.full((_IMAGE_PX, _IMAGE_PX), 127, np.uint8)
    image[edge : edge + _HEAD_PX, edge : edge + _HEAD_PX] = cv2.resize(
        head, (_HEAD_PX, _HEAD_PX), interpolation=cv2.INTER_CUBIC
    )
    return image


def _sampled_frames(clip: Path) -> Iterator[Image]:
    with av.open(str(clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % _FRAME_STEP == 0:
                yield np.asarray(frame.reformat(640, 360, "gray").to_ndarray(), np.uint8)
