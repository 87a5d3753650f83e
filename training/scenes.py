"""Pictures of FER-2013 as a call shows them: inside a larger frame, to be found by our own detector."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.arrays import Image
from inference.detector import NO_FACES, BlazeFace, FaceDetector, Faces
from inference.tiling import TiledDetector

FRAME: Final = (320, 180)
"""Width and height of the small layer of a call, pixels."""


def watching() -> FaceDetector:
    """The detector as a call is watched by default: squares of the frame where the whole shows nobody."""
    return TiledDetector(BlazeFace(), (1.0,), only_if_empty=True)


def scene(image: Image, size: tuple[int, int], side: int) -> Image:
    """A picture of FER-2013 in the middle of a larger one.

    Around it is a blurred continuation of its edges, for a hard frame is no face's surroundings.

    Args:
        image: (48, 48).
        size: Width and height of the larger picture, pixels.
        side: What ``image`` is scaled to, pixels.
    """
    width, height = size
    left, top = (width - side) // 2, (height - side) // 2
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    whole = cv2.copyMakeBorder(
        large, top, height - side - top, left, width - side - left, cv2.BORDER_REPLICATE
    )
    whole = cv2.GaussianBlur(whole, (0, 0), 6)
    whole[top : top + side, left : left + side] = large
    return np.asarray(whole, np.uint8)


def central(faces: Faces, width: int) -> Faces:
    """The face nearest to the middle of a picture of a width, or none."""
    if not len(faces):
        return NO_FACES
    middles = (faces.boxes[:, 0] + faces.boxes[:, 2]) / 2
    nearest = [int(np.abs(middles - width / 2).argmin())]
    return Faces(faces.boxes[nearest], faces.scores[nearest], faces.landmarks[nearest], faces.sides[nearest])
