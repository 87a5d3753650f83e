"""AVIF images with an orientation of their own and with more than 8 bits."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from bot.media.stills import read_images
from inference.arrays import Image

SHOWN = {  # by the orientation of EXIF, which the encoder also writes as ``irot`` and ``imir``
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image),
}


def exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def quarters(channels: int = 3) -> Image:
    """(32, 64, channels): four colours, opaque."""
    image = np.full((32, 64, channels), 255, np.uint8)
    image[:16, :32, :3], image[:16, 32:, :3], image[16:, :32, :3] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return image


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("channels", [3, 4])
def test_the_orientation_of_an_avif_is_its_own_and_not_that_of_its_exif_data(
    orientation: int, channels: int, tmp_path: Path
) -> None:
    """As viewers do, and as ISO/IEC 23008-12 says: converters often leave an old EXIF orientation behind."""
    kinds, blocks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif(orientation), np.uint8)]
    _, content = cv2.imencodeWithMetadata(".avif", quarters(channels), kinds, blocks)
    (tmp_path / "a.avif").write_bytes(content.tobytes().replace(exif(orientation), exif(1)))
    ((_, shown),) = read_images(tmp_path / "a.avif")
    right = SHOWN[orientation](quarters())
    assert shown.shape == right.shape
    assert np.median(np.abs(shown.astype(int) - right)) < 8


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [3, 4])
def test_an_avif_with_more_bits_is_as_bright_as_with_eight(bits: int, channels: int, tmp_path: Path) -> None:
    image = np.full((32, 64, channels), 1 << (bits - 1), np.uint16)
    image[:, :, 3:] = (1 << bits) - 1
    _, content = cv2.imencode(".avif", image, [cv2.IMWRITE_AVIF_DEPTH, bits])
    (tmp_path / "a.avif").write_bytes(content.tobytes())
    ((_, shown),) = read_images(tmp_path / "a.avif")
    assert abs(int(np.median(shown)) - 128) < 4
