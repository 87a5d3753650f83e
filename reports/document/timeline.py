"""The timeline of a class as SVG: expressions, coverage, pulses and markers over time.

A class without face analysis shows how many were present instead of the expressions. The live page embeds
the SVG and requests it again for its own width; the report contains it. The size of the SVG is bounded,
however long the class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from reports.document.svg import FONT, xml_text
from reports.document.timeline_layers import (
    attendance,
    attendance_entries,
    coverage_strip,
    legend,
    marker_lines,
    pulse_lanes,
    share_entries,
    share_grid,
    stacked_shares,
    time_axis,
    withheld_columns,
)
from reports.document.timeline_layout import TimelineLayout
from reports.summary.records import Marker, PulseRecord
from reports.summary.shares import gaps, mean_shares
from reports.summary.windows import WindowSummary
from reports.summary.words import EMOTION_WORDS, N_

MIN_WIDTH: Final = 240
MAX_WIDTH: Final = 1600

_HATCH: Final = (
    '<defs><pattern id="tl-hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><path class="tl-hatch" d="M0 0v6" stroke="#8b9299" '
    'stroke-width="2"/></pattern></defs>'
)


def timeline_svg(
    windows: Sequence[WindowSummary],
    markers: Sequence[Marker] = (),
    pulses: Sequence[PulseRecord] = (),
    *,
    width: int = 960,
    faces: bool = True,
    lanes: bool = True,
    say: Callable[[str], str] = str,
) -> str:
    """Draw a class.

    Args:
        windows: In any order.
        markers: Drawn as vertical lines; as many are labelled as there is room for.
        pulses: Drawn as ticks, one lane for each kind.
        width: Pixels; clamped to ``MIN_WIDTH`` and ``MAX_WIDTH``.
        faces: Whether the class has face analysis; if not, the attendance is drawn instead.
        lanes: Whether the taps are drawn; not in a copy to share.
        say: Translates the texts.

    Returns:
        Well-formed SVG; one user unit is one pixel.
    """
    layout = TimelineLayout(
        windows, markers, pulses, min(MAX_WIDTH, max(MIN_WIDTH, width)), faces, lanes, say
    )
    if faces:
        title = say(N_("Visible expressions over time"))
        grid = share_grid(layout)
        figures = [*stacked_shares(layout), *withheld_columns(layout), *coverage_strip(layout)]
        entries = share_entries(layout)
    else:
        title = say(N_("Present, taps and markers over time"))
        grid = ()
        figures = list(attendance(layout))
        entries = attendance_entries(layout)
    legend_parts, height = legend(layout, entries)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" role="img" '
            f'aria-labelledby="tl-title tl-desc" width="{layout.width}" height="{height}" '
            f'viewBox="0 0 {layout.width} {height}" {FONT}>',
            f'<title id="tl-title">{title}</title>',
            f'<desc id="tl-desc">{xml_text(_description(layout, windows, markers, faces))}</desc>',
            _HATCH,
            *grid,
            *time_axis(layout),
            *figures,
            *(pulse_lanes(layout, pulses) if lanes else ()),
            *marker_lines(layout, markers),
            *legend_parts,
            "</svg>",
        ]
    )


def _description(
    layout: TimelineLayout, windows: Sequence[WindowSummary], markers: Sequence[Marker], faces: bool
) -> str:
    """The timeline in words, for screen readers."""
    say = layout.say
    if not windows:
        return say(N_("No windows yet."))
    length = {"count": len(windows), "minutes": f"{layout.columns[-1].end_s / 60:.1f}"}
    sentences = [say(N_("%(count)s windows over %(minutes)s minutes.")) % length]
    mean = mean_shares(windows)
    if mean is not None:
        largest = sorted(mean, key=lambda label: -mean[label])[:3]
        listed = ", ".join(f"{say(EMOTION_WORDS[label])} {100 * mean[label]:.0f} %" for label in largest)
        sentences.append(say(N_("On average: %(shares)s.")) % {"shares": listed})
    peak = max(window.participants for window in windows)
    if not peak:
        sentences.append(say(N_("Nobody was present.")))
    elif faces:
        withheld = sum(window.withheld for window in windows)
        sentences.append(say(N_("Windows withheld: %(count)s.")) % {"count": withheld})
    else:
        sentences.append(say(N_("At most %(count)s present.")) % {"count": peak})
    counts = {"gaps": gaps(windows), "markers": len(markers)}
    sentences.append(say(N_("Gaps: %(gaps)s, markers: %(markers)s.")) % counts)
    return " ".join(sentences)
