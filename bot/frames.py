"""Decoded video frames, and their upright grayscale image (luma).

``luma`` is called only for the few frames that are analysed, so that other frames are never converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import av
import cv2
import numpy as np

from inference.arrays import Image

_ROTATIONS: Final = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}
_FORMATS_WITH_LUMA_FIRST: Final = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "nv12", "gray"}
)


class Undecodable(Exception):
    """Video arrives, but cannot be decoded."""


@dataclass(frozen=True, slots=True, eq=False)
class RawFrame:
    """A decoded frame, or the sign that frames arrive but cannot be decoded.

    Attributes:
        at_s: Time of arrival, seconds of the monotonic clock.
        av_frame: The decoder's frame; its planes are not copied. None if it could not be decoded: it is too
            large, or encrypted end to end.
        rotation: Quarter turns clockwise that set the frame upright. A phone held upright sends its frames
            rotated.
    """

    at_s: float
    av_frame: av.VideoFrame | None
    rotation: int = 0

    def luma(self) -> Image:
        """The Y plane set upright, (height, width), 0..255.

        It is a view of the decoder's memory if the format has a Y plane and the rotation is 0, else a copy.

        Raises:
            Undecodable: there is no decoded frame.
        """
        frame = self.av_frame
        if frame is None:
            raise Undecodable
        if frame.format.name not in _FORMATS_WITH_LUMA_FIRST:
            frame = frame.reformat(format="gray")
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        return upright(rows[:, : plane.width], self.rotation)  # a row is padded to line_size bytes


def rotation_of(frame: av.VideoFrame) -> int:
    """Quarter turns clockwise, 0..3, that set a frame upright, by the file's display matrix."""
    return round(-frame.rotation / 90) % 4  # PyAV gives degrees counterclockwise


def upright(image: Image, rotation: int) -> Image:
    """Rotate an image; with rotation 0 the same array is returned, else a copy.

    Args:
        image: (height, width) or (height, width, channels).
        rotation: Quarter turns clockwise, 0..3.
    """
    return np.asarray(cv2.rotate(image, _ROTATIONS[rotation]), np.uint8) if rotation else image
