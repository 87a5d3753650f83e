"""Measures how our own face detector frames the faces of a data set, so that training can imitate it.

A framing is the size and position of the crop in an image of FER-2013, which was framed by another
detector. Over its images the side of our crop is 0.98 to 1.01 of FER-2013's on average, with a standard
deviation of 0.18, and its centre deviates by 3 px of 48. In a call, this difference, not VP8, costs the
accuracy of a network that was trained on FER-2013's framing alone (docs/model.md).
"""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from inference.arrays import Floats, Image
from inference.crops import crop_squares
from inference.emotions import CROP_PX
from training.synthetic_frames import FRAME_SIZE, call_detector, most_central_face, place_in_frame

_SIDES_PX = (56, 150)
"""Smallest and largest side that an image is scaled to in the frame: faces of about 50 to 130 px."""


def detector_framings(images: Image, seed: int) -> Floats:
    """Place every image in a video frame, detect the face and measure the crop.

    Args:
        images: (N, 48, 48).
        seed: Seed of the sizes in the frame.

    Returns:
        (N, 3): the crop's side in sides of the image, and the offset of its centre from the image's centre,
        pixels of 48, right and down. (1, 0, 0), the unchanged image, where no face was detected.
    """
    detector = call_detector()
    width, height = FRAME_SIZE
    sides = np.random.default_rng(seed).integers(_SIDES_PX[0], _SIDES_PX[1] + 1, len(images))
    framings = np.tile(np.array([1, 0, 0], np.float32), (len(images), 1))
    for index, image in enumerate(tqdm(images, "framing", unit="img", leave=False, disable=None)):
        side = int(sides[index])
        faces = detector.detect(place_in_frame(image, FRAME_SIZE, side))
        for x, y, crop_side in crop_squares(most_central_face(faces, width)):
            scale = CROP_PX / side
            framings[index] = crop_side / side, (x - width / 2) * scale, (y - height / 2) * scale
    return framings
