"""Properties of an AVIF image that OpenCV does not apply: its orientation and its bit depth.

They are in small boxes before the pixels (ISO/IEC 23008-12, ``irot`` and ``imir``; AV1-ISOBMFF, ``av1C``).
"""

from __future__ import annotations

import re
from typing import Final

HEADER_BYTES: Final = 65_536
"""The boxes are among the first bytes of a file, before the pixels."""

_ROTATION: Final = re.compile(rb"\0\0\0\x09irot(.)", re.DOTALL)
_MIRROR: Final = re.compile(rb"\0\0\0\x09imir(.)", re.DOTALL)
_CODEC: Final = re.compile(rb"av1C..(.)", re.DOTALL)
_HIGH_BIT_DEPTH: Final = 0x40
_TWELVE_BITS: Final = 0x20


def orientation(header: bytes) -> tuple[int, bool]:
    """How an image is set upright.

    Args:
        header: The first bytes of the file.

    Returns:
        Quarter turns clockwise, 0..3, and whether left and right are swapped after them.
    """
    rotation, mirror = _ROTATION.search(header), _MIRROR.search(header)
    turns = -(rotation[1][0] & 3) % 4 if rotation else 0  # the file counts counterclockwise
    if mirror is None:
        return turns, False
    swaps_left_and_right = mirror[1][0] & 1
    return (turns if swaps_left_and_right else (turns + 2) % 4), True


def bits(header: bytes) -> int:
    """Bits of each channel, 8, 10 or 12, by the first bytes of the file."""
    codec = _CODEC.search(header)
    if codec is None or not codec[1][0] & _HIGH_BIT_DEPTH:
        return 8
    return 12 if codec[1][0] & _TWELVE_BITS else 10
