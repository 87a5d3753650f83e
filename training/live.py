"""What is lost between FER-2013's own crops and faces cut from a call.

Comes in: a split and a model. Each face is put into a larger picture, found by our own detector and cut by
our own crop code: once with room around it (padded), once in a frame of 320 x 180, 60 px tall, after VP8.
Goes out: accuracy on FER-2013's own crops and on these, over the pictures whose face was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from tqdm import tqdm

from inference.arrays import Floats, Image, Labels
from inference.crops import crop_faces
from inference.detector import FaceDetector
from inference.emotions import CROP_PX, EMOTIONS
from training.augment import to_floats
from training.dataset import load
from training.evaluate import Predict, exported_predict
from training.scenes import FRAME, central, scene, watching

FACE_PX: Final = 60
"""Height of a face's box in it."""

PADDED: Final = (192, 192)
"""Width and height of the padded picture, twice that of the face's picture in it."""

BOX_SHARE: Final = 41.1 / CROP_PX
"""Side of BlazeFace's box in a picture of FER-2013, as measured on it (docs/decisions.md)."""

_KBIT: Final = 150
_FRAMES_EACH: Final = 4
"""A camera shows a face for a while: the last of so many frames is read."""


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """One way of getting at faces against FER-2013's own crops, on the pictures whose face was found.

    Attributes:
        way: ``padded`` or ``vp8``.
        images: Pictures tried.
        found: Share of them whose face was found.
        own_accuracy: Accuracy on their own crops.
        live_accuracy: Accuracy on the crops cut this way.
    """

    way: str
    images: int
    found: float
    own_accuracy: float | None
    live_accuracy: float | None

    @property
    def lost_points(self) -> float | None:
        """Percentage points of accuracy lost."""
        if self.own_accuracy is None or self.live_accuracy is None:
            return None
        return 100 * (self.own_accuracy - self.live_accuracy)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON types."""
        shares = {"own_accuracy": self.own_accuracy, "live_accuracy": self.live_accuracy}
        lost = self.lost_points
        return {
            "way": self.way,
            "images": self.images,
            "found": round(self.found, 4),
            **{name: None if share is None else round(share, 4) for name, share in shares.items()},
            "lost_points": None if lost is None else round(lost, 2),
        }


def measure_live(
    data: Path, split: str, model: Path | None = None, limit: int | None = None, seed: int = 1
) -> tuple[LiveFigures, LiveFigures]:
    """Measure both ways: (padded, vp8).

    Args:
        data: Data set, in a layout of ``training.dataset``.
        split: Its split.
        model: ``.tflite`` with its card; None for the shipped one.
        limit: So many pictures only, picked by the seed.
        seed: Of that choice.

    Raises:
        DatasetError: the data cannot be read or lacks the split.
        ModelError: a model is missing, damaged or not the one of its card.
    """
    pictures = load(data, split)
    if limit is not None:
        pictures = pictures.part(np.random.default_rng(seed).permutation(len(pictures))[:limit])
    predict = exported_predict(model)
    detector = watching()
    own = predict(to_floats(pictures.images)).argmax(axis=1)
    padded_scenes = [scene(image, PADDED, PADDED[0] // 2) for image in pictures.images]
    scenes = [scene(image, FRAME, round(FACE_PX / BOX_SHARE)) for image in pictures.images]
    with tqdm(total=2 * len(scenes), unit="img", leave=False, disable=None) as progress:
        padded = _figures("padded", padded_scenes, own, pictures.labels, predict, detector, progress)
        vp8 = _figures("vp8", through_vp8(scenes), own, pictures.labels, predict, detector, progress)
    return padded, vp8


def through_vp8(scenes: list[Image]) -> Iterator[Image]:
    """Each frame as a receiver sees it, after VP8 in real time at 150 kbit/s and 15 frames a second."""
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height = FRAME
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 15)
    encoder.bit_rate = 1000 * _KBIT
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"}
    decoder: Any = av.CodecContext.create("vp8", "r")
    number = 0
    for picture in scenes:
        seen = picture
        for _ in range(_FRAMES_EACH):
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pts, number = number, number + 1
            for packet in encoder.encode(frame):
                for decoded in decoder.decode(packet):
                    seen = np.asarray(decoded.to_ndarray(format="gray"), np.uint8)
        yield seen


def text(figures: tuple[LiveFigures, ...]) -> str:
    """The figures as plain text."""
    lines = [f"{'':<10}{'faces found':>14}{'own crops':>12}{'cut live':>12}{'points lost':>14}"]
    for one in figures:
        cells = [
            "-" if share is None else f"{100 * share:.2f} %"
            for share in (one.own_accuracy, one.live_accuracy)
        ]
        lost = "-" if one.lost_points is None else f"{one.lost_points:.2f}"
        lines.append(
            f"{one.way:<10}{f'{100 * one.found:.2f} %':>14}{cells[0]:>12}{cells[1]:>12}{lost:>14}"
            f"   ({one.images} images)"
        )
    return "\n".join(lines)


def _figures(
    way: str,
    scenes: list[Image] | Iterator[Image],
    own: Labels,
    labels: Labels,
    predict: Predict,
    detector: FaceDetector,
    progress: Any,
) -> LiveFigures:
    rows: list[int] = []
    crops: list[Floats] = [np.zeros((0, CROP_PX, CROP_PX, 1), np.float32)]
    for row, picture in enumerate(scenes):
        faces = central(detector.detect(picture), picture.shape[1])
        if len(faces):
            rows.append(row)
            crops.append(crop_faces(picture, faces))
        progress.update()
    answers = [np.zeros((0, len(EMOTIONS)), np.float32)]
    stacked = np.concatenate(crops)
    answers += [predict(stacked[start : start + 64]) for start in range(0, len(stacked), 64)]
    live = np.concatenate(answers).argmax(axis=1)
    return LiveFigures(
        way=way,
        images=len(labels),
        found=len(rows) / len(labels),
        own_accuracy=float((own[rows] == labels[rows]).mean()) if rows else None,
        live_accuracy=float((live == labels[rows]).mean()) if rows else None,
    )
