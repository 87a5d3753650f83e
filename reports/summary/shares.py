"""Means over windows: expressions weighted by the faces they rest on, coverage, reasons, pulses.

Comes in: windows. Goes out: figures for the timeline's columns and the report's tables. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from inference.emotions import EMOTIONS
from reports.summary.windows import NotAnalysed, WindowSummary

TENSE: Final = ("angry", "disgust", "fear", "sad")
"""Expressions whose shares add up to tension."""

LIVELY: Final = ("happy", "surprise")
"""Expressions whose shares add up to liveliness."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of those present the figures rest on.

    Attributes:
        analysed: Mean number of participants analysed a window.
        participants: Mean number of participants a window.
        share: Analysed over participants, 0..1; 0 when there was nobody.
    """

    analysed: float
    participants: float
    share: float


def mean_shares(windows: Iterable[WindowSummary]) -> dict[str, float] | None:
    """Mean share of each expression, each window weighted by the participants it rests on.

    Suppressed windows are left out; None when nothing is left.
    """
    weight = 0
    sums = dict.fromkeys(EMOTIONS, 0.0)
    for window in windows:
        if window.expressions is None or window.shown <= 0:
            continue
        weight += window.shown
        for label in EMOTIONS:
            sums[label] += window.expressions.get(label, 0.0) * window.shown
    return {label: total / weight for label, total in sums.items()} if weight else None


def mean_facing(windows: Iterable[WindowSummary]) -> float | None:
    """Mean share turned to the screen, 0..1, weighted as ``mean_shares``; None when no window has one."""
    known = [(window.facing, window.shown) for window in windows if window.facing is not None]
    weight = sum(shown for _, shown in known)
    return sum(facing * shown for facing, shown in known) / weight if weight else None


def coverage(windows: Sequence[WindowSummary]) -> Coverage | None:
    """Mean coverage over the windows; None when there are none."""
    if not windows:
        return None
    analysed = sum(window.analysed for window in windows)
    participants = sum(window.participants for window in windows)
    return Coverage(
        analysed / len(windows),
        participants / len(windows),
        analysed / participants if participants else 0.0,
    )


def not_analysed_totals(windows: Iterable[WindowSummary]) -> dict[str, int]:
    """Participants not analysed, by reason, counted once a window."""
    totals = dict.fromkeys((reason.value for reason in NotAnalysed), 0)
    for window in windows:
        for reason, count in window.not_analysed.items():
            totals[reason] = totals.get(reason, 0) + count
    return totals


def gap_before(earlier: WindowSummary, later: WindowSummary) -> bool:
    """Whether at least half a window is missing between two windows."""
    return later.start_s - earlier.end_s > 0.5 * min(earlier.length_s, later.length_s)


def gaps(windows: Iterable[WindowSummary]) -> int:
    """How often windows are missing between others."""
    ordered = sorted(windows, key=lambda window: window.start_s)
    return sum(gap_before(earlier, later) for earlier, later in pairwise(ordered))


def tension(shares: Mapping[str, float]) -> float:
    """Share of the tense expressions, 0..1."""
    return sum(shares.get(label, 0.0) for label in TENSE)


def liveliness(shares: Mapping[str, float]) -> float:
    """Share of the lively expressions, 0..1."""
    return sum(shares.get(label, 0.0) for label in LIVELY)
