"""How late pictures are, by the time that passes here and the time that passes in the stream.

Comes in: timestamps and when they came. Goes out: whether a picture is too old to be shown, and whether
the whole connection is behind. Pure.

A server that was stopped sends what it held in a burst, then stays that much behind; a browser whose
camera was given back begins with the picture from before. Both would count as what the class looks like now.
"""

from __future__ import annotations

from typing import Final

STALE_S: Final = 0.5
"""A picture later than this is not shown."""

PAUSE_S: Final = 2.0
"""After silence of this length the first picture is not shown: it may be from before."""

BEHIND_S: Final = 2.0
"""A connection later than this, for ``BEHIND_FOR_S``, is to be made anew."""

BEHIND_FOR_S: Final = 1.0

_CLOCK_HZ: Final = 90_000
_JUMP_S: Final = 600.0
_DRIFT: Final = 0.001
"""How much faster than ours the time of a stream may run, relative."""


class Lateness:
    """Of one stream."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._timestamp = 0
        self._media_s = 0.0
        self._at_s: float | None = None
        self._least_s = 0.0
        self._behind_since_s: float | None = None

    def is_fresh(self, timestamp: int, at_s: float) -> bool:
        """Whether a picture may be shown.

        Args:
            timestamp: RTP timestamp, 90 kHz.
            at_s: When it came, monotonic seconds.
        """
        delta = (timestamp - self._timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        self._timestamp = timestamp
        # Pictures come in order: where time runs back, as in a film that is played again, it began anew.
        if self._at_s is None or delta < 0 or delta > _JUMP_S * _CLOCK_HZ:
            self._media_s, self._at_s, self._least_s = 0.0, at_s, at_s
            self._behind_since_s = None
            return True
        self._media_s += delta / _CLOCK_HZ
        passed_s, self._at_s = at_s - self._at_s, at_s
        offset_s = at_s - self._media_s
        self._least_s = min(offset_s, self._least_s + passed_s * _DRIFT)
        late_s = offset_s - self._least_s
        if late_s <= BEHIND_S:
            self._behind_since_s = None
        elif self._behind_since_s is None:
            self._behind_since_s = at_s
        return late_s <= STALE_S and passed_s < PAUSE_S

    @property
    def behind(self) -> bool:
        """Whether pictures have been coming too late for too long."""
        since_s, at_s = self._behind_since_s, self._at_s
        return since_s is not None and at_s is not None and at_s - since_s >= BEHIND_FOR_S
