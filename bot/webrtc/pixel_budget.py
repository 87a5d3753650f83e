"""Limits the memory of decoders: the size of each frame, and the sizes of all cameras of a room together.

A key frame of 16 KB can make a decoder allocate 100 MB, and every student can send one.
"""

from __future__ import annotations

import threading
from typing import Final

FULL_HD: Final = 1920 * 1088
"""Pixels of the largest frame that video servers forward in practice."""

PAGE: Final = 1280 * 720
"""Pixels of the largest frame from a student page, which sends 320x180."""

ROOM: Final = 50 * PAGE
"""Pixels of all cameras of a room together; their decoders then hold about 350 MB."""


class PixelBudget:
    """The pixels that the decoders of a room may hold. Used from several threads."""

    def __init__(self, frame: int = FULL_HD, room: int = ROOM) -> None:
        """Start with nothing reserved.

        Args:
            frame: Most pixels of a frame.
            room: Most pixels of all cameras together.
        """
        self.frame, self._room = frame, room
        self._reserved: dict[object, int] = {}
        self._lock = threading.Lock()

    def reserve(self, camera: object, pixels: int) -> bool:
        """Reserve the frame size of a camera in place of its earlier one; False if that is too much."""
        with self._lock:
            others = sum(self._reserved.values()) - self._reserved.get(camera, 0)
            if pixels > self.frame or others + pixels > self._room:
                self._reserved.pop(camera, None)
                return False
            self._reserved[camera] = pixels
            return True

    def release(self, camera: object) -> None:
        """Release what a camera has reserved."""
        with self._lock:
            self._reserved.pop(camera, None)
