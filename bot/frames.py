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
        at_s: Time of arrival, seconds of the monotonic clock; in a film, seconds since its first frame.
        av_frame: The decoder's frame; its planes are not copied. None if it could not be decoded: it is too
            large, or encrypted end to end.
        rotation: Quarter turns clockwise that set the frame upright. A phone held upright sends its frames
            rotated.
        mirrored: Whether left and right are to be swapped after the rotation.
        pixel_aspect: Width of a decoded pixel over its height.
    """

    at_s: float
    av_frame: av.VideoFrame | None
    rotation: int = 0
    mirrored: bool = False
    pixel_aspect: float = 1.0

    def luma(self) -> Image:
        """The Y plane set upright, (height, width), 0..255.

        It is a view of the decoder's memory if the format has a Y plane and the frame is upright with square
        pixels, else a copy.

        Raises:
            Undecodable: there is no decoded frame.
        """
        frame = self._decoded()
        if frame.format.name not in _FORMATS_WITH_LUMA_FIRST:
            frame = frame.reformat(format="gray")
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        return self._as_shown(rows[:, : plane.width])  # a row is padded to line_size bytes

    def color(self) -> Image:
        """A copy of the frame set upright, (height, width, 3) BGR.

        Raises:
            Undecodable: there is no decoded frame.
        """
        return np.array(
            self._as_shown(np.asarray(self._decoded().to_ndarray(format="bgr24"), np.uint8)), np.uint8
        )

    def _decoded(self) -> av.VideoFrame:
        if self.av_frame is None:
            raise Undecodable
        return self.av_frame

    def _as_shown(self, image: Image) -> Image:
        if self.pixel_aspect != 1:
            size = (max(1, round(image.shape[1] * self.pixel_aspect)), image.shape[0])
            image = np.asarray(cv2.resize(image, size), np.uint8)
        return upright(image, self.rotation, self.mirrored)


def upright(image: Image, rotation: int, mirrored: bool = False) -> Image:
    """Set an image upright; returns the same array if nothing is to be done, else a copy.

    Args:
        image: (height, width) or (height, width, channels).
        rotation: Quarter turns clockwise, 0..3.
        mirrored: Whether left and right are to be swapped after the rotation.
    """
    if rotation:
        image = np.asarray(cv2.rotate(image, _ROTATIONS[rotation]), np.uint8)
    return np.asarray(cv2.flip(image, 1), np.uint8) if mirrored else image


def over_white(image: Image) -> Image:
    """A (height, width, 4) BGRA image on white, (height, width, 3) BGR."""
    alpha = image[:, :, 3:].astype(np.uint16)
    return np.asarray((image[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255, np.uint8)
