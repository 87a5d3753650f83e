"""How quickly one class's samples and windows were processed, for the closing figures of the command line.

The same call also counts the event in the server's metrics, so each event is counted in one place. Memory is
bounded: percentiles are taken over the last samples and windows.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from bot.metrics import Metrics

_MAX_TIMINGS: Final = 20_000
"""Timings of each kind held for percentiles; older ones are dropped."""


class ClassTimings:
    """Timings of one class.

    Attributes:
        samples: Samples analysed.
        windows: Windows published.
        sample_delays_s: From a frame's arrival to its observation, seconds; the last ones.
        window_delays_s: From a window's end to its event on the live feed, seconds; the last ones.
    """

    def __init__(self, metrics: Metrics) -> None:
        """Start at zero; ``metrics`` counts the samples and windows of all classes."""
        self._metrics = metrics
        self.samples = 0
        self.windows = 0
        self.sample_delays_s: deque[float] = deque(maxlen=_MAX_TIMINGS)
        self.window_delays_s: deque[float] = deque(maxlen=_MAX_TIMINGS)

    def sample(self, delay_s: float) -> None:
        """Count a sample that was analysed ``delay_s`` seconds after its frame arrived."""
        self.samples += 1
        self.sample_delays_s.append(delay_s)
        self._metrics.reading.observe(delay_s)

    def window(self, delay_s: float) -> None:
        """Count a window that was published ``delay_s`` seconds after its end."""
        self.windows += 1
        self.window_delays_s.append(delay_s)
        self._metrics.behind.observe(delay_s)

    def clear(self) -> None:
        """Forget this class's timings so far; the server's metrics keep counting."""
        self.samples = self.windows = 0
        self.sample_delays_s.clear()
        self.window_delays_s.clear()

    def sample_p95_s(self) -> float | None:
        """95th percentile of ``sample_delays_s``; None without samples."""
        return _p95(self.sample_delays_s)

    def window_p95_s(self) -> float | None:
        """95th percentile of ``window_delays_s``; None without windows."""
        return _p95(self.window_delays_s)


def _p95(values: deque[float]) -> float | None:
    return float(np.percentile(values, 95)) if values else None
