"""Places images of FER-2013 in larger frames, as in a video call, for our own face detector."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.arrays import Image
from inference.detector import NO_FACES, BlazeFace, FaceDetector, Faces
from inference.tiling import TiledDetector

FRAME_SIZE: Final = (320, 180)
"""Width and height of a call's small video layer, pixels."""


def call_detector() -> FaceDetector:
    """The detector of a live call with default settings: tiles only where the whole frame shows no face."""
    return TiledDetector(BlazeFace(), (1.0,), only_if_empty=True)


def place_in_frame(image: Image, frame_size: tuple[int, int], side_px: int) -> Image:
    """Place an image of FER-2013 in the centre of a larger frame.

    The rest of the frame continues the edges of the image, blurred: a hard border around a face does not
    occur in a call.

    Args:
        image: (48, 48).
        frame_size: Width and height of the frame, pixels.
        side_px: Side that the image is scaled to, pixels.
    """
    width, height = frame_size
    left, top = (width - side_px) // 2, (height - side_px) // 2
    scaled = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    frame = cv2.copyMakeBorder(
        scaled, top, height - side_px - top, left, width - side_px - left, cv2.BORDER_REPLICATE
    )
    frame = cv2.GaussianBlur(frame, (0, 0), 6)
    frame[top : top + side_px, left : left + side_px] = scaled
    return np.asarray(frame, np.uint8)


def most_central_face(faces: Faces, width: int) -> Faces:
    """The face nearest to the vertical centre line of a frame of this width, or no face."""
    if not len(faces):
        return NO_FACES
    centres_x = (faces.boxes[:, 0] + faces.boxes[:, 2]) / 2
    nearest = [int(np.abs(centres_x - width / 2).argmin())]
    return Faces(faces.boxes[nearest], faces.scores[nearest], faces.landmarks[nearest], faces.sides[nearest])
