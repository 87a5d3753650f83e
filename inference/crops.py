"""Cutting faces out as FER-2013 frames them.

Comes in: a grayscale picture and its ``Faces``. Goes out: (N, 48, 48, 1) floats for the classifier.

FER-2013 was framed by another detector. Measured on it, the best crop from BlazeFace is a square of
1.17 x the box, centred on the eyes' midpoint moved down by 0.11 of its side, not rolled upright: 0.2
points below FER's own crops, where the bare box costs 3.4 (docs/decisions.md).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.arrays import Floats, Image
from inference.detector import Faces
from inference.emotions import CROP_PX

SIDE_RATIO: Final = 1.17
"""Side of the crop over the side of the detector's box."""

DROP_RATIO: Final = 0.11
"""How far below the eyes' midpoint the crop is centred, in sides of the crop."""


def crop_faces(image: Image, faces: Faces) -> Floats:
    """Cut every face out.

    Args:
        image: (height, width), 0..255.
        faces: Faces of that picture.

    Returns:
        (N, 48, 48, 1), 0..1; beyond the picture its border is repeated.
    """
    out = np.empty((len(faces), CROP_PX, CROP_PX, 1), np.float32)
    for index, (x, y, side) in enumerate(crop_squares(faces).tolist()):
        out[index, :, :, 0] = _cut(image, x, y, side)
    out /= np.float32(255.0)
    return out


def crop_squares(faces: Faces) -> Floats:
    """Where each face is cut out.

    Returns:
        (N, 3): the square's middle (x, y) and its side, pixels of the picture.
    """
    sides = faces.sides * np.float32(SIDE_RATIO)
    middles = faces.landmarks[:, :2].mean(axis=1)
    return np.stack([middles[:, 0], middles[:, 1] + np.float32(DROP_RATIO) * sides, sides], axis=1)


def _cut(image: Image, x: float, y: float, side: float) -> Image:
    """The square of a side around a point, resized to 48 x 48; shrinking averages, so no aliasing."""
    whole = max(1, round(side))
    left, top = round(x - side / 2), round(y - side / 2)
    height, width = image.shape
    if left >= 0 and top >= 0 and left + whole <= width and top + whole <= height:
        cut = image[top : top + whole, left : left + whole]
    else:
        columns = np.arange(left, left + whole).clip(0, width - 1)
        rows = np.arange(top, top + whole).clip(0, height - 1)
        cut = image[np.ix_(rows, columns)]
    shrinks = whole > CROP_PX
    resized = cv2.resize(
        cut, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return np.asarray(resized, np.uint8)
