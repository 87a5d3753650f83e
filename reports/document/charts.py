"""The timeline as SVG: the seven expressions stacked over time, with what was not seen shown as such.

Where faces are not looked at, how many were present stands in the place of the expressions.

Comes in: windows, markers, pulses of one class. Goes out: one SVG text, used as it is by the live page
(inside its document, redrawn for its width) and by the report. Pure; bounded in size however long the
class. Colours stand as attributes for a viewer without style sheet; ``emotion_css`` and chart.css, by
class, override them on our pages, light and dark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from xml.sax.saxutils import escape

from reports.document.columns import Column, columns
from reports.summary.records import Marker, PulseRecord
from reports.summary.shares import gaps, mean_shares
from reports.summary.windows import PulseKind, WindowSummary
from reports.summary.words import PULSE_WORDS

COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "angry": "#b6411b",
        "disgust": "#1d8565",
        "fear": "#814e88",
        "happy": "#eab830",
        "sad": "#2344ac",
        "surprise": "#67c0f5",
        "neutral": "#b4b8bc",
    }
)
"""One colour an expression, apart also for colour-blind eyes (a test holds them apart)."""

STACK: Final = ("happy", "surprise", "neutral", "sad", "fear", "disgust", "angry")
"""From the bottom up: pleasant ones on the floor, tense ones hanging from the ceiling."""

PRESENT, CAMERAS = "#d3d9de", "#98a6b0"
"""Colours of the counts of those present, and of those with a camera."""

MIN_WIDTH: Final = 240
MAX_WIDTH: Final = 1600

_LEFT, _RIGHT = 58, 10
_LABEL_ROWS, _LABEL_ROW_PX = 3, 16
_AREA_PX, _PRESENT_PX, _STRIP_PX, _LANE_PX = 170, 64, 20, 14
_CHAR_PX = 7.4
_SHORTEST_S = 120.0
_MOST_COLUMNS = 480
_TICKS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)
_LABEL_CHARS, _TITLE_CHARS = 24, 200
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def emotion_css() -> str:
    """CSS rules: per expression a class that fills SVG shapes and one that colours a swatch or bar."""
    return "".join(
        f".emo-{label}{{fill:{colour};background-color:{colour}}}\n" for label, colour in COLOURS.items()
    )


def timeline_svg(
    windows: Sequence[WindowSummary],
    markers: Sequence[Marker] = (),
    pulses: Sequence[PulseRecord] = (),
    *,
    width: int = 960,
    faces: bool = True,
) -> str:
    """Draw a class.

    Args:
        windows: In any order.
        markers: Drawn as lines across; as many are labelled as there is room for.
        pulses: Drawn as ticks in one lane a kind.
        width: Pixels, taken between ``MIN_WIDTH`` and ``MAX_WIDTH``.
        faces: Whether faces are looked at in this class; if not, who is present is drawn instead.

    Returns:
        Well-formed SVG, one user unit a pixel.
    """
    return _Timeline(windows, markers, pulses, min(MAX_WIDTH, max(MIN_WIDTH, width)), faces).svg()


def xml_text(text: str, most: int | None = None) -> str:
    """Text fit for XML: escaped, characters XML does not know left out, cut to ``most`` characters."""
    kept = " ".join(_NOT_XML.sub("", text).split())
    if most is not None and len(kept) > most:
        kept = kept[: most - 1].rstrip() + "…"
    return escape(kept, {'"': "&quot;", "'": "&apos;"})


class _Timeline:
    """One drawing: its scales and its parts, from the top down."""

    def __init__(
        self,
        windows: Sequence[WindowSummary],
        markers: Sequence[Marker],
        pulses: Sequence[PulseRecord],
        width: int,
        faces: bool,
    ) -> None:
        self.windows, self.markers, self.pulses, self.width = windows, markers, pulses, width
        self.faces = faces
        self.plot_px = width - _LEFT - _RIGHT
        ends = [window.end_s for window in windows] + [marker.at_s for marker in markers]
        self.end_s = max([_SHORTEST_S, *ends, *(pulse.at_s for pulse in pulses)])
        self.columns = columns(windows, min(_MOST_COLUMNS, self.plot_px // 2))
        self.labels = self._place_labels()
        rows = max((row for _, row, _ in self.labels), default=-1) + 1
        self.top = 8 + rows * _LABEL_ROW_PX
        self.floor = self.top + (_AREA_PX if faces else _PRESENT_PX)
        self.strip = self.floor + 8
        self.lanes = self.strip + (_STRIP_PX + 6 if faces else 0)
        self.axis = self.lanes + len(PulseKind) * _LANE_PX + 4

    def x(self, at_s: float) -> float:
        return round(_LEFT + self.plot_px * min(max(at_s, 0.0), self.end_s) / self.end_s, 1)

    def y(self, share: float) -> float:
        return round(self.floor - _AREA_PX * min(max(share, 0.0), 1.0), 1)

    def svg(self) -> str:
        legend, height = self._legend(self.axis + 36)
        if self.faces:
            seen = (*self._areas(), *self._suppressed(), *self._coverage())
        else:
            seen = tuple(self._present())
        said = "Visible expressions over time" if self.faces else "Present, taps and markers over time"
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" role="img" '
            f'aria-labelledby="tl-title tl-desc" width="{self.width}" height="{height}" '
            f'viewBox="0 0 {self.width} {height}" font-family="system-ui, sans-serif" font-size="12">'
            f'<title id="tl-title">{said}</title>'
            f'<desc id="tl-desc">{xml_text(self._description())}</desc>'
            '<defs><pattern id="tl-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><path class="tl-hatch" d="M0 0v6" stroke="#8b9299" '
            'stroke-width="2"/></pattern></defs>',
            *self._grid(),
            *seen,
            *self._pulses(),
            *self._markers(),
            *legend,
            "</svg>",
        ]
        return "\n".join(part for part in parts if part)

    def _description(self) -> str:
        if not self.windows:
            return "No windows yet."
        mean = mean_shares(self.windows)
        minutes = self.columns[-1].end_s / 60
        said = [f"{len(self.windows)} windows over {minutes:.1f} minutes."]
        if mean is not None:
            largest = sorted(mean, key=lambda label: -mean[label])[:3]
            said.append(
                "On the whole: " + ", ".join(f"{label} {100 * mean[label]:.0f} %" for label in largest) + "."
            )
        most = max(window.participants for window in self.windows)
        if not most:
            said.append("Nobody was present.")
        elif self.faces:
            said.append(f"{sum(window.withheld for window in self.windows)} windows withheld.")
        else:
            said.append(f"At most {most} present.")
        said.append(f"{gaps(self.windows)} gaps, {len(self.markers)} markers.")
        return " ".join(said)

    def _grid(self) -> Iterable[str]:
        right = self.width - _RIGHT
        for share, text in ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")) if self.faces else ():
            y = self.y(share)
            yield f'<path class="tl-grid" d="M{_LEFT} {y}H{right}" stroke="#d5d8db" fill="none"/>'
            yield _text(_LEFT - 6, y + 4, text, anchor="end")
        step_s = next(
            (step for step in _TICKS_S if self.plot_px * step / self.end_s >= 34), float(_TICKS_S[-1])
        )
        for tick in range(int(self.end_s // step_s) + 1):
            x = self.x(tick * step_s)
            yield f'<path class="tl-grid" d="M{x} {self.axis}v4" stroke="#d5d8db"/>'
            yield _text(x, self.axis + 16, f"{tick * step_s / 60:.0f}", anchor="middle")
        yield f'<path class="tl-grid" d="M{_LEFT} {self.axis}H{right}" stroke="#d5d8db"/>'
        yield _text(_LEFT - 12, self.axis + 16, "min", anchor="end")

    def _areas(self) -> Iterable[str]:
        """Whole stacks first, lower ones over them: one edge a layer, half the size."""
        for run in _runs(self.columns):
            for top in range(len(STACK), 0, -1):
                heights = [self.y(sum((column.shares or {})[one] for one in STACK[:top])) for column in run]
                colour, label = COLOURS[STACK[top - 1]], STACK[top - 1]
                yield f'<path class="emo-{label}" fill="{colour}" d="{self._steps(run, heights)}"/>'

    def _steps(self, run: Sequence[Column], heights: Sequence[float]) -> str:
        path, last = [f"M{self.x(run[0].start_s):g} {self.floor}"], None
        for column, height in zip(run, heights, strict=True):
            if height != last:
                path.append(f"V{height:g}")
            path.append(f"H{self.x(column.end_s):g}")
            last = height
        return "".join(path) + f"V{self.floor}Z"

    def _suppressed(self) -> Iterable[str]:
        path = "".join(
            f"M{self.x(column.start_s):g} {self.top}H{self.x(column.end_s):g}V{self.floor}"
            f"H{self.x(column.start_s):g}Z"
            for column in self.columns
            if column.withheld
        )
        if path:
            yield f'<path class="tl-withheld" fill="url(#tl-hatch)" d="{path}"/>'

    def _coverage(self) -> Iterable[str]:
        bottom = self.strip + _STRIP_PX
        all_of, seen = [], []
        for column in self.columns:
            left, right = self.x(column.start_s), self.x(column.end_s)
            all_of.append(f"M{left:g} {self.strip}H{right:g}V{bottom}H{left:g}Z")
            seen.append(f"M{left:g} {bottom - _STRIP_PX * column.seen:.1f}H{right:g}V{bottom}H{left:g}Z")
        yield _text(_LEFT - 6, self.strip + 14, "seen", anchor="end")
        if self.columns:
            yield f'<path class="tl-all" fill="#e3e6e8" d="{"".join(all_of)}"/>'
            yield f'<path class="tl-seen" fill="#66717b" d="{"".join(seen)}"/>'

    def _present(self) -> Iterable[str]:
        """How many were there, and with a camera where the room tells."""
        most = max([1.0, *(column.participants for column in self.columns)])
        right = self.width - _RIGHT
        for y, text in ((self.top, f"{most:.0f}"), (self.floor, "0")):
            yield f'<path class="tl-grid" d="M{_LEFT} {y}H{right}" stroke="#d5d8db" fill="none"/>'
            yield _text(_LEFT - 6, y + 4, text, anchor="end")
        yield _text(_LEFT - 6, (self.top + self.floor) / 2 + 4, "present", anchor="end")
        for kind, fill, counts in (
            ("cov-present", PRESENT, [column.participants for column in self.columns]),
            ("cov-cameras", CAMERAS, [column.cameras_on for column in self.columns]),
        ):
            path = "".join(
                f"M{self.x(column.start_s):g} {self.floor}V{self.floor - _PRESENT_PX * count / most:.1f}"
                f"H{self.x(column.end_s):g}V{self.floor}Z"
                for column, count in zip(self.columns, counts, strict=True)
                if count
            )
            if path:
                yield f'<path class="{kind}" fill="{fill}" d="{path}"/>'

    def _pulses(self) -> Iterable[str]:
        for lane, kind in enumerate(PulseKind):
            y = self.lanes + lane * _LANE_PX
            yield _text(_LEFT - 6, y + 11, PULSE_WORDS[kind.value], anchor="end", size=11)
            at = sorted({2 * round(self.x(pulse.at_s) / 2) for pulse in self.pulses if pulse.kind == kind})
            if at:
                ticks = "".join(f"M{x} {y + 1}v{_LANE_PX - 3}" for x in at)
                yield f'<path class="tl-pulse" stroke="#3c454d" stroke-width="1.5" d="{ticks}"/>'

    def _place_labels(self) -> list[tuple[Marker, int, bool]]:
        """Markers that find room: (marker, row, whether the text stands left of its line)."""
        free = [0.0] * _LABEL_ROWS
        placed = []
        for marker in sorted(self.markers, key=lambda marker: marker.at_s):
            length = 8 + _CHAR_PX * min(len(marker.label), _LABEL_CHARS)
            x = self.x(marker.at_s)
            left = x + length > self.width
            start = x - length if left else x
            row = next((row for row in range(_LABEL_ROWS) if free[row] <= start), None)
            if row is not None:
                free[row] = start + length
                placed.append((marker, row, left))
        return placed

    def _markers(self) -> Iterable[str]:
        shown = {id(marker) for marker, _, _ in self.labels}
        plain = sorted({self.x(marker.at_s) for marker in self.markers if id(marker) not in shown})
        if plain:
            lines = "".join(f"M{x:g} {self.top}V{self.axis}" for x in plain)
            yield _marker_path(lines)
        for marker, row, left in self.labels:
            x, y = self.x(marker.at_s), 6 + row * _LABEL_ROW_PX
            label = _text(
                x - 4 if left else x + 4,
                y + 10,
                marker.label,
                anchor="end" if left else "start",
                kind="tl-label",
            )
            yield f"<g><title>{xml_text(marker.label, _TITLE_CHARS)}</title>"
            yield _marker_path(f"M{x:g} {y}V{self.axis}")
            yield f"{label}</g>"

    def _legend(self, y: float) -> tuple[list[str], int]:
        """The legend from ``y`` down and the height it ends at."""
        if self.faces:
            entries = [(f'class="emo-{one}" fill="{COLOURS[one]}"', one) for one in STACK]
            if any(column.withheld for column in self.columns):
                entries.append(('class="tl-withheld" fill="url(#tl-hatch)"', "withheld for privacy"))
        elif any(column.cameras_on for column in self.columns):
            entries = [
                (f'class="cov-present" fill="{PRESENT}"', "present"),
                (f'class="cov-cameras" fill="{CAMERAS}"', "camera on"),
            ]
        else:
            return [], round(y) - 12
        parts, x = [], float(_LEFT)
        for look, text in entries:
            wide = 15 + _CHAR_PX * len(text) + 12
            if x + wide > self.width and x > _LEFT:
                x, y = float(_LEFT), y + 18
            parts.append(f'<rect {look} x="{x:.0f}" y="{y:.0f}" width="11" height="11" rx="2"/>')
            parts.append(_text(x + 16, y + 10, text))
            x += wide
        return parts, round(y + 20)


def _runs(found: Sequence[Column]) -> list[list[Column]]:
    """Columns with shares that follow each other without a gap."""
    runs: list[list[Column]] = []
    open_run = False
    for column in found:
        if column.shares is None:
            open_run = False
            continue
        if open_run and not column.after_gap:
            runs[-1].append(column)
        else:
            runs.append([column])
        open_run = True
    return runs


def _marker_path(lines: str) -> str:
    return f'<path class="tl-marker" stroke="#1d2329" stroke-dasharray="2 2" d="{lines}"/>'


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", kind: str = "tl-text", size: float | None = None
) -> str:
    sized = "" if size is None else f' font-size="{size:g}"'
    return (
        f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="#4a535b"{sized}>'
        f"{xml_text(text, _LABEL_CHARS)}</text>"
    )
