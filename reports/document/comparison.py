"""Comparisons in the report: expressions around the taps with the rest, and this class with earlier ones."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reports.summary.classes import ClassInfo
from reports.summary.records import PulseRecord
from reports.summary.shares import Coverage, coverage, liveliness, mean_facing, mean_shares, tension
from reports.summary.windows import PulseKind, WindowSummary

NEAR_TAP_S: Final = 30.0
"""A window is near a tap when its middle is at most so far from it, seconds."""


@dataclass(frozen=True, slots=True)
class TapComparison:
    """Expressions near the taps of one kind, compared with the rest of the class.

    Attributes:
        kind: Kind of the taps.
        taps: Number of taps.
        tension: Mean tension near the taps minus that of the rest, as a share; None when either is unknown.
        liveliness: The same for liveliness.
    """

    kind: PulseKind
    taps: int
    tension: float | None
    liveliness: float | None


@dataclass(frozen=True, slots=True)
class ComparedClass:
    """One class in the table of classes of the same title.

    Attributes:
        class_id: The class.
        started_at: Its start.
        length_s: From the beginning of the class to the end of its last window, seconds.
        coverage: None without windows.
        tension: Mean tension; None when all shares are withheld.
        liveliness: The same for liveliness.
        facing: Mean share turned to the screen; None when no window has one.
        taps_per_hour: By kind; None for a class without windows.
    """

    class_id: str
    started_at: datetime
    length_s: float
    coverage: Coverage | None
    tension: float | None
    liveliness: float | None
    facing: float | None
    taps_per_hour: Mapping[str, float] | None


def compare_around_taps(
    windows: Sequence[WindowSummary], pulses: Sequence[PulseRecord]
) -> tuple[TapComparison, ...]:
    """One comparison for each kind of pulse that was tapped."""
    rows = []
    for kind in PulseKind:
        taps = sorted(pulse.at_s for pulse in pulses if pulse.kind is kind)
        if not taps:
            continue
        near = mean_shares(window for window in windows if _is_near(window, taps))
        rest = mean_shares(window for window in windows if not _is_near(window, taps))
        known = near is not None and rest is not None
        rows.append(
            TapComparison(
                kind,
                len(taps),
                tension(near or {}) - tension(rest or {}) if known else None,
                liveliness(near or {}) - liveliness(rest or {}) if known else None,
            )
        )
    return tuple(rows)


def compared_class(info: ClassInfo, windows: Sequence[WindowSummary]) -> ComparedClass:
    """A class as one row of the table; its taps are counted from its windows."""
    shares = mean_shares(windows)
    length_s = max((window.end_s for window in windows), default=0.0)
    observed_s = sum(window.length_s for window in windows)
    taps_per_hour = None
    if observed_s > 0:
        taps_per_hour = {
            kind.value: 3600 * sum(window.pulses.get(kind.value, 0) for window in windows) / observed_s
            for kind in PulseKind
        }
    return ComparedClass(
        class_id=info.id,
        started_at=info.started_at,
        length_s=length_s,
        coverage=coverage(windows),
        tension=None if shares is None else tension(shares),
        liveliness=None if shares is None else liveliness(shares),
        facing=mean_facing(windows),
        taps_per_hour=taps_per_hour,
    )


def earlier_classes(info: ClassInfo, others: Sequence[ClassInfo], max_classes: int) -> list[ClassInfo]:
    """The latest ``max_classes`` that have the same title, started earlier and have ended; oldest first.

    The title's case does not matter. Classes with synthetic students are compared with each other only.
    """
    earlier = [
        other
        for other in others
        if other.id != info.id
        and other.title.casefold() == info.title.casefold()
        and other.synthetic == info.synthetic
        and not other.running
        and other.started_at < info.started_at
    ]
    return sorted(earlier, key=lambda other: (other.started_at, other.id))[-max_classes:]


def _is_near(window: WindowSummary, taps: Sequence[float]) -> bool:
    """Whether any tap is near the window; ``taps`` in seconds, ascending."""
    middle_s = window.start_s + window.length_s / 2
    index = bisect_left(taps, middle_s - NEAR_TAP_S)
    return index < len(taps) and taps[index] <= middle_s + NEAR_TAP_S
