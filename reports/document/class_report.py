"""Calculates the figures of a class's report from its records in the store.

It reads no clock, so the page and the command line produce the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.document.comparison import (
    ComparedClass,
    TapComparison,
    compare_around_taps,
    compared_class,
    earlier_classes,
)
from reports.document.moments import Moment, moments, too_short
from reports.document.segments import Segment, segments
from reports.store import Store
from reports.summary.asks import Ask
from reports.summary.classes import ClassInfo
from reports.summary.indications import Alert
from reports.summary.indicators import indicate
from reports.summary.records import Marker, MarkerKind, PulseRecord, calms_s
from reports.summary.shares import Coverage, coverage, gaps, mean_facing, mean_shares, not_analysed_totals
from reports.summary.windows import WindowSummary

MAX_EARLIER: Final = 8
"""How many earlier classes of the same title are compared."""


@dataclass(frozen=True, slots=True)
class ClassReport:
    """The figures of one class.

    Attributes:
        info: The class.
        windows: Oldest first; likewise ``markers`` and ``pulses``.
        length_s: From the beginning of the class to the end of the last window, seconds.
        coverage: Mean over the class; None without windows.
        shares: Mean shares over the class, weighted by the analysed; None when none are published.
        facing: Mean share turned to the screen; None when no window has one.
        segments: From marker to marker, of those that the host set.
        moments: The moments that stand out, oldest first.
        too_short: Whether the class is too short for any moment to stand out.
        alerts: The alerts that the host saw, oldest first.
        asks: The questions to the class with their answers, oldest first.
        around_taps: Expressions around the taps, one row for each kind of pulse that was tapped.
        earlier: Earlier classes of the same title, oldest first.
        not_analysed: Participants not analysed, by reason, summed over the windows.
        withheld: Number of windows in which participants were present and the shares are withheld.
        gaps: Number of places where windows are missing.
        card: The model card; None if there is none.
    """

    info: ClassInfo
    windows: tuple[WindowSummary, ...]
    markers: tuple[Marker, ...]
    pulses: tuple[PulseRecord, ...]
    length_s: float
    coverage: Coverage | None
    shares: Mapping[str, float] | None
    facing: float | None
    segments: tuple[Segment, ...]
    moments: tuple[Moment, ...]
    too_short: bool
    alerts: tuple[Alert, ...]
    asks: tuple[Ask, ...]
    around_taps: tuple[TapComparison, ...]
    earlier: tuple[ComparedClass, ...]
    not_analysed: Mapping[str, int]
    withheld: int
    gaps: int
    card: Mapping[str, Any] | None


def build_report(
    info: ClassInfo,
    windows: Sequence[WindowSummary],
    markers: Sequence[Marker],
    pulses: Sequence[PulseRecord],
    model_card: Mapping[str, Any] | None,
    alerts: Sequence[Alert] = (),
    earlier: Sequence[ComparedClass] = (),
    asks: Sequence[Ask] = (),
    say: Callable[[str], str] = str,
) -> ClassReport:
    """Calculate the figures of a class; windows, markers and pulses may be in any order."""
    ordered_windows = tuple(sorted(windows, key=lambda window: window.start_s))
    ordered_markers = tuple(sorted(markers, key=lambda marker: marker.at_s))
    ordered_pulses = tuple(sorted(pulses, key=lambda pulse: pulse.at_s))
    own_markers = [marker for marker in ordered_markers if marker.kind is MarkerKind.HOST]
    length_s = max((window.end_s for window in ordered_windows), default=0.0)
    return ClassReport(
        info=info.without_code(),
        windows=ordered_windows,
        markers=ordered_markers,
        pulses=ordered_pulses,
        length_s=length_s,
        coverage=coverage(ordered_windows),
        shares=mean_shares(ordered_windows),
        facing=mean_facing(ordered_windows),
        segments=segments(ordered_windows, own_markers, ordered_pulses, length_s),
        moments=moments(ordered_windows, own_markers, say),
        too_short=too_short(ordered_windows),
        alerts=tuple(alerts),
        asks=tuple(asks),
        around_taps=compare_around_taps(ordered_windows, ordered_pulses),
        earlier=tuple(earlier),
        not_analysed=not_analysed_totals(ordered_windows),
        withheld=sum(window.withheld for window in ordered_windows),
        gaps=gaps(ordered_windows),
        card=model_card,
    )


async def load_report(
    store: Store, class_id: str, card: Mapping[str, Any] | None, say: Callable[[str], str] = str
) -> ClassReport | None:
    """The report of a class from its records in the store; None if the class does not exist.

    ``say`` translates the texts that are calculated with the figures.
    """
    info = await store.get_class(class_id)
    if info is None:
        return None
    windows = await store.windows(class_id)
    earlier = [
        compared_class(other, await store.windows(other.id))
        for other in earlier_classes(info, await store.classes(), MAX_EARLIER)
    ]
    markers = await store.markers(class_id)
    return build_report(
        info,
        windows,
        markers,
        await store.pulses(class_id),
        card,
        (await asyncio.to_thread(indicate, windows, calms_s(markers), say)).alerts,
        earlier,
        await store.asks(class_id),
        say,
    )
