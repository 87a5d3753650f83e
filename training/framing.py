"""How our own detector frames the faces of a data set, for training on what a call will show.

Comes in: (N, 48, 48) pictures. Goes out: (N, 3) framings for ``training.augment``.

FER-2013 was framed by another detector. Over its pictures the side of our crop is 0.98 to 1.01 of FER's on
average but deviates by 0.18, and its middle by 3 px of 48: this, not VP8, is what a network loses in a call
that was trained on FER's framing alone (docs/model.md).
"""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from inference.arrays import Floats, Image
from inference.crops import crop_squares
from inference.emotions import CROP_PX
from training.scenes import FRAME, central, scene, watching

_SIDES_PX = (56, 150)
"""Smallest and largest side a picture is scaled to in the frame: faces of about 50 to 130 px."""


def detector_framings(images: Image, seed: int) -> Floats:
    """Find every face in a frame of a call and say what would be cut.

    Args:
        images: (N, 48, 48).
        seed: Decides how large each is in its frame.

    Returns:
        (N, 3): side of the crop in sides of the picture, and where its middle lies from the picture's, pixels
        of 48, right and down. (1, 0, 0), the picture as it is, where no face was found.
    """
    detector = watching()
    sides = np.random.default_rng(seed).integers(_SIDES_PX[0], _SIDES_PX[1] + 1, len(images))
    out = np.tile(np.array([1, 0, 0], np.float32), (len(images), 1))
    for index, image in enumerate(tqdm(images, "framing", unit="img", leave=False, disable=None)):
        side = int(sides[index])
        for x, y, cut in crop_squares(central(detector.detect(scene(image, FRAME, side)), FRAME[0])):
            out[index] = cut / side, (x - FRAME[0] / 2) * CROP_PX / side, (y - FRAME[1] / 2) * CROP_PX / side
    return out
