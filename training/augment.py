"""Cheap augmentation that imitates a call: the webcam, the crop of the detector and the video codec.

It uses OpenCV's affine warps and no TensorFlow operations: as Keras layers, rotation and zoom double the
time of an epoch on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inference.arrays import Floats, Image
from inference.emotions import CROP_PX


@dataclass(frozen=True, slots=True)
class Ranges:
    """How strongly images are augmented; every random value is uniform within its range.

    Attributes:
        scale: Smallest and largest zoom.
        shift_px: Largest shift along each axis, pixels of 48.
        tilt_deg: Largest roll, degrees.
        gamma: Smallest and largest exponent of exposure.
        thumbnail_share: Share of images scaled down and up again, like a distant face.
        thumbnail_px: Smallest size they are scaled down to.
        codec_share: Share of images that are blurred, and, drawn independently, share that are compressed as
            by a poor codec.
        erase_share: Share of images with a gray rectangle drawn over them, like a hand or the edge of the
            frame (random erasing, Zhong et al. 2020).
        framed_share: Share of images first cropped the way our own detector crops faces, if framings are
            known.
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
        """Weaker ranges, from 0 (no augmentation) to 1 (unchanged).

        The smallest thumbnail size and the share of framed images stay: both occur in a call as they are, so
        they are not exaggerated.
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
    """The input of the CNN: (N, 48, 48) in 0..255 to (N, 48, 48, 1) in 0..1."""
    return (images.astype(np.float32) / np.float32(255.0))[..., np.newaxis]


def augment(
    images: Image, rng: np.random.Generator, ranges: Ranges, framings: Floats | None = None
) -> Floats:
    """Change every image at random.

    An equal ``rng`` gives equal changes; lowering one share only removes its own changes.

    Args:
        images: (N, 48, 48).
        rng: Source of randomness.
        ranges: How strongly to change the images.
        framings: (N, 3) from ``training.framing``; None to keep FER-2013's framing for all images.

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
    # Drawn last, so that the values above do not depend on codec and erasing.
    blurred, blocked = (rng.random((2, count)) < ranges.codec_share).tolist()
    sigma, quality = rng.uniform(0.4, 1.2, count), rng.integers(12, 50, count)
    erased = (rng.random(count) < ranges.erase_share).tolist()
    extent_px, centre_px = rng.integers(6, 25, (count, 2)), rng.integers(0, CROP_PX, (count, 2))
    gray = rng.integers(0, 256, count)
    # The crop covers a square of side `crop_side` (1: the whole image) around `crop_centre`.
    crop_side, crop_centre = np.ones(count), np.zeros((count, 2))
    framed = rng.random(count) < ranges.framed_share
    if framings is not None:
        crop_side[framed], crop_centre[framed] = framings[framed, 0], framings[framed, 1:]
    centre = (CROP_PX - 1) / 2
    levels = np.arange(256) / 255.0
    cos, sin = scale / crop_side * np.cos(angle), scale / crop_side * np.sin(angle)
    crop_centre += centre
    for index, image in enumerate(images):
        a, b = cos[index] * mirror[index], -sin[index]
        c, d = sin[index] * mirror[index], cos[index]
        matrix = np.array(
            [
                [a, b, centre - a * crop_centre[index, 0] - b * crop_centre[index, 1] + shift[index, 0]],
                [c, d, centre - c * crop_centre[index, 0] - d * crop_centre[index, 1] + shift[index, 1]],
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
            warped = _compressed(np.asarray(warped, np.uint8), int(quality[index]))
        out[index] = cv2.LUT(warped, (levels ** gamma[index] * 255).astype(np.uint8))
        if erased[index]:
            start = np.maximum(centre_px[index] - extent_px[index] // 2, 0)
            end = start + extent_px[index]
            out[index, start[1] : end[1], start[0] : end[0]] = gray[index]
    return to_floats(out)


def _compressed(image: Image, quality: int) -> Image:
    """JPEG compression: blocks and ringing similar to VP8's, far cheaper than encoding video."""
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.uint8)
