"""Crops faces the way FER-2013's images are framed, for the classifier.

FER-2013 was framed by another detector than BlazeFace. The best crop from BlazeFace's results is a square
with 1.17 times the side of the box. Its centre is the midpoint of the eyes, moved down by 0.11 of the
square's side. Tilted heads are not set upright. Accuracy with these crops was 0.2 points below FER-2013's
own; with BlazeFace's boxes as crops it was 3.4 points below (docs/decisions.md).
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
"""Distance of the crop's centre below the midpoint of the eyes, in sides of the crop."""


def crop_faces(image: Image, faces: Faces) -> Floats:
    """Crop every face.

    Args:
        image: (height, width), 0..255.
        faces: Faces detected in the image.

    Returns:
        (N, 48, 48, 1), 0..1; where a crop reaches beyond the image, its edge pixels are repeated.
    """
    out = np.empty((len(faces), CROP_PX, CROP_PX, 1), np.float32)
    for index, (x, y, side) in enumerate(crop_squares(faces).tolist()):
        out[index, :, :, 0] = _crop(image, x, y, side)
    out /= np.float32(255.0)
    return out


def crop_squares(faces: Faces) -> Floats:
    """The square around each face.

    Returns:
        (N, 3): x and y of the square's centre, and its side, in pixels of the image.
    """
    sides = faces.sides * np.float32(SIDE_RATIO)
    centres = faces.landmarks[:, :2].mean(axis=1)
    return np.stack([centres[:, 0], centres[:, 1] + np.float32(DROP_RATIO) * sides, sides], axis=1)


def _crop(image: Image, x: float, y: float, side: float) -> Image:
    """The square of this side around (x, y), resized to 48 x 48."""
    side_px = max(1, round(side))
    left, top = round(x - side / 2), round(y - side / 2)
    height, width = image.shape
    if left >= 0 and top >= 0 and left + side_px <= width and top + side_px <= height:
        crop = image[top : top + side_px, left : left + side_px]
    else:
        columns = np.arange(left, left + side_px).clip(0, width - 1)
        rows = np.arange(top, top + side_px).clip(0, height - 1)
        crop = image[np.ix_(rows, columns)]
    # INTER_AREA averages pixels, so shrinking causes no aliasing.
    interpolation = cv2.INTER_AREA if side_px > CROP_PX else cv2.INTER_LINEAR
    resized = cv2.resize(crop, (CROP_PX, CROP_PX), interpolation=interpolation)
    return np.asarray(resized, np.uint8)
