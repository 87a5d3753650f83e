"""The coverage over time as SVG: how many were present, had the camera on and were analysed.

Only for classes with face analysis; for others the timeline shows the attendance. The size of the SVG is
bounded, however long the class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from reports.document.columns import Column, columns
from reports.document.palette import ANALYSED, CAMERAS, PRESENT
from reports.document.svg import FONT, grid_line, text_at, xml_text
from reports.summary.windows import WindowSummary
from reports.summary.words import N_

_WIDTH, _HEIGHT = 960, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 10, 8, 20
_MAX_COLUMNS: Final = 240


@dataclass(frozen=True, slots=True)
class Layer:
    """One count over time.

    Attributes:
        css_class: Class of the layer in chart.css.
        name: Name in the legend.
        fill: Colour for viewers without style sheet.
        count: The count of a column.
    """

    css_class: str
    name: str
    fill: str
    count: Callable[[Column], float]


LAYERS: Final = (
    Layer("cov-present", N_("present"), PRESENT, lambda column: column.participants),
    Layer("cov-cameras", N_("camera on"), CAMERAS, lambda column: column.cameras_on),
    Layer("cov-analysed", N_("analysed"), ANALYSED, lambda column: column.analysed),
)
"""From the back to the front."""


def coverage_svg(windows: Sequence[WindowSummary], say: Callable[[str], str] = str) -> str:
    """Draw the layers over each other; gaps stay empty."""
    drawn = columns(windows, _MAX_COLUMNS)
    peak = max((column.participants for column in drawn), default=0.0) or 1.0
    end_s = max((column.end_s for column in drawn), default=0.0) or 1.0
    floor, plot_px = _HEIGHT - _BOTTOM, _WIDTH - _LEFT - _RIGHT

    def x(at_s: float) -> str:
        return f"{_LEFT + plot_px * min(max(at_s, 0.0), end_s) / end_s:.1f}"

    names = ", ".join(say(layer.name) for layer in LAYERS).capitalize()
    label = say(N_("%(names)s over time, at most %(peak)s present")) % {"names": names, "peak": f"{peak:.0f}"}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" role="img" '
        f'aria-label="{xml_text(label)}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" {FONT}>'
    ]
    for layer in LAYERS:
        path = "".join(
            f"M{x(column.start_s)} {floor}V{floor - (floor - _TOP) * layer.count(column) / peak:.1f}"
            f"H{x(column.end_s)}V{floor}Z"
            for column in drawn
        )
        parts.append(f'<path class="{layer.css_class}" fill="{layer.fill}" d="{path}"/>')
    for count, y in ((peak, _TOP), (0, floor)):
        parts.append(grid_line(f"M{_LEFT} {y}H{_WIDTH - _RIGHT}"))
        parts.append(text_at(_LEFT - 6, y + 4, f"{count:.0f}", anchor="end"))
    parts.append(text_at(_WIDTH - _RIGHT, _HEIGHT - 4, f"{end_s / 60:.0f} min", anchor="end"))
    return "\n".join([*parts, "</svg>"])
