"""Cuts a class at its markers into the segments of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.document.intervals import margins
from reports.summary.records import Marker, PulseRecord
from reports.summary.shares import Coverage, coverage, mean_facing, mean_shares
from reports.summary.windows import PulseKind, WindowSummary
from reports.summary.words import N_


@dataclass(frozen=True, slots=True)
class Segment:
    """The stretch from one marker to the next.

    Attributes:
        label: Label of the marker at its start; "Beginning" before the first marker, "Whole class" without
            markers.
        start_s: Seconds since the class began.
        end_s: Seconds since the class began.
        windows: Number of windows whose middle lies in the segment.
        coverage: Mean over the windows; None without windows.
        shares: Mean shares; None when all windows are withheld or there are none.
        facing: Mean share turned to the screen; None when no window has one.
        margins: Half the 95 % interval of each share; None when the segment is too short for one.
        pulses: Taps by kind; every kind is a key.
    """

    label: str
    start_s: float
    end_s: float
    windows: int
    coverage: Coverage | None
    shares: Mapping[str, float] | None
    facing: float | None
    margins: Mapping[str, float] | None
    pulses: Mapping[str, int]


def segments(
    windows: Sequence[WindowSummary],
    markers: Sequence[Marker],
    pulses: Sequence[PulseRecord],
    length_s: float,
) -> tuple[Segment, ...]:
    """Cut a class of ``length_s`` seconds; windows, markers and pulses are in time order."""
    starts = [(marker.at_s, marker.label) for marker in markers]
    if not starts or starts[0][0] > 0:
        starts.insert(0, (0.0, N_("Beginning") if starts else N_("Whole class")))
    cut = []
    for index, (start_s, label) in enumerate(starts):
        is_last = index == len(starts) - 1
        end_s = max(start_s, length_s) if is_last else starts[index + 1][0]
        # Taps can be later than the end of the last window: the last segment has no upper limit.
        until_s = float("inf") if is_last else end_s
        inside = [window for window in windows if start_s <= window.start_s + window.length_s / 2 < until_s]
        cut.append(
            Segment(
                label,
                start_s,
                end_s,
                len(inside),
                coverage(inside),
                mean_shares(inside),
                mean_facing(inside),
                margins(inside),
                by_kind([pulse for pulse in pulses if start_s <= pulse.at_s < until_s]),
            )
        )
    return tuple(cut)


def by_kind(pulses: Sequence[PulseRecord]) -> dict[str, int]:
    """Taps by kind; every kind is a key."""
    counted = Counter(pulse.kind for pulse in pulses)
    return {kind.value: counted[kind] for kind in PulseKind}
