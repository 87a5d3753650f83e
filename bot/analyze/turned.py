"""Detects faces in stills that lie on their side or stand on their head, without saying so.

The landmarks of a face that lies on its side are turned too, by 40 to 90 degrees. Those of a face that stands
on its head are not: the detector takes it for an upright one, with a lower score. So a still is also looked
at turned, and counts as turned if its faces are clearly more upright then.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bot.frames import upright
from inference.arrays import Floats, Image
from inference.detector import FaceDetector, Faces

_TILTED_DEGREES: Final = 30
"""From this roll on, a face may lie on its side."""

_CLEARLY_MORE: Final = 1.1
"""Least ratio of the evidence for a turned image to that for the image as it is."""

_SURE_SCORE: Final = 0.83
"""Least score of one of the faces in a turned image. Images without a face had false detections of up to 0.66
upside down; of 63 frames with a face, all had a higher score than this once they were upright."""


def detect_turned(detector: FaceDetector, image: Image) -> tuple[int, Faces]:
    """Detect the faces in a still of unknown orientation.

    Args:
        detector: Detects upright faces.
        image: (height, width).

    Returns:
        Quarter turns clockwise that set the image upright, and the faces in the image turned by them.
    """
    unturned = detector.detect(image)
    rolls = roll_degrees(unturned)
    turns = [2]
    if (rolls > _TILTED_DEGREES).any():
        turns.append(3)
    if (rolls < -_TILTED_DEGREES).any():
        turns.append(1)
    found = {candidate: detector.detect(upright(image, candidate)) for candidate in turns}
    best = max(found, key=lambda candidate: _evidence(found[candidate]))
    is_sure = bool((found[best].scores >= _SURE_SCORE).any())
    if is_sure and _evidence(found[best]) > _CLEARLY_MORE * _evidence(unturned):
        return best, found[best]
    return 0, unturned


def _evidence(faces: Faces) -> float:
    """How much speaks for an image being upright: the scores of its faces, less those of tilted ones."""
    return float((faces.scores * np.cos(np.radians(roll_degrees(faces)))).sum())


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
