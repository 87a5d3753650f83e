"""Decides from the detector's landmarks whether a face is turned to the camera.

On a frontal head the tip of the nose is midway between the ears. It is in front of them, so when the head
turns sideways, it moves towards one ear in the image: by ``k tan(yaw)`` times half the distance between the
ears. This ratio is called the turn. It is measured along the line through the ears, so a tilted head still
counts as facing. Looking up or down is not measured, and neither is the direction of the eyes.

docs/model.md, "Facing the screen", lists limits and errors; ``python -m benchmarks facing`` measures them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from inference.arrays import Floats
from inference.detector import LANDMARKS

MAX_TURN: Final = 0.8
"""Largest turn of a face that counts as facing the screen."""

MIN_FACE_PX: Final = 48
"""Smallest side of a face that is judged, pixels: below it, the error of the turn is half of ``MAX_TURN``."""

_NOSE, _RIGHT_EAR, _LEFT_EAR = (LANDMARKS.index(name) for name in ("nose_tip", "right_ear", "left_ear"))
_MIN_EAR_DISTANCE_PX: Final = 1e-3


def turn(landmarks: Floats) -> float:
    """How far a head is turned sideways: 0 if it faces the camera, 1 if the nose tip is in front of an ear.

    Args:
        landmarks: (6, 2) x y in pixels, in the order of ``LANDMARKS``.

    Returns:
        0 or more; infinite if the ears coincide.
    """
    right, left = landmarks[_RIGHT_EAR].astype(np.float64), landmarks[_LEFT_EAR].astype(np.float64)
    ear_line = left - right
    distance = float(np.hypot(ear_line[0], ear_line[1]))
    if not distance > _MIN_EAR_DISTANCE_PX:
        return float("inf")
    offset = landmarks[_NOSE] - (right + left) / 2
    return abs(float(offset @ ear_line)) / distance / (distance / 2)


def faces_screen(landmarks: Floats, side: float) -> bool | None:
    """Whether a face is turned to the camera, and so most likely to the screen near it.

    Args:
        landmarks: (6, 2) x y in pixels, in the order of ``LANDMARKS``.
        side: Side of the face's box, pixels.

    Returns:
        None if the face is too small to judge.
    """
    if side < MIN_FACE_PX:
        return None
    return turn(landmarks) <= MAX_TURN
