"""Confidence intervals from batch means: how far a mean share could be off by chance.

Neighbouring windows resemble each other, so they are not independent samples. The time is therefore cut into
batches of ``BATCH_S`` seconds, and the mean of each batch is one value. Half the 95 % interval is Student's t
over the k batches: ``t(0.975, k - 1) s / sqrt(k)``. The interval says how steady the analysed faces were over
time. It says nothing about faces that were not analysed, nor about errors of the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Final

from inference.emotions import EMOTIONS
from reports.summary.shares import mean_shares
from reports.summary.windows import WindowSummary

BATCH_S: Final = 30.0
"""Length of a batch, seconds."""

MIN_BATCHES: Final = 4
"""Fewest batches for which an interval is given."""

# fmt: off
_T_QUANTILES: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
# fmt: on
"""``t(0.975, n)`` for n = 1, 2, ... 30. For larger n the last value serves: it is at most 4 % too large."""


def margins(windows: Sequence[WindowSummary]) -> Mapping[str, float] | None:
    """Half the 95 % interval of each expression's mean share; None with fewer than ``MIN_BATCHES`` batches.

    A batch whose windows are all withheld does not count.
    """
    batches: dict[int, list[WindowSummary]] = {}
    for window in windows:
        batches.setdefault(math.floor(window.start_s / BATCH_S), []).append(window)
    means = [mean for batch in batches.values() if (mean := mean_shares(batch)) is not None]
    if len(means) < MIN_BATCHES:
        return None
    t = _T_QUANTILES[min(len(means) - 1, len(_T_QUANTILES)) - 1]
    return {label: t * stdev(mean[label] for mean in means) / math.sqrt(len(means)) for label in EMOTIONS}
