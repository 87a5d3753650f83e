"""Detects faces in stills that lie on their side or stand on their head, without saying so.

The landmarks of a face that lies on its side are turned by more than 60 degrees. Those of a face that stands
on its head are not: the detector takes it for an upright one, with a lower score. So a still is also looked
at turned, and counted as turned if that finds clearly more.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bot.frames import upright
from inference.arrays import Floats, Image
from inference.detector import FaceDetector, Faces

_LARGEST_ROLL_DEGREES: Final = 60
_CLEARLY_MORE: Final = 1.1
"""Ratio of the sums of scores. Of 68 upright frames of two clips, none had a higher sum upside down."""


def detect_turned(detector: FaceDetector, image: Image) -> tuple[int, Faces]:
    """Detect the faces in a still of unknown orientation.

    Args:
        detector: Detects upright faces.
        image: (height, width).

    Returns:
        Quarter turns clockwise that set the image upright, and the faces in the image turned by them.
    """
    best_turns, best = 0, detector.detect(image)
    rolls = roll_degrees(best)
    turns = [2]
    if (rolls > _LARGEST_ROLL_DEGREES).any():
        turns.append(3)
    if (rolls < -_LARGEST_ROLL_DEGREES).any():
        turns.append(1)
    for candidate in turns:
        found = detector.detect(upright(image, candidate))
        if found.scores.sum() > _CLEARLY_MORE * best.scores.sum() or (
            candidate != 2 and len(found) >= len(best) and (abs(roll_degrees(found)) < 45).all()
        ):
            best_turns, best = candidate, found
    return best_turns, best


def roll_degrees(faces: Faces) -> Floats:
    """(N,) angle of the line from the right eye to the left one; 0 is upright, positive is clockwise."""
    line = faces.landmarks[:, 1] - faces.landmarks[:, 0]
    return np.asarray(np.degrees(np.arctan2(line[:, 1], line[:, 0])), np.float32)


def turn_back(faces: Faces, turns: int, size: tuple[int, int]) -> Faces:
    """Faces of a turned image, in the coordinates of the image before it was turned.

    Args:
        faces: Faces in the turned image.
        turns: Quarter turns clockwise by which it was turned.
        size: Width and height of the image before.
    """
    width, height = size
    corners = faces.boxes.reshape(-1, 2, 2)
    landmarks = faces.landmarks
    if turns == 1:  # x became height - y, y became x
        corners, landmarks = (
            np.stack([points[..., 1], height - points[..., 0]], axis=-1) for points in (corners, landmarks)
        )
    elif turns == 2:
        far = np.array(size, np.float32)
        corners, landmarks = far - corners, far - landmarks
    elif turns == 3:
        corners, landmarks = (
            np.stack([width - points[..., 1], points[..., 0]], axis=-1) for points in (corners, landmarks)
        )
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Faces(boxes.astype(np.float32), faces.scores, landmarks.astype(np.float32), faces.sides)
