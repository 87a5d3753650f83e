"""Follows one share of a class over time and detects when it has moved away from the class's own baseline.

Formulas, for windows of ``dt`` seconds with shares ``x``:

* Baseline ``b``: the median of the first ``LEARN_S`` seconds. After that a running mean over windows that are
  at least ``LAG_S`` old: ``b += a (x - b)`` with ``a = dt / min(known_s, HORIZON_S)``.
* Fast mean (EWMA): ``f += l (x - f)`` with ``l = 1 - exp(-dt / FAST_S)``. The deviation is ``f - b``.
* Noise: the variance ``v`` of ``x - b`` and the covariance ``c`` of neighbouring windows, as running means
  like the baseline. Each residual is clipped to three standard deviations. Both start shrunk towards a prior.
* The standard deviation of ``f`` under AR(1) noise with ``r = c / v``:
  ``sqrt(v l / (2 - l) (1 + r (1 - l)) / (1 - r (1 - l)))``, enlarged while the baseline is young.
* The share has moved when ``|f - b|`` has been at least ``limit = max(EFFECT, SIGMAS sd)`` for ``HOLD_S``
  seconds. It has moved back when ``|f - b|`` is below half the limit (hysteresis).

Limits: a shift during the first minutes becomes part of the baseline. A lasting shift becomes the new
baseline over ``HORIZON_S``. Noise that is correlated over minutes looks like a shift.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from statistics import fmean, median
from typing import Final

LEARN_S: Final = 180.0
"""Seconds of windows with published shares from which the first baseline is learnt."""

HORIZON_S: Final = 1200.0
"""Time over which the running baseline averages, seconds."""

LAG_S: Final = 90.0
"""Age at which a window is added to the baseline and the noise, seconds.

Without the delay, a shift would raise its own threshold and be missed.
"""

FAST_S: Final = 35.0
"""Time constant of the fast mean, seconds."""

EFFECT: Final = 0.065
"""Smallest deviation that counts, as a share."""

SIGMAS: Final = 4.5
"""Smallest deviation that counts, in standard deviations of the fast mean."""

HOLD_S: Final = 10.0
"""How long a deviation must last to count, seconds."""

GAP_S: Final = 60.0
"""After a gap longer than this between windows, the fast mean restarts at the baseline, seconds."""

_PRIOR_VARIANCE, _PRIOR_CORRELATION, _PRIOR_WINDOWS = 0.04**2, 0.5, 12
_MAX_CORRELATION = 0.97
_MIN_VARIANCE = 1e-6


def ewma_sd(variance: float, correlation: float, smoothing: float) -> float:
    """Standard deviation of an EWMA over AR(1) noise.

    Args:
        variance: Variance of a single value.
        correlation: Correlation of neighbouring values, clamped to 0..0.97.
        smoothing: Weight of the newest value, 0 < l <= 1.
    """
    persistence = min(max(correlation, 0.0), _MAX_CORRELATION) * (1 - smoothing)
    inflation = (1 + persistence) / (1 - persistence)
    return math.sqrt(max(variance, 0.0) * smoothing / (2 - smoothing) * inflation)


class Change:
    """Follows one share of one class.

    Attributes:
        deviation: Fast mean minus baseline, as a share; 0 while the baseline is being learnt.
        limit: Smallest deviation that counts at present.
        moved: 1 when the share has risen, -1 when it has fallen, 0 otherwise.
        since_s: When the deviation first reached half the limit, seconds since the class began; None while it
            is smaller.
    """

    def __init__(self) -> None:
        """Start without a baseline."""
        self.deviation, self.limit, self.moved = 0.0, math.inf, 0
        self.since_s: float | None = None
        self._over_limit_since_s: float | None = None
        self._side = 0  # sign of the deviation
        self._first_shares: list[float] = []
        self._known_s = 0.0
        self._learnt = False
        self._baseline = self._fast_mean = self._variance = self._covariance = 0.0
        self._last_residual = 0.0
        self._recent: deque[tuple[float, float]] = deque()  # share and length of windows younger than LAG_S
        self._recent_s = 0.0
        self._end_s = 0.0  # of the latest window

    @property
    def learnt(self) -> bool:
        """Whether the baseline has been learnt."""
        return self._learnt

    @property
    def known_s(self) -> float:
        """Seconds of windows that the baseline is calculated from."""
        return self._known_s

    def add(self, start_s: float, length_s: float, share: float) -> None:
        """Add the share of the next window.

        Args:
            start_s: Start of the window, seconds since the class began.
            length_s: Length of the window, seconds.
            share: The share, 0..1.
        """
        if not self._learnt:
            self._learn(length_s, share)
            self._end_s = start_s + length_s
            return
        if start_s - self._end_s > GAP_S:
            self._fast_mean, self.since_s, self._over_limit_since_s = self._baseline, None, None
        self._end_s = start_s + length_s
        smoothing = 1 - math.exp(-length_s / FAST_S)
        self._fast_mean += smoothing * (share - self._fast_mean)
        self.deviation = self._fast_mean - self._baseline
        # A young baseline is uncertain itself: that adds to the variance of the deviation.
        young = 1 + 3 * FAST_S / self._known_s
        sd = ewma_sd(self._variance, self._covariance / self._variance, smoothing) * math.sqrt(young)
        self.limit = max(EFFECT, SIGMAS * sd)
        self._update_moved(start_s)
        self._recent.append((share, length_s))
        self._recent_s += length_s
        while self._recent_s > LAG_S:
            old_share, old_length_s = self._recent.popleft()
            self._recent_s -= old_length_s
            self._add_to_baseline(old_share, old_length_s)

    def restart(self) -> None:
        """Let the fast mean start again at the baseline, as if the share had just moved back."""
        self._fast_mean, self.deviation, self.moved = self._baseline, 0.0, 0
        self.since_s, self._over_limit_since_s = None, None

    def _learn(self, length_s: float, share: float) -> None:
        """Collect the first shares; set baseline and noise once they cover ``LEARN_S``."""
        self._first_shares.append(share)
        self._known_s += length_s
        if self._known_s < LEARN_S:
            return
        self._learnt = True
        self._baseline = self._fast_mean = median(self._first_shares)
        residuals = [first - self._baseline for first in self._first_shares]
        count = len(residuals)
        variance = fmean(residual * residual for residual in residuals)
        covariance = _PRIOR_CORRELATION * variance
        if count > 1:
            covariance = fmean(earlier * later for earlier, later in pairwise(residuals))
        total = count + _PRIOR_WINDOWS
        self._variance = (count * variance + _PRIOR_WINDOWS * _PRIOR_VARIANCE) / total
        self._covariance = (
            count * covariance + _PRIOR_WINDOWS * _PRIOR_CORRELATION * _PRIOR_VARIANCE
        ) / total
        self._last_residual = residuals[-1]
        self._first_shares.clear()

    def _add_to_baseline(self, share: float, length_s: float) -> None:
        """Add a window that is at least ``LAG_S`` old to the baseline and the noise."""
        self._known_s += length_s
        weight = length_s / min(self._known_s, HORIZON_S)
        clip = 3 * math.sqrt(self._variance)
        residual = min(max(share - self._baseline, -clip), clip)
        self._baseline += weight * (share - self._baseline)
        # With no variance at all, residuals would be clipped to 0 and the noise could never grow again.
        self._variance = max(_MIN_VARIANCE, self._variance + weight * (residual * residual - self._variance))
        self._covariance += weight * (residual * self._last_residual - self._covariance)
        self._last_residual = residual

    def _update_moved(self, start_s: float) -> None:
        """Set ``moved`` and ``since_s`` for the window that starts at ``start_s``."""
        size, side = abs(self.deviation), 1 if self.deviation >= 0 else -1
        if size < self.limit / 2 or side != self._side:
            self.since_s, self._over_limit_since_s, self.moved, self._side = None, None, 0, side
        if size < self.limit / 2:
            return
        if self.since_s is None:
            self.since_s = start_s
        if size < self.limit:
            self._over_limit_since_s = None
            return
        if self._over_limit_since_s is None:
            self._over_limit_since_s = start_s
        if self._end_s - self._over_limit_since_s >= HOLD_S:
            self.moved = side
