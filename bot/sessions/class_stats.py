"""How quickly a class was looked at: figures for the command line.

Comes in: the time each sample and each window took. Goes out: counts and percentiles over the last
samples; bounded, so that an evening of classes needs no more memory than one.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

_KEPT: Final = 20_000


class ClassStats:
    """Timings of one class."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.samples = 0
        self.windows = 0
        self.most_analysed = 0
        self._took_s: deque[float] = deque(maxlen=_KEPT)
        self._behind_s: deque[float] = deque(maxlen=_KEPT)

    def sample(self, took_s: float) -> None:
        """A sample was read, so many seconds after its frame arrived."""
        self.samples += 1
        self._took_s.append(took_s)

    def window(self, behind_s: float, analysed: int) -> None:
        """A window was sent to the pages, so many seconds after its end."""
        self.windows += 1
        self.most_analysed = max(self.most_analysed, analysed)
        self._behind_s.append(behind_s)

    def reading_p95_s(self) -> float | None:
        """95th percentile from a frame's arrival to its reading, seconds; None without samples."""
        return _p95(self._took_s)

    def event_p95_s(self) -> float | None:
        """95th percentile from a window's end to its event, seconds; None without windows."""
        return _p95(self._behind_s)


def _p95(values: deque[float]) -> float | None:
    return float(np.percentile(values, 95)) if values else None
