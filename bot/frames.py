"""One decoded video frame and the grayscale picture inside it.

Comes from: a receiver or a file. Goes to: the sampler, which asks for the luma of the few frames it
keeps; frames that are dropped cost no conversion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import av
import cv2
import numpy as np

from inference.arrays import Image

_TURNS: Final = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}
_LUMA_FIRST: Final = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "nv12", "gray"})


@dataclass(frozen=True, slots=True, eq=False)
class RawFrame:
    """A decoded frame.

    Attributes:
        at_s: When it arrived, seconds of the monotonic clock.
        picture: As the decoder gave it; its planes are not copied.
        turns: Quarter turns clockwise that set it upright: a telephone held upright sends it lying.
    """

    at_s: float
    picture: av.VideoFrame
    turns: int = 0

    def luma(self) -> Image:
        """The Y plane upright, (height, width), 0..255; a view where the format has one, else converted."""
        picture = self.picture
        if picture.format.name not in _LUMA_FIRST:
            picture = picture.reformat(format="gray")
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        return upright(rows[:, : plane.width], self.turns)


def turns_of(picture: av.VideoFrame) -> int:
    """Quarter turns clockwise that a file asks for to show its pictures upright."""
    return round(-picture.rotation / 90) % 4


def upright(pixels: Image, turns: int) -> Image:
    """A picture turned: the same one for no turns, else a copy.

    Args:
        pixels: (height, width) or (height, width, channels).
        turns: Quarter turns clockwise, 0..3.
    """
    return np.asarray(cv2.rotate(pixels, _TURNS[turns]), np.uint8) if turns else pixels
