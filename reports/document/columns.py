"""Groups the windows of a class into the columns of a chart, so that a long class stays small."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports.summary.shares import coverage, gap_before, mean_shares
from reports.summary.windows import WindowSummary


@dataclass(frozen=True, slots=True)
class Column:
    """Consecutive windows that are drawn as one.

    Attributes:
        start_s: Start of the first window, seconds since the class began.
        end_s: End of the last window.
        shares: Mean share of each expression, weighted by the analysed; None when withheld.
        coverage: Analysed over participants, 0..1.
        participants: Mean number present.
        cameras_on: Mean number with the camera on.
        analysed: Mean number analysed.
        after_gap: Whether windows are missing before this column.
    """

    start_s: float
    end_s: float
    shares: Mapping[str, float] | None
    coverage: float
    participants: float
    cameras_on: float
    analysed: float
    after_gap: bool

    @property
    def withheld(self) -> bool:
        """Whether participants were present whose shares are not published."""
        return self.shares is None and self.participants > 0


def columns(windows: Sequence[WindowSummary], max_columns: int) -> list[Column]:
    """Group windows, given in any order, into at most ``max_columns`` + 1 columns of equal length.

    Few windows give one column each. A gap shorter than a column disappears, a longer one stays. A column is
    withheld only when all its windows are.
    """
    ordered = sorted(windows, key=lambda window: window.start_s)
    if not ordered:
        return []
    first, last = ordered[0], ordered[-1]
    shortest_s = min(window.length_s for window in ordered)
    width_s = (last.end_s - first.start_s) / max_columns
    if width_s <= shortest_s:
        groups = [[window] for window in ordered]
    else:
        # A whole number of windows for each column; the small terms absorb rounding errors of floats.
        width_s = shortest_s * math.ceil(width_s / shortest_s - 1e-9)
        binned: dict[int, list[WindowSummary]] = {}
        for window in ordered:
            binned.setdefault(int((window.start_s - first.start_s + 1e-6) // width_s), []).append(window)
        groups = list(binned.values())
    return [
        _column(groups[0], None),
        *(_column(group, previous[-1]) for previous, group in pairwise(groups)),
    ]


def _column(group: Sequence[WindowSummary], previous: WindowSummary | None) -> Column:
    mean = coverage(group)
    return Column(
        start_s=group[0].start_s,
        end_s=max(window.end_s for window in group),
        shares=mean_shares(group),
        coverage=0.0 if mean is None else mean.share,
        participants=0.0 if mean is None else mean.participants,
        cameras_on=sum(window.cameras_on for window in group) / len(group),
        analysed=0.0 if mean is None else mean.analysed,
        after_gap=previous is not None and gap_before(previous, group[0]),
    )
