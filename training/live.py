"""Measures the accuracy lost between FER-2013's own crops and crops made in a call.

Each image is placed in a larger frame, where our own detector detects the face and our own code crops it:
once with padding only (``padded``), once in a frame of 320 x 180 with a face 60 px tall, after VP8
(``vp8``). Both accuracies are over the images whose face was detected.
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
from training.synthetic_frames import FRAME_SIZE, call_detector, most_central_face, place_in_frame

FACE_PX: Final = 60
"""Height of a face's box in the frame that VP8 encodes."""

PADDED_SIZE: Final = (192, 192)
"""Width and height of the padded frame, twice the size of the image in it."""

BOX_SHARE: Final = 41.1 / CROP_PX
"""Side of BlazeFace's box over the side of an image of FER-2013, measured on it (docs/decisions.md)."""

_KBIT_PER_S: Final = 150
_FRAMES_PER_IMAGE: Final = 4
"""A camera shows a face for more than one frame: each image is sent this often, the last is classified."""


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """Crops made one way compared with FER-2013's own crops of the same faces.

    Attributes:
        way: ``padded`` or ``vp8``.
        images: Number of images tried.
        found: Share of them in which the face was detected.
        own_accuracy: Accuracy on FER-2013's crops of the detected faces.
        live_accuracy: Accuracy on the crops made this way.
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
        split: Split to measure on.
        model: ``.tflite`` with its card; None for the shipped model.
        limit: Measure this many images only, chosen at random.
        seed: Seed of that choice.

    Raises:
        DatasetError: the data cannot be read or lacks the split.
        ModelError: a model is missing, is damaged or does not match its card.
    """
    samples = load(data, split)
    if limit is not None:
        samples = samples.part(np.random.default_rng(seed).permutation(len(samples))[:limit])
    predict = exported_predict(model)
    detector = call_detector()
    own = predict(to_floats(samples.images)).argmax(axis=1)
    padded_frames = [place_in_frame(image, PADDED_SIZE, PADDED_SIZE[0] // 2) for image in samples.images]
    frames = [place_in_frame(image, FRAME_SIZE, round(FACE_PX / BOX_SHARE)) for image in samples.images]
    with tqdm(total=2 * len(frames), unit="img", leave=False, disable=None) as progress:
        padded = _figures("padded", padded_frames, own, samples.labels, predict, detector, progress)
        vp8 = _figures("vp8", through_vp8(frames), own, samples.labels, predict, detector, progress)
    return padded, vp8


def through_vp8(frames: list[Image]) -> Iterator[Image]:
    """Each frame as a receiver gets it, after real-time VP8 at 150 kbit/s and 15 frames a second."""
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height = FRAME_SIZE
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 15)
    encoder.bit_rate = 1000 * _KBIT_PER_S
    # A negative speed is fixed; a positive one adapts to the load of the machine and cannot be repeated.
    encoder.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "error-resilient": "1"}
    decoder: Any = av.CodecContext.create("vp8", "r")
    number = 0
    for frame in frames:
        received = frame
        for _ in range(_FRAMES_PER_IMAGE):
            sent = av.VideoFrame.from_ndarray(frame, format="gray").reformat(format="yuv420p")
            sent.pts, number = number, number + 1
            for packet in encoder.encode(sent):
                for decoded in decoder.decode(packet):
                    received = np.asarray(decoded.to_ndarray(format="gray"), np.uint8)
        yield received


def text(figures: tuple[LiveFigures, ...]) -> str:
    """The figures as plain text."""
    lines = [f"{'':<10}{'faces detected':>16}{'own crops':>12}{'live crops':>12}{'points lost':>14}"]
    for one in figures:
        cells = [
            "-" if share is None else f"{100 * share:.2f} %"
            for share in (one.own_accuracy, one.live_accuracy)
        ]
        lost = "-" if one.lost_points is None else f"{one.lost_points:.2f}"
        lines.append(
            f"{one.way:<10}{f'{100 * one.found:.2f} %':>16}{cells[0]:>12}{cells[1]:>12}{lost:>14}"
            f"   ({one.images} images)"
        )
    return "\n".join(lines)


def _figures(
    way: str,
    frames: list[Image] | Iterator[Image],
    own: Labels,
    labels: Labels,
    predict: Predict,
    detector: FaceDetector,
    progress: Any,
) -> LiveFigures:
    rows: list[int] = []
    crops: list[Floats] = [np.zeros((0, CROP_PX, CROP_PX, 1), np.float32)]
    for row, frame in enumerate(frames):
        faces = most_central_face(detector.detect(frame), frame.shape[1])
        if len(faces):
            rows.append(row)
            crops.append(crop_faces(frame, faces))
        progress.update()
    probs = [np.zeros((0, len(EMOTIONS)), np.float32)]
    stacked = np.concatenate(crops)
    probs += [predict(stacked[start : start + 64]) for start in range(0, len(stacked), 64)]
    live = np.concatenate(probs).argmax(axis=1)
    return LiveFigures(
        way=way,
        images=len(labels),
        found=len(rows) / len(labels),
        own_accuracy=float((own[rows] == labels[rows]).mean()) if rows else None,
        live_accuracy=float((live == labels[rows]).mean()) if rows else None,
    )
