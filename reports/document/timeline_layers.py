"""The layers of the timeline as SVG elements: grid, figures, pulses, markers and legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from reports.document.columns import Column
from reports.document.palette import CAMERAS, COLOURS, PRESENT, STACK
from reports.document.svg import grid_line, text_at, xml_text
from reports.document.timeline_layout import (
    ATTENDANCE_PX,
    CHAR_PX,
    COVERAGE_PX,
    LABEL_ROW_PX,
    LANE_PX,
    LEFT,
    RIGHT,
    TimelineLayout,
)
from reports.summary.records import Marker, PulseRecord
from reports.summary.windows import PulseKind
from reports.summary.words import EMOTION_WORDS, N_, PULSE_WORDS

_TICK_STEPS_S: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)
_MIN_TICK_PX: Final = 34
_TOOLTIP_CHARS: Final = 200


def time_axis(layout: TimelineLayout) -> Iterable[str]:
    """The time axis in minutes, with as many ticks as there is room for."""
    step_s = next(
        (step for step in _TICK_STEPS_S if layout.plot_px * step / layout.end_s >= _MIN_TICK_PX),
        float(_TICK_STEPS_S[-1]),
    )
    for tick in range(int(layout.end_s // step_s) + 1):
        x = layout.x(tick * step_s)
        yield grid_line(f"M{x} {layout.axis}v4")
        yield text_at(x, layout.axis + 16, f"{tick * step_s / 60:.0f}", anchor="middle")
    yield grid_line(f"M{LEFT} {layout.axis}H{layout.width - RIGHT}")
    yield text_at(LEFT - 12, layout.axis + 16, layout.say(N_("min")), anchor="end")


def share_grid(layout: TimelineLayout) -> Iterable[str]:
    """Lines at 0, 50 and 100 % behind the shares."""
    for share, text in ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")):
        y = layout.y(share)
        yield grid_line(f"M{LEFT} {y}H{layout.width - RIGHT}")
        yield text_at(LEFT - 6, y + 4, text, anchor="end")


def stacked_shares(layout: TimelineLayout) -> Iterable[str]:
    """The mean shares of the expressions, stacked; columns without shares stay empty."""
    for run in _runs(layout.columns):
        # Each layer reaches down to the floor and the lower ones cover it: half the size of two edges each.
        for top in range(len(STACK), 0, -1):
            heights = [layout.y(sum((column.shares or {})[one] for one in STACK[:top])) for column in run]
            colour, label = COLOURS[STACK[top - 1]], STACK[top - 1]
            yield f'<path class="emo-{label}" fill="{colour}" d="{_steps(layout, run, heights)}"/>'


def withheld_columns(layout: TimelineLayout) -> Iterable[str]:
    """Hatching where participants were present but their shares are withheld."""
    path = "".join(
        f"M{layout.x(column.start_s):g} {layout.top}H{layout.x(column.end_s):g}V{layout.floor}"
        f"H{layout.x(column.start_s):g}Z"
        for column in layout.columns
        if column.withheld
    )
    if path:
        yield f'<path class="tl-withheld" fill="url(#tl-hatch)" d="{path}"/>'


def coverage_strip(layout: TimelineLayout) -> Iterable[str]:
    """How much of the class was analysed: a grey strip, filled from below by the coverage."""
    bottom = layout.coverage + COVERAGE_PX
    present, analysed = [], []
    for column in layout.columns:
        left, right = layout.x(column.start_s), layout.x(column.end_s)
        present.append(f"M{left:g} {layout.coverage}H{right:g}V{bottom}H{left:g}Z")
        analysed.append(
            f"M{left:g} {bottom - COVERAGE_PX * column.coverage:.1f}H{right:g}V{bottom}H{left:g}Z"
        )
    yield text_at(LEFT - 6, layout.coverage + 14, layout.say(N_("seen")), anchor="end")
    if layout.columns:
        yield f'<path class="tl-all" fill="#e3e6e8" d="{"".join(present)}"/>'
        yield f'<path class="tl-seen" fill="#66717b" d="{"".join(analysed)}"/>'


def attendance(layout: TimelineLayout) -> Iterable[str]:
    """How many were present and, where the room reports it, with the camera on."""
    peak = max([1.0, *(column.participants for column in layout.columns)])
    for y, text in ((layout.top, f"{peak:.0f}"), (layout.floor, "0")):
        yield grid_line(f"M{LEFT} {y}H{layout.width - RIGHT}")
        yield text_at(LEFT - 6, y + 4, text, anchor="end")
    yield text_at(LEFT - 6, (layout.top + layout.floor) / 2 + 4, layout.say(N_("present")), anchor="end")
    for css_class, fill, counts in (
        ("cov-present", PRESENT, [column.participants for column in layout.columns]),
        ("cov-cameras", CAMERAS, [column.cameras_on for column in layout.columns]),
    ):
        path = "".join(
            f"M{layout.x(column.start_s):g} {layout.floor}V{layout.floor - ATTENDANCE_PX * count / peak:.1f}"
            f"H{layout.x(column.end_s):g}V{layout.floor}Z"
            for column, count in zip(layout.columns, counts, strict=True)
            if count
        )
        if path:
            yield f'<path class="{css_class}" fill="{fill}" d="{path}"/>'


def pulse_lanes(layout: TimelineLayout, pulses: Sequence[PulseRecord]) -> Iterable[str]:
    """One lane for each kind of pulse, with a tick for each tap."""
    for lane, kind in enumerate(PulseKind):
        y = layout.lanes + lane * LANE_PX
        yield text_at(LEFT - 6, y + 11, layout.say(PULSE_WORDS[kind.value]), anchor="end", size=11)
        # Rounded to two pixels: taps that nobody could tell apart share a tick, which bounds the size.
        xs = sorted({2 * round(layout.x(pulse.at_s) / 2) for pulse in pulses if pulse.kind == kind})
        if xs:
            ticks = "".join(f"M{x} {y + 1}v{LANE_PX - 3}" for x in xs)
            yield f'<path class="tl-pulse" stroke="#3c454d" stroke-width="1.5" d="{ticks}"/>'


def marker_lines(layout: TimelineLayout, markers: Sequence[Marker]) -> Iterable[str]:
    """A line for each marker, and the labels that have a place."""
    labelled = {id(label.marker) for label in layout.labels}
    plain = sorted({layout.x(marker.at_s) for marker in markers if id(marker) not in labelled})
    if plain:
        yield _marker_path("".join(f"M{x:g} {layout.top}V{layout.axis}" for x in plain))
    for label in layout.labels:
        x, y = layout.x(label.marker.at_s), 6 + label.row * LABEL_ROW_PX
        yield f"<g><title>{xml_text(label.marker.label, _TOOLTIP_CHARS)}</title>"
        yield _marker_path(f"M{x:g} {y}V{layout.axis}")
        text = text_at(
            x - 4 if label.left_of_line else x + 4,
            y + 10,
            label.marker.label,
            anchor="end" if label.left_of_line else "start",
            css_class="tl-label",
        )
        yield f"{text}</g>"


def share_entries(layout: TimelineLayout) -> list[tuple[str, str]]:
    """Legend of the shares: attributes of the swatch, and text."""
    entries = [(f'class="emo-{one}" fill="{COLOURS[one]}"', layout.say(EMOTION_WORDS[one])) for one in STACK]
    if any(column.withheld for column in layout.columns):
        entries.append(('class="tl-withheld" fill="url(#tl-hatch)"', layout.say(N_("withheld for privacy"))))
    return entries


def attendance_entries(layout: TimelineLayout) -> list[tuple[str, str]]:
    """Legend of the attendance; a single layer needs none."""
    if not any(column.cameras_on for column in layout.columns):
        return []
    return [
        (f'class="cov-present" fill="{PRESENT}"', layout.say(N_("present"))),
        (f'class="cov-cameras" fill="{CAMERAS}"', layout.say(N_("camera on"))),
    ]


def legend(layout: TimelineLayout, entries: Sequence[tuple[str, str]]) -> tuple[list[str], int]:
    """The legend below the time axis, wrapped to the width, and the height of the whole drawing."""
    if not entries:
        return [], layout.axis + 24
    parts, x, y = [], float(LEFT), layout.axis + 36
    for attributes, text in entries:
        entry_px = 15 + CHAR_PX * len(text) + 12
        if x + entry_px > layout.width and x > LEFT:
            x, y = float(LEFT), y + 18
        parts.append(f'<rect {attributes} x="{x:.0f}" y="{y:.0f}" width="11" height="11" rx="2"/>')
        parts.append(text_at(x + 16, y + 10, text))
        x += entry_px
    return parts, y + 20


def _steps(layout: TimelineLayout, run: Sequence[Column], heights: Sequence[float]) -> str:
    """A closed path of steps from the floor, one step for each column."""
    path, last = [f"M{layout.x(run[0].start_s):g} {layout.floor}"], None
    for column, height in zip(run, heights, strict=True):
        if height != last:
            path.append(f"V{height:g}")
        path.append(f"H{layout.x(column.end_s):g}")
        last = height
    return "".join(path) + f"V{layout.floor}Z"


def _runs(ordered: Sequence[Column]) -> list[list[Column]]:
    """Stretches of columns that have shares and follow each other without a gap."""
    runs: list[list[Column]] = []
    open_run = False
    for column in ordered:
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
