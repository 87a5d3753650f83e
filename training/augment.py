"""Cheap augmentation for live use: what a webcam, a crop and a codec do to a face.

Comes in: (N, 48, 48) pictures. Goes out: (N, 48, 48, 1) floats in 0..1. OpenCV affine warps, no
TensorFlow operations: rotation and zoom as Keras layers double the time of an epoch on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inference.arrays import Floats, Image
from inference.emotions import CROP_PX


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far a picture may be changed; every draw is uniform within its range.

    Attributes:
        scale: Smallest and largest zoom.
        shift_px: Largest shift along each axis, pixels of 48.
        tilt_deg: Largest roll, degrees.
        gamma: Smallest and largest exponent of exposure.
        thumbnail_share: Share of pictures passed through a smaller size, as a far-off face is.
        thumbnail_px: Smallest such size.
        codec_share: Share of pictures blurred, and, drawn by itself, share packed as a poor codec does it.
        erase_share: Share of pictures with a gray rectangle laid over, as a hand or a frame's edge does it
            (random erasing, Zhong et al. 2020).
        framed_share: Share of pictures framed first as our own detector frames them, where that is known.
    """

    scale: tuple[float, float] = (0.87, 1.18)
    shift_px: float = 4.0
    tilt_deg: float = 15.0
    gamma: tuple[float, float] = (0.7, 1.4)
    thumbnail_share: float = 0.2
    thumbnail_px: int = 24
    codec_share: float = 0.0
    erase_share: float = 0.0
    framed_share: float = 0.0

    def eased(self, share: float) -> Ranges:
        """The same, but going only so far (0: not at all, 1: all the way).

        The thumbnails' size and the share framed as in a call stay: they are no exaggeration.
        """
        return Ranges(
            scale=(1 + share * (self.scale[0] - 1), 1 + share * (self.scale[1] - 1)),
            shift_px=share * self.shift_px,
            tilt_deg=share * self.tilt_deg,
            gamma=(1 + share * (self.gamma[0] - 1), 1 + share * (self.gamma[1] - 1)),
            thumbnail_share=share * self.thumbnail_share,
            thumbnail_px=self.thumbnail_px,
            codec_share=share * self.codec_share,
            erase_share=share * self.erase_share,
            framed_share=self.framed_share,
        )


def to_floats(images: Image) -> Floats:
    """Pictures as the CNN takes them: (N, 48, 48) 0..255 to (N, 48, 48, 1) 0..1."""
    return (images.astype(np.float32) / np.float32(255.0))[..., np.newaxis]


def augment(
    images: Image, rng: np.random.Generator, ranges: Ranges, framings: Floats | None = None
) -> Floats:
    """Change every picture at random.

    The same source of randomness gives the same changes, less those whose share is lower.

    Args:
        images: (N, 48, 48).
        rng: Source of randomness.
        ranges: How far to go.
        framings: (N, 3) as ``training.framing`` gives them; without them none is framed so.

    Returns:
        (N, 48, 48, 1), 0..1.
    """
    count = len(images)
    out = np.empty((count, CROP_PX, CROP_PX), np.uint8)
    scale = rng.uniform(*ranges.scale, count)
    angle = np.deg2rad(rng.uniform(-ranges.tilt_deg, ranges.tilt_deg, count))
    shift = rng.uniform(-ranges.shift_px, ranges.shift_px, (count, 2))
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    small = rng.random(count) < ranges.thumbnail_share
    small_px = rng.integers(ranges.thumbnail_px, CROP_PX, count)
    gamma = rng.uniform(*ranges.gamma, count)
    # Drawn last, so that without a codec or erasing the other draws are what they were.
    blurred, blocked = (rng.random((2, count)) < ranges.codec_share).tolist()
    sigma, quality = rng.uniform(0.4, 1.2, count), rng.integers(12, 50, count)
    erased = (rng.random(count) < ranges.erase_share).tolist()
    extent_px, middle_px = rng.integers(6, 25, (count, 2)), rng.integers(0, CROP_PX, (count, 2))
    gray = rng.integers(0, 256, count)
    # What is shown is a `part` of the picture around `middle`: all of it, or what our detector would cut.
    part, middle = np.ones(count), np.zeros((count, 2))
    framed = rng.random(count) < ranges.framed_share
    if framings is not None:
        part[framed], middle[framed] = framings[framed, 0], framings[framed, 1:]
    centre = (CROP_PX - 1) / 2
    levels = np.arange(256) / 255.0
    cos, sin = scale / part * np.cos(angle), scale / part * np.sin(angle)
    middle += centre
    for index, image in enumerate(images):
        a, b = cos[index] * mirror[index], -sin[index]
        c, d = sin[index] * mirror[index], cos[index]
        matrix = np.array(
            [
                [a, b, centre - a * middle[index, 0] - b * middle[index, 1] + shift[index, 0]],
                [c, d, centre - c * middle[index, 0] - d * middle[index, 1] + shift[index, 1]],
            ]
        )
        warped = cv2.warpAffine(
            image, matrix, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if small[index]:
            side = int(small_px[index])
            warped = cv2.resize(
                cv2.resize(warped, (side, side), interpolation=cv2.INTER_AREA), (CROP_PX, CROP_PX)
            )
        if blurred[index]:
            warped = cv2.GaussianBlur(warped, (0, 0), float(sigma[index]))
        if blocked[index]:
            warped = _packed(np.asarray(warped, np.uint8), int(quality[index]))
        out[index] = cv2.LUT(warped, (levels ** gamma[index] * 255).astype(np.uint8))
        if erased[index]:
            first = np.maximum(middle_px[index] - extent_px[index] // 2, 0)
            last = first + extent_px[index]
            out[index, first[1] : last[1], first[0] : last[0]] = gray[index]
    return to_floats(out)


def _packed(image: Image, quality: int) -> Image:
    """Through JPEG: blocks and ringing much like VP8's, far cheaper than encoding video."""
    _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
