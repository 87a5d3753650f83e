"""Mean figures over several windows: shares of the expressions, coverage, and counts by reason."""

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
    """How many of the participants were analysed.

    Attributes:
        analysed: Mean number of participants analysed per window.
        participants: Mean number of participants per window.
        share: Analysed divided by participants, 0..1; 0 when nobody was present.
    """

    analysed: float
    participants: float
    share: float


def mean_shares(windows: Iterable[WindowSummary]) -> dict[str, float] | None:
    """Mean share of each expression, each window weighted by the participants it rests on.

    Suppressed windows are left out; None when all are suppressed.
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
    """Mean coverage over the windows; None without windows."""
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
    """Participants not analysed, by reason; each is counted once per window."""
    totals = dict.fromkeys((reason.value for reason in NotAnalysed), 0)
    for window in windows:
        for reason, count in window.not_analysed.items():
            totals[reason] = totals.get(reason, 0) + count
    return totals


def gap_before(earlier: WindowSummary, later: WindowSummary) -> bool:
    """Whether more than half a window is missing between two windows."""
    return later.start_s - earlier.end_s > 0.5 * min(earlier.length_s, later.length_s)


def gaps(windows: Iterable[WindowSummary]) -> int:
    """Number of places where windows are missing between others."""
    ordered = sorted(windows, key=lambda window: window.start_s)
    return sum(gap_before(earlier, later) for earlier, later in pairwise(ordered))


def tension(shares: Mapping[str, float]) -> float:
    """Share of the tense expressions, 0..1."""
    return sum(shares.get(label, 0.0) for label in TENSE)


def liveliness(shares: Mapping[str, float]) -> float:
    """Share of the lively expressions, 0..1."""
    return sum(shares.get(label, 0.0) for label in LIVELY)
