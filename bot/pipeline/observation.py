"""What one sampled frame of one participant showed. An observation never leaves the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.tracks import Sight
from inference.arrays import Floats, Image
from inference.batcher import FaceAnalysis
from inference.facing import faces_screen
from reports.summary.windows import NotAnalysed

_MAX_BLACK_LUMA: Final = 40
"""Largest luma value in a black frame: video black is 16, and codecs add a little noise."""


_MAX_DARK_LUMA: Final = 50
"""Largest mean luma value of an image that is too dark for a face to be found."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """The result of one sample.

    Attributes:
        participant_id: The owner of the camera.
        at_s: When the frame arrived, seconds since the class began.
        faces: How many faces were detected.
        probs: (7,) probabilities of the largest face; None if it was not classified.
        reason: Why it was not classified; None if it was.
        facing: Whether that face is turned to the screen; None if it was not classified or is too small to
            judge.
    """

    participant_id: str
    at_s: float
    faces: int
    probs: Floats | None
    reason: NotAnalysed | None
    facing: bool | None = None


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What a face needs to be analysed.

    Attributes:
        min_face_px: Least side of the detected face, pixels.
        min_confidence: Least probability of the strongest expression, 0..1.
    """

    min_face_px: int
    min_confidence: float


def is_black(luma: Image) -> bool:
    """Whether a (height, width) image is black, as a disabled camera sends it."""
    return not luma.size or int(luma[::8, ::8].max()) <= _MAX_BLACK_LUMA


def observe_black(participant_id: str, at_s: float) -> Observation:
    """The observation of a black frame: the camera counts as off."""
    return Observation(participant_id, at_s, 0, None, NotAnalysed.CAMERA_OFF)


def observe(participant_id: str, at_s: float, reading: FaceAnalysis, limits: ReadingLimits) -> Observation:
    """The observation of a frame from its analysis. Of several faces the largest one counts."""
    count = len(reading.faces)
    if not count:
        return Observation(participant_id, at_s, 0, None, NotAnalysed.NO_FACE)
    largest = int(np.argmax(reading.faces.sides))
    if reading.faces.sides[largest] < limits.min_face_px:
        return Observation(participant_id, at_s, count, None, NotAnalysed.TOO_SMALL)
    probs = reading.probs[largest]
    if probs.max() < limits.min_confidence:
        return Observation(participant_id, at_s, count, None, NotAnalysed.LOW_CONFIDENCE)
    facing = faces_screen(reading.faces.landmarks[largest], float(reading.faces.sides[largest]))
    return Observation(participant_id, at_s, count, probs, None, facing)


def sight_of(observation: Observation, luma: Image) -> Sight:
    """What the owner of the camera is told about a frame; ``luma`` is its (height, width) image."""
    if observation.reason is NotAnalysed.TOO_SMALL:
        return Sight.TOO_SMALL
    if observation.faces:
        return Sight.FINE
    return Sight.TOO_DARK if luma[::8, ::8].mean() <= _MAX_DARK_LUMA else Sight.NO_FACE
