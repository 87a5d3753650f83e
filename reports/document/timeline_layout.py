"""Where the parts of the timeline are: its scales, the heights of its rows, and the places of marker labels.

All lengths are in pixels, y grows downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from reports.document.columns import Column, columns
from reports.document.svg import LABEL_CHARS
from reports.summary.records import Marker, PulseRecord
from reports.summary.windows import PulseKind, WindowSummary

LEFT, RIGHT = 58, 10
"""Margins beside the plot; the left one has room for the axis labels."""

SHARES_PX, ATTENDANCE_PX, COVERAGE_PX, LANE_PX = 170, 64, 20, 14
"""Heights of the stacked shares, of the attendance, of the coverage strip, and of one lane of pulses."""

LABEL_ROW_PX: Final = 16
CHAR_PX: Final = 7.4
"""Estimated width of one character: an SVG made on the server cannot measure its text."""

_LABEL_ROWS: Final = 3
_MIN_LENGTH_S: Final = 120.0
_MAX_COLUMNS: Final = 480


@dataclass(frozen=True, slots=True)
class PlacedLabel:
    """A marker whose label fits.

    Attributes:
        marker: The marker.
        row: Row of the label, counted from the top.
        left_of_line: Whether the text ends at the marker's line instead of beginning there.
    """

    marker: Marker
    row: int
    left_of_line: bool


class TimelineLayout:
    """Scales and rows of one timeline.

    Attributes:
        width: Width of the drawing.
        plot_px: Width of the plot, without margins.
        end_s: Length of the time axis, seconds.
        columns: The windows, grouped to at most one column for two pixels.
        labels: Markers whose label fits; the others are drawn as lines without a label.
        top: Ceiling of the plot; likewise ``floor``.
        coverage: Top of the coverage strip; likewise ``lanes`` of the pulses.
        axis: Height of the time axis.
        say: Translates the texts.
    """

    def __init__(
        self,
        windows: Sequence[WindowSummary],
        markers: Sequence[Marker],
        pulses: Sequence[PulseRecord],
        width: int,
        faces: bool,
        lanes: bool = True,
        say: Callable[[str], str] = str,
    ) -> None:
        self.width, self.say = width, say
        self.plot_px = width - LEFT - RIGHT
        ends = [window.end_s for window in windows] + [marker.at_s for marker in markers]
        self.end_s = max([_MIN_LENGTH_S, *ends, *(pulse.at_s for pulse in pulses)])
        self.columns: list[Column] = columns(windows, min(_MAX_COLUMNS, self.plot_px // 2))
        self.labels = self._place_labels(markers)
        rows = max((label.row for label in self.labels), default=-1) + 1
        self.top = 8 + rows * LABEL_ROW_PX
        self.floor = self.top + (SHARES_PX if faces else ATTENDANCE_PX)
        self.coverage = self.floor + 8
        self.lanes = self.coverage + (COVERAGE_PX + 6 if faces else 0)
        self.axis = self.lanes + (len(PulseKind) * LANE_PX if lanes else 0) + 4

    def x(self, at_s: float) -> float:
        """Position of a time, given in seconds since the class began."""
        return round(LEFT + self.plot_px * min(max(at_s, 0.0), self.end_s) / self.end_s, 1)

    def y(self, share: float) -> float:
        """Height of a share, 0..1, in the plot of the shares."""
        return round(self.floor - SHARES_PX * min(max(share, 0.0), 1.0), 1)

    def _place_labels(self, markers: Sequence[Marker]) -> list[PlacedLabel]:
        """Put each label into the first row that is free; drop it when no row is."""
        row_ends = [0.0] * _LABEL_ROWS
        placed = []
        for marker in sorted(markers, key=lambda marker: marker.at_s):
            length = 8 + CHAR_PX * min(len(marker.label), LABEL_CHARS)
            x = self.x(marker.at_s)
            left_of_line = x + length > self.width
            start = x - length if left_of_line else x
            row = next((row for row in range(_LABEL_ROWS) if row_ends[row] <= start), None)
            if row is not None:
                row_ends[row] = start + length
                placed.append(PlacedLabel(marker, row, left_of_line))
        return placed
