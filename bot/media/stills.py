"""Images as a viewer shows them: upright, on white where they are transparent, animations frame by frame."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from bot.frames import over_white, upright
from bot.media import avif
from bot.media.kinds import ANIMATED, PAGED, MediaError
from inference.arrays import Image

MAX_FILE_BYTES: Final = 200_000_000
"""Largest image file; the whole file is read into memory."""

MAX_TOTAL_PIXELS: Final = 500_000_000
"""Pixels of all images of a file together; they are in memory at the same time."""

_CHUNK: Final = 32  # images decoded at once, so that a file with too many is noticed early

# EXIF orientation: quarter turns clockwise, and whether left and right are swapped after them.
_ORIENTATIONS: Final = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (1, True),
    6: (1, False),
    7: (3, True),
    8: (3, False),
}
_ORIENTATION_TAG: Final = 0x0112


def read_images(path: Path) -> list[tuple[float, Image]]:
    """The images of a file as a viewer shows them.

    Args:
        path: An image, an animation or a file with several pages.

    Returns:
        For each image its time in seconds, 0 for pages, and its pixels, (height, width, 3) BGR.

    Raises:
        MediaError: the file cannot be read.
    """
    content = _read_file(path)
    suffix = path.suffix.lower()
    try:
        images = _read_animation(path, content) if suffix in ANIMATED else []
        if suffix in PAGED:
            pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED)[1] if content.size else ()
            images = [(0.0, _flat(np.asarray(page), 16)) for page in pages]
        if len(images) < 2:  # the other functions apply no orientation
            image = _read_image(content)
            images = [] if image is None else [(0.0, image)]
    except (cv2.error, ValueError):  # for example more pixels than the limit in bot/__init__.py
        images = []
    if not images:
        raise MediaError(f"{path} cannot be read as an image: check the file, or make it smaller")
    return images


def _read_file(path: Path) -> Image:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise MediaError(f"{path} is too large: give an image file of at most 200 MB")
        return np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as exc:
        raise MediaError(f"make {path} readable: it cannot be read ({exc.strerror})") from exc


def _read_animation(path: Path, content: Image) -> list[tuple[float, Image]]:
    images: list[tuple[float, Image]] = []
    at_ms = pixels = 0
    bits, turns, mirrored = _avif_properties(content)
    while content.size:
        read, animation = cv2.imdecodeanimation(content, start=len(images), count=_CHUNK)
        if not read:
            break
        for image, duration_ms in zip(animation.frames, animation.durations, strict=True):
            images.append((at_ms / 1000, upright(_flat(np.asarray(image), bits), turns, mirrored)))
            at_ms += max(1, int(duration_ms))
            pixels += image.shape[0] * image.shape[1]
        if pixels > MAX_TOTAL_PIXELS:
            raise MediaError(f"convert {path} to .mp4 first: it has too many images for one file")
        if len(animation.frames) < _CHUNK:
            break
    return images


def _read_image(content: Image) -> Image | None:
    if not content.size:
        return None
    flags = cv2.IMREAD_COLOR  # sets the image upright by its EXIF orientation
    if not _is_jpeg(content):  # which has no transparency
        plain = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
        if plain is None:
            return None
        bits, turns, mirrored = _avif_properties(content)
        if plain.ndim == 3 and plain.shape[2] == 4:
            if not _is_avif(content):
                turns, mirrored = _ORIENTATIONS.get(_exif_orientation(content), (0, False))
            return upright(_flat(np.asarray(plain), bits), turns, mirrored)
        if _is_avif(content):  # its EXIF orientation does not count
            colored = cv2.imdecode(content, flags | cv2.IMREAD_IGNORE_ORIENTATION)
            return upright(np.array(colored, np.uint8), turns, mirrored)
    colored = cv2.imdecode(content, flags)
    return None if colored is None else np.array(colored, np.uint8)


def _flat(image: np.ndarray, bits: int) -> Image:
    """An image of any depth and number of channels as (height, width, 3) BGR of 8 bits, on white.

    Args:
        image: (height, width) or (height, width, channels).
        bits: Significant bits of 16.
    """
    if image.dtype == np.uint16:
        image = (image >> (bits - 8)).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = np.asarray(cv2.normalize(image, np.empty(0), 0, 255, cv2.NORM_MINMAX, cv2.CV_8U))
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    return over_white(image) if image.shape[2] == 4 else np.array(image[:, :, :3], np.uint8)


def _is_jpeg(content: Image) -> bool:
    return content[:2].tobytes() == b"\xff\xd8"


def _is_avif(content: Image) -> bool:
    return content[4:12].tobytes() in (b"ftypavif", b"ftypavis")


def _avif_properties(content: Image) -> tuple[int, int, bool]:
    """Significant bits of 16, quarter turns clockwise, and whether left and right are swapped after them."""
    if not _is_avif(content):
        return 16, 0, False
    header = content[: avif.HEADER_BYTES].tobytes()
    return avif.bits(header), *avif.orientation(header)


def _exif_orientation(content: Image) -> int:
    """The orientation, 1..8; 1 if the file states none."""
    _, kinds, blocks = cv2.imdecodeWithMetadata(content, cv2.IMREAD_UNCHANGED)
    for kind, block in zip(kinds, blocks, strict=True):
        exif = np.asarray(block, np.uint8).tobytes()
        if kind != cv2.IMAGE_METADATA_EXIF or exif[:2] not in (b"II", b"MM"):
            continue
        order = "<" if exif[:2] == b"II" else ">"
        try:
            (start,) = struct.unpack_from(f"{order}I", exif, 4)
            (count,) = struct.unpack_from(f"{order}H", exif, start)
            for number in range(count):
                tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * number)
                if tag == _ORIENTATION_TAG:
                    return int(value)
        except struct.error:
            continue
    return 1
