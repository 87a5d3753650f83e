"""One share of a class over time: its own baseline, its noise, and whether it has moved.

Comes in: the share of each window, in time order. Goes out: how far the class is from its baseline, how
far it would have to be to count, and for how long it has been. Used by ``reports.summary.indicators``.

Formulas, for windows of ``dt`` seconds with shares ``x``:

* Baseline ``b``: the median of the first ``LEARN_S`` seconds; after that a running mean,
  ``b += a (x - b)`` with ``a = dt / min(known_s, HORIZON_S)``, of windows at least ``LAG_S`` old.
* Fast mean ``f += l (x - f)`` with ``l = 1 - exp(-dt / FAST_S)`` (EWMA); the deviation is ``f - b``.
* Noise: variance ``v`` and covariance of neighbouring windows ``c`` of ``x - b``, by the same running
  mean, each residual clipped to three standard deviations; both begin shrunk to a prior.
* The standard deviation of ``f`` under AR(1) noise with ``r = c / v``:
  ``sqrt(v l / (2 - l) (1 + r (1 - l)) / (1 - r (1 - l)))``, made larger while the baseline is young.
* Moved: ``|f - b|`` has been at least ``limit = max(EFFECT, SIGMAS sd)`` for ``HOLD_S`` seconds; back: it
  is below half the limit (hysteresis).

Limits: a shift during the first minutes becomes the baseline; one that lasts is taken into it over
``HORIZON_S``; noise that is correlated over minutes looks like a shift.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from statistics import fmean, median
from typing import Final

LEARN_S: Final = 180.0
"""Seconds of shown windows the first baseline is made of."""

HORIZON_S: Final = 1200.0
"""How far back the running baseline reaches, seconds."""

LAG_S: Final = 90.0
"""Age at which a window enters baseline and noise, seconds, so that a shift does not hide itself."""

FAST_S: Final = 35.0
"""Time constant of the fast mean, seconds."""

EFFECT: Final = 0.065
"""Least deviation that counts, as a share."""

SIGMAS: Final = 4.5
"""Least deviation that counts, in standard deviations of the fast mean."""

HOLD_S: Final = 10.0
"""How long a deviation must last to count, seconds."""

GAP_S: Final = 60.0
"""Without windows for so long, the fast mean begins anew at the baseline."""

_PRIOR_VAR, _PRIOR_R, _PRIOR_WEIGHT = 0.04**2, 0.5, 12
_MOST_R = 0.97


def ewma_sd(variance: float, neighbours: float, smoothing: float) -> float:
    """Standard deviation of an EWMA over AR(1) noise.

    Args:
        variance: Of a single value.
        neighbours: Correlation of neighbouring values, taken between 0 and 0.97.
        smoothing: Weight of the newest value, 0 < l <= 1.
    """
    carried = min(max(neighbours, 0.0), _MOST_R) * (1 - smoothing)
    return math.sqrt(max(variance, 0.0) * smoothing / (2 - smoothing) * (1 + carried) / (1 - carried))


class Change:
    """Follows one share of one class.

    Attributes:
        deviation: Fast mean less baseline, a share; 0 while learning.
        limit: How far the deviation must go to count.
        moved: 1 when the share has risen, -1 when it has fallen, 0 otherwise.
        since_s: When the present deviation began, seconds since the class began; None without one.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.deviation, self.limit, self.moved = 0.0, math.inf, 0
        self.since_s: float | None = None
        self._over_s: float | None = None
        self._side = 0
        self._first: list[float] = []
        self._known_s = 0.0
        self._learnt = False
        self._baseline = self._fast = self._variance = self._covariance = self._last = 0.0
        self._waiting: deque[tuple[float, float]] = deque()
        self._waiting_s = 0.0
        self._end_s = 0.0

    @property
    def learnt(self) -> bool:
        """Whether there is a baseline."""
        return self._learnt

    @property
    def known_s(self) -> float:
        """Seconds of class the baseline rests on."""
        return self._known_s

    def add(self, start_s: float, length_s: float, share: float) -> None:
        """Take in the next window's share."""
        if not self._learnt:
            self._learn(length_s, share)
            self._end_s = start_s + length_s
            return
        if start_s - self._end_s > GAP_S:
            self._fast, self.since_s, self._over_s = self._baseline, None, None
        self._end_s = start_s + length_s
        smoothing = 1 - math.exp(-length_s / FAST_S)
        self._fast += smoothing * (share - self._fast)
        self.deviation = self._fast - self._baseline
        young = 1 + 3 * FAST_S / self._known_s
        sd = ewma_sd(self._variance, self._covariance / self._variance, smoothing) * math.sqrt(young)
        self.limit = max(EFFECT, SIGMAS * sd)
        self._judge(start_s)
        self._waiting.append((share, length_s))
        self._waiting_s += length_s
        while self._waiting_s > LAG_S:
            old, old_s = self._waiting.popleft()
            self._waiting_s -= old_s
            self._absorb(old, old_s)

    def _learn(self, length_s: float, share: float) -> None:
        self._first.append(share)
        self._known_s += length_s
        if self._known_s < LEARN_S:
            return
        self._learnt = True
        self._baseline = self._fast = median(self._first)
        residuals = [one - self._baseline for one in self._first]
        count = len(residuals)
        variance = fmean(one * one for one in residuals)
        covariance = (
            fmean(one * two for one, two in pairwise(residuals)) if count > 1 else _PRIOR_R * variance
        )
        total = count + _PRIOR_WEIGHT
        self._variance = (count * variance + _PRIOR_WEIGHT * _PRIOR_VAR) / total
        self._covariance = (count * covariance + _PRIOR_WEIGHT * _PRIOR_R * _PRIOR_VAR) / total
        self._last = residuals[-1]
        self._first.clear()

    def _absorb(self, share: float, length_s: float) -> None:
        self._known_s += length_s
        weight = length_s / min(self._known_s, HORIZON_S)
        most = 3 * math.sqrt(self._variance)
        residual = min(max(share - self._baseline, -most), most)
        self._baseline += weight * (share - self._baseline)
        # Never quite without noise: a class that sends the same share for an hour may still move.
        self._variance = max(1e-6, self._variance + weight * (residual * residual - self._variance))
        self._covariance += weight * (residual * self._last - self._covariance)
        self._last = residual

    def _judge(self, start_s: float) -> None:
        size, side = abs(self.deviation), 1 if self.deviation >= 0 else -1
        if size < self.limit / 2 or side != self._side:
            self.since_s, self._over_s, self.moved, self._side = None, None, 0, side
        if size < self.limit / 2:
            return
        if self.since_s is None:
            self.since_s = start_s
        if size < self.limit:
            self._over_s = None
            return
        if self._over_s is None:
            self._over_s = start_s
        if self._end_s - self._over_s >= HOLD_S:
            self.moved = side
