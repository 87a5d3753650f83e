"""How far a mean over a stretch of class might be off by chance: intervals from batch means.

Comes in: the windows of a stretch. Goes out: half a 95 % interval for each expression. Pure.

Neighbouring windows resemble each other, so they are no independent samples. The stretch is cut into
batches of ``BATCH_S`` seconds, each batch is one value, and the interval is Student's t over the batches:
``t(0.975, k - 1) s / sqrt(k)``. It says how steady the faces that were seen were over time; it says nothing
of those who were not seen, nor of the model's errors.
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

FEWEST: Final = 4
"""Batches below which no interval is given."""

# fmt: off
_T: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
# fmt: on
"""``t(0.975, n)`` for n = 1, 2, ...; beyond its end the last one: at most 4 % too wide."""


def margins(windows: Sequence[WindowSummary]) -> Mapping[str, float] | None:
    """Half the 95 % interval of each expression's mean share; None when the stretch is too short.

    Batches whose windows are all withheld are left out.
    """
    batches: dict[int, list[WindowSummary]] = {}
    for window in windows:
        batches.setdefault(math.floor(window.start_s / BATCH_S), []).append(window)
    means = [mean for batch in batches.values() if (mean := mean_shares(batch)) is not None]
    if len(means) < FEWEST:
        return None
    t = _T[min(len(means) - 1, len(_T)) - 1]
    return {label: t * stdev(mean[label] for mean in means) / math.sqrt(len(means)) for label in EMOTIONS}
