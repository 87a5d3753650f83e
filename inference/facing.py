"""Whether a face is turned to the camera, from the detector's landmarks alone.

Comes in: six landmarks of a face and the side of its box. Goes out: a turn, or whether the face faces the
screen; None where the face is too small to tell. Pure.

On a frontal head the nose tip lies midway between the ears. A head that turns sideways moves it towards one
ear, because it stands out in front of them: by ``k tan(yaw)`` half ear distances. The turn is that ratio,
measured along the line through the ears, so a tilted head counts as facing. Looking up or down is not
measured, nor where the eyes look.

Limits and what it gets wrong, with figures: docs/model.md, "Facing the screen"; ``python -m benchmarks
facing`` measures them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from inference.arrays import Floats
from inference.detector import LANDMARKS

MAX_TURN: Final = 0.8
"""Greatest turn of a face that faces the screen, in half ear distances."""

MIN_FACE_PX: Final = 48
"""Least side of a face whose landmarks can be trusted, pixels: below, noise is half of ``MAX_TURN``."""

_NOSE, _RIGHT_EAR, _LEFT_EAR = (LANDMARKS.index(name) for name in ("nose_tip", "right_ear", "left_ear"))
_LEAST_EARS_PX: Final = 1e-3


def turn(landmarks: Floats) -> float:
    """How far a head is turned sideways: 0 to the camera, 1 with the nose tip over an ear.

    Args:
        landmarks: (6, 2) x y in pixels, in the order of ``LANDMARKS``.

    Returns:
        0 or more; infinite when the ears coincide.
    """
    right, left = landmarks[_RIGHT_EAR].astype(np.float64), landmarks[_LEFT_EAR].astype(np.float64)
    across = left - right
    apart = float(np.hypot(across[0], across[1]))
    if not apart > _LEAST_EARS_PX:
        return float("inf")
    off = landmarks[_NOSE] - (right + left) / 2
    return abs(float(off @ across)) / apart / (apart / 2)


def faces_screen(landmarks: Floats, side: float) -> bool | None:
    """Whether a face is turned to the camera, and so, most likely, to the screen below or above it.

    Args:
        landmarks: (6, 2) x y in pixels, in the order of ``LANDMARKS``.
        side: Side of the face's box, pixels.

    Returns:
        None when the face is too small for its landmarks to tell.
    """
    if side < MIN_FACE_PX:
        return None
    return turn(landmarks) <= MAX_TURN
