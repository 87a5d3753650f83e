"""How many were there, had the camera on and were analysed, over time, as SVG.

Comes in: windows. Goes out: one SVG text for the report of a class whose faces are looked at (for others the
timeline says who was present). Pure; bounded in size however long the class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from reports.document.charts import CAMERAS, PRESENT
from reports.document.columns import Column, columns
from reports.summary.windows import WindowSummary

_WIDTH, _HEIGHT = 960, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 10, 8, 20
_MOST_COLUMNS: Final = 240

LAYERS: Final[tuple[tuple[str, str, Callable[[Column], float]], ...]] = (
    ("cov-present", "present", lambda column: column.participants),
    ("cov-cameras", "camera on", lambda column: column.cameras_on),
    ("cov-analysed", "analysed", lambda column: column.analysed),
)
"""Class of the style sheet, name, and figure of each layer, from the back to the front."""

_FILLS: Final = {"cov-present": PRESENT, "cov-cameras": CAMERAS, "cov-analysed": "#3f6f87"}


def coverage_svg(windows: Sequence[WindowSummary]) -> str:
    """Draw it; gaps stay empty."""
    found = columns(windows, _MOST_COLUMNS)
    most = max((column.participants for column in found), default=0.0) or 1.0
    end_s = max((column.end_s for column in found), default=0.0) or 1.0
    floor, plot = _HEIGHT - _BOTTOM, _WIDTH - _LEFT - _RIGHT

    def x(at_s: float) -> str:
        return f"{_LEFT + plot * min(max(at_s, 0.0), end_s) / end_s:.1f}"

    said = ", ".join(name for _, name, _ in LAYERS).capitalize()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" role="img" '
        f'aria-label="{said} over time, at most {most:.0f} present" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="system-ui, sans-serif" font-size="12">'
    ]
    for kind, _, figure in LAYERS:
        path = "".join(
            f"M{x(column.start_s)} {floor}V{floor - (floor - _TOP) * figure(column) / most:.1f}"
            f"H{x(column.end_s)}V{floor}Z"
            for column in found
        )
        parts.append(f'<path class="{kind}" fill="{_FILLS[kind]}" d="{path}"/>')
    for count, y in ((most, _TOP), (0, floor)):
        parts.append(f'<path class="tl-grid" stroke="#d5d8db" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text class="tl-text" fill="#4a535b" x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">'
            f"{count:.0f}</text>"
        )
    parts.append(
        f'<text class="tl-text" fill="#4a535b" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">'
        f"{end_s / 60:.0f} min</text></svg>"
    )
    return "\n".join(parts)
