"""Thins windows out to the columns a timeline has room for.

Comes in: windows. Goes out: columns in time order, a bounded number of them, each with what its windows
say together. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports.summary.shares import coverage, gap_before, mean_shares
from reports.summary.windows import WindowSummary


@dataclass(frozen=True, slots=True)
class Column:
    """Some windows drawn as one.

    Attributes:
        start_s: Start of the first, seconds since the class began.
        end_s: End of the last.
        shares: Mean share of each expression, weighted by the analysed; None when withheld.
        seen: Analysed over participants, 0..1.
        participants: Mean number present.
        cameras_on: Mean number with the camera on.
        analysed: Mean number analysed.
        after_gap: Whether windows are missing before it.
    """

    start_s: float
    end_s: float
    shares: Mapping[str, float] | None
    seen: float
    participants: float
    cameras_on: float
    analysed: float
    after_gap: bool

    @property
    def withheld(self) -> bool:
        """Whether there were people whose shares are not shown."""
        return self.shares is None and self.participants > 0


def columns(windows: Sequence[WindowSummary], most: int) -> list[Column]:
    """At most ``most`` + 1 columns; one a window when they are few.

    A gap shorter than a column is lost, a longer one is kept; a column is withheld only when all its
    windows are.
    """
    ordered = sorted(windows, key=lambda window: window.start_s)
    if not ordered:
        return []
    first, last = ordered[0], ordered[-1]
    shortest = min(window.length_s for window in ordered)
    width_s = (last.end_s - first.start_s) / most
    if width_s <= shortest:
        groups = [[window] for window in ordered]
    else:
        width_s = shortest * math.ceil(width_s / shortest - 1e-9)
        binned: dict[int, list[WindowSummary]] = {}
        for window in ordered:
            binned.setdefault(int((window.start_s - first.start_s + 1e-6) // width_s), []).append(window)
        groups = list(binned.values())
    made = [_column(groups[0], None)]
    made.extend(_column(group, before[-1]) for before, group in pairwise(groups))
    return made


def _column(group: Sequence[WindowSummary], before: WindowSummary | None) -> Column:
    seen = coverage(group)
    return Column(
        group[0].start_s,
        max(window.end_s for window in group),
        mean_shares(group),
        0.0 if seen is None else seen.share,
        0.0 if seen is None else seen.participants,
        sum(window.cameras_on for window in group) / len(group),
        0.0 if seen is None else seen.analysed,
        before is not None and gap_before(before, group[0]),
    )
