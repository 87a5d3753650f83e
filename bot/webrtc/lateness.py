"""Detects late frames: compares the progress of our clock with that of the RTP timestamps. Pure.

A server that was suspended sends its queued frames in a burst, and may stay late afterwards. A browser whose
camera returns starts with the frame from before the pause. Without this check, either old frame would be
analysed as the present state of the class.
"""

from __future__ import annotations

from typing import Final

from bot.webrtc.packets import CLOCK_HZ

STALE_S: Final = 0.5
"""A frame later than this is not shown."""

PAUSE_S: Final = 2.0
"""The first frame after a pause of this length is not shown: it may be from before the pause."""

BEHIND_S: Final = 2.0
"""A connection that is later than this for ``BEHIND_FOR_S`` should be replaced by a new one."""

BEHIND_FOR_S: Final = 1.0

_JUMP_S: Final = 600.0
"""A timestamp that advances by more than this is a restart of the stream."""

_DRIFT: Final = 0.001
"""How much faster than our clock a stream's clock may run, relative."""


class Lateness:
    """The lateness of one stream."""

    def __init__(self) -> None:
        """Start before the first frame."""
        self._timestamp = 0
        self._media_s = 0.0
        self._at_s: float | None = None
        self._min_offset_s = 0.0
        self._behind_since_s: float | None = None

    def is_fresh(self, timestamp: int, at_s: float) -> bool:
        """Whether a frame may be shown.

        Args:
            timestamp: RTP timestamp, 90 kHz.
            at_s: Time of arrival, monotonic seconds.
        """
        delta = (timestamp - self._timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        self._timestamp = timestamp
        # Frames arrive in order. A timestamp that runs backwards, as in a looping video, is a restart.
        if self._at_s is None or delta < 0 or delta > _JUMP_S * CLOCK_HZ:
            self._media_s, self._at_s, self._min_offset_s = 0.0, at_s, at_s
            self._behind_since_s = None
            return True
        self._media_s += delta / CLOCK_HZ
        passed_s, self._at_s = at_s - self._at_s, at_s
        offset_s = at_s - self._media_s
        # The smallest offset so far belongs to a frame without delay. It grows slowly, to follow clock drift.
        self._min_offset_s = min(offset_s, self._min_offset_s + passed_s * _DRIFT)
        late_s = offset_s - self._min_offset_s
        if late_s <= BEHIND_S:
            self._behind_since_s = None
        elif self._behind_since_s is None:
            self._behind_since_s = at_s
        return late_s <= STALE_S and passed_s < PAUSE_S

    @property
    def behind(self) -> bool:
        """Whether frames have been more than ``BEHIND_S`` late for ``BEHIND_FOR_S``."""
        since_s, at_s = self._behind_since_s, self._at_s
        return since_s is not None and at_s is not None and at_s - since_s >= BEHIND_FOR_S
