"""What a class is held against: its pulses against its faces, and earlier classes of the same title.

Comes in: windows and pulses. Goes out: rows for the report's tables. Pure.
"""

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

AROUND_S: Final = 30.0
"""How near to a tap a window's middle must be to count as around it, seconds."""


@dataclass(frozen=True, slots=True)
class AroundTaps:
    """Faces around the taps of one kind, against the rest of the class.

    Attributes:
        kind: Of the taps.
        taps: How many.
        tension: Mean tension around them less that of the rest, a share; None without both.
        liveliness: Likewise.
    """

    kind: PulseKind
    taps: int
    tension: float | None
    liveliness: float | None


@dataclass(frozen=True, slots=True)
class Session:
    """One class in the comparison.

    Attributes:
        class_id: The class.
        started_at: When.
        length_s: Up to the end of its last window, seconds.
        coverage: None without windows.
        tension: Mean tension; None when all is withheld.
        liveliness: Likewise.
        facing: Mean share turned to the screen; None when no window has one.
        taps_per_hour: By kind; None for a class without length.
    """

    class_id: str
    started_at: datetime
    length_s: float
    coverage: Coverage | None
    tension: float | None
    liveliness: float | None
    facing: float | None
    taps_per_hour: Mapping[str, float] | None


def around_taps(windows: Sequence[WindowSummary], pulses: Sequence[PulseRecord]) -> tuple[AroundTaps, ...]:
    """For each kind that was tapped, how the faces around the taps differ from the rest."""
    rows = []
    for kind in PulseKind:
        taps = sorted(pulse.at_s for pulse in pulses if pulse.kind is kind)
        if not taps:
            continue
        near = [window for window in windows if _near(window, taps)]
        rest = [window for window in windows if not _near(window, taps)]
        here, there = mean_shares(near), mean_shares(rest)
        both = here is not None and there is not None
        rows.append(
            AroundTaps(
                kind,
                len(taps),
                tension(here or {}) - tension(there or {}) if both else None,
                liveliness(here or {}) - liveliness(there or {}) if both else None,
            )
        )
    return tuple(rows)


def session(info: ClassInfo, windows: Sequence[WindowSummary]) -> Session:
    """A class as one row of the comparison; its pulses are counted from its windows."""
    shares = mean_shares(windows)
    length_s = max((window.end_s for window in windows), default=0.0)
    seen_s = sum(window.length_s for window in windows)
    rates = None
    if seen_s > 0:
        rates = {
            kind.value: 3600 * sum(window.pulses.get(kind.value, 0) for window in windows) / seen_s
            for kind in PulseKind
        }
    return Session(
        class_id=info.id,
        started_at=info.started_at,
        length_s=length_s,
        coverage=coverage(windows),
        tension=None if shares is None else tension(shares),
        liveliness=None if shares is None else liveliness(shares),
        facing=mean_facing(windows),
        taps_per_hour=rates,
    )


def same_title(info: ClassInfo, others: Sequence[ClassInfo], most: int) -> list[ClassInfo]:
    """The classes of the same title that began and ended before, oldest first, the latest ``most``.

    Drawn classes are compared with drawn ones only.
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
    return sorted(earlier, key=lambda other: (other.started_at, other.id))[-most:]


def _near(window: WindowSummary, taps: Sequence[float]) -> bool:
    middle_s = window.start_s + window.length_s / 2
    index = bisect_left(taps, middle_s - AROUND_S)
    return index < len(taps) and taps[index] <= middle_s + AROUND_S
