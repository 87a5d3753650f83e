"""The report of a class: worked out from what the store holds, written as HTML, CSV or JSON.

Comes in: a class with its windows, markers and pulses, earlier classes of its title, and the model's
card. Goes out: a ``ClassReport`` and its three renderings. Pure but for ``load_report``, which reads the
store; no clock, so that the page and the command line give the same bytes.

Columns of the CSV, one row a window, oldest first:

==========================  ==============================================================================
class_id, title             the class
start_s, length_s           seconds since the class began; seconds
participants, cameras_on    everyone counted; those with the camera on
analysed                    those whose expression was read
not_analysed_REASON         those who were not, by reason; with ``analysed`` they add up to participants
angry ... neutral           mean share of each expression, 0..1; empty when withheld
suppressed                  ``true`` when the shares are withheld (too few, or one could be told apart)
pulses_KIND                 taps in the window, by kind
markers                     labels of the markers set before the next window, joined by " | "
facing                      share turned to the screen, 0..1; empty when withheld or not known
voices_KIND                 students by what they tapped last, within two minutes before the window's end
==========================  ==============================================================================
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from inference.emotions import EMOTIONS
from reports.document.charts import STACK, timeline_svg
from reports.document.comparison import AROUND_S, AroundTaps, Session, around_taps, same_title, session
from reports.document.coverage_chart import LAYERS, coverage_svg
from reports.document.intervals import BATCH_S
from reports.document.moments import Moment, moments, too_short
from reports.document.segments import Segment, by_kind, segments
from reports.document.templating import report_template, styles
from reports.store import Store
from reports.summary.classes import ClassInfo
from reports.summary.indications import Alert
from reports.summary.indicators import indicate
from reports.summary.records import Marker, PulseRecord
from reports.summary.shares import Coverage, coverage, gaps, mean_facing, mean_shares, not_analysed_totals
from reports.summary.windows import NotAnalysed, PulseKind, WindowSummary
from reports.summary.words import (
    ALERT_WORDS,
    NOT_ANALYSED_WORDS,
    NOT_MEANT,
    NOT_MEANT_WITHOUT_FACES,
    PULSE_WORDS,
    STATE_WORDS,
    SYNTHETIC,
    low_group,
    profile_held,
)

CSV_COLUMNS: Final = (
    *("class_id", "title", "start_s", "length_s", "participants", "cameras_on", "analysed"),
    *(f"not_analysed_{reason.value}" for reason in NotAnalysed),
    *EMOTIONS,
    "suppressed",
    *(f"pulses_{kind.value}" for kind in PulseKind),
    "markers",
    "facing",
    *(f"voices_{kind.value}" for kind in PulseKind),
)
"""See the module's text."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_TIMELINE_PX = 960

MOST_EARLIER: Final = 8
"""Earlier classes of the same title that are compared."""


@dataclass(frozen=True, slots=True)
class ClassReport:
    """A class worked out.

    Attributes:
        info: The class.
        windows: Oldest first; likewise ``markers`` and ``pulses``.
        length_s: Up to the end of the last window, seconds.
        coverage: Over the class; None without windows.
        shares: Mean shares over the class, weighted by the analysed; None when there are none to show.
        facing: Mean share turned to the screen; None when no window has one.
        segments: From marker to marker.
        moments: Worth a look, oldest first.
        too_short: Whether the class is too short for one.
        alerts: As the host was told of them, oldest first.
        around: Faces around the taps of each kind.
        earlier: Earlier classes of the same title, oldest first.
        not_analysed: Participants not analysed, by reason, counted once a window.
        withheld: Number of windows with somebody present whose shares are withheld.
        gaps: How often windows are missing.
        card: The model's card, if there is one.
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
    around: tuple[AroundTaps, ...]
    earlier: tuple[Session, ...]
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
    earlier: Sequence[Session] = (),
) -> ClassReport:
    """Work a class out; windows, markers and pulses may come in any order."""
    ordered = tuple(sorted(windows, key=lambda window: window.start_s))
    marked = tuple(sorted(markers, key=lambda marker: marker.at_s))
    tapped = tuple(sorted(pulses, key=lambda pulse: pulse.at_s))
    length_s = max((window.end_s for window in ordered), default=0.0)
    return ClassReport(
        info=info,
        windows=ordered,
        markers=marked,
        pulses=tapped,
        length_s=length_s,
        coverage=coverage(ordered),
        shares=mean_shares(ordered),
        facing=mean_facing(ordered),
        segments=segments(ordered, marked, tapped, length_s),
        moments=moments(ordered, marked),
        too_short=too_short(ordered),
        alerts=tuple(alerts),
        around=around_taps(ordered, tapped),
        earlier=tuple(earlier),
        not_analysed=not_analysed_totals(ordered),
        withheld=sum(window.withheld for window in ordered),
        gaps=gaps(ordered),
        card=model_card,
    )


async def load_report(store: Store, class_id: str, card: Mapping[str, Any] | None) -> ClassReport | None:
    """The report of a class as the store has it now; None if there is no such class."""
    info = await store.get_class(class_id)
    if info is None:
        return None
    windows = await store.windows(class_id)
    earlier = [
        session(other, await store.windows(other.id))
        for other in same_title(info, await store.classes(), MOST_EARLIER)
    ]
    return build_report(
        info,
        windows,
        await store.markers(class_id),
        await store.pulses(class_id),
        card,
        (await asyncio.to_thread(indicate, windows)).alerts,
        earlier,
    )


def to_html(report: ClassReport) -> str:
    """One HTML file that needs nothing else: no script, no network."""
    faces = report.info.analyses_faces
    return report_template().render(
        faces=faces,
        report=report,
        info=report.info,
        state=STATE_WORDS[report.info.state.value],
        css="\n".join(
            styles().text(name) for name in ("base.css", "emotions.css", "chart.css", "report.css")
        ),
        timeline=timeline_svg(report.windows, report.markers, report.pulses, width=_TIMELINE_PX, faces=faces),
        emotions=STACK,
        not_analysed_words=NOT_ANALYSED_WORDS,
        pulse_words=PULSE_WORDS,
        pulse_totals=by_kind(report.pulses),
        not_meant=NOT_MEANT if faces else NOT_MEANT_WITHOUT_FACES,
        synthetic=SYNTHETIC if report.info.synthetic else None,
        profile=profile_held(faces),
        low_group=low_group(report.info.min_group),
        metrics=(report.card or {}).get("metrics"),
        recalls=_recalls(report.card),
        alert_words=ALERT_WORDS,
        coverage_chart=coverage_svg(report.windows),
        coverage_layers=[(kind, name) for kind, name, _ in LAYERS],
        batch_s=f"{BATCH_S:.0f}",
        around_s=f"{AROUND_S:.0f}",
        this=session(report.info, report.windows),
    )


def to_csv(report: ClassReport) -> str:
    """One row a window; the columns stand in the module's text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    last = len(report.windows) - 1
    for index, window in enumerate(report.windows):
        shares = window.expressions or {}
        from_s = window.start_s if index else float("-inf")
        to_s = report.windows[index + 1].start_s if index < last else float("inf")
        labels = [marker.label for marker in report.markers if from_s <= marker.at_s < to_s]
        writer.writerow(
            [
                cell(window.class_id),
                cell(report.info.title),
                window.start_s,
                window.length_s,
                window.participants,
                window.cameras_on,
                window.analysed,
                *(window.not_analysed.get(reason.value, 0) for reason in NotAnalysed),
                *(shares.get(label, "") for label in EMOTIONS),
                "true" if window.suppressed else "false",
                *(window.pulses.get(kind.value, 0) for kind in PulseKind),
                cell(" | ".join(labels)),
                "" if window.facing is None else window.facing,
                *(window.votes.get(kind.value, 0) for kind in PulseKind),
            ]
        )
    return out.getvalue()


def to_json(report: ClassReport) -> str:
    """The class, its windows, markers, pulses and alerts as one JSON object."""
    held = {
        "class": report.info.to_json(),
        "windows": [window.to_json() for window in report.windows],
        "markers": [marker.to_json() for marker in report.markers],
        "pulses": [pulse.to_json() for pulse in report.pulses],
        "alerts": [alert.to_json() for alert in report.alerts],
    }
    return json.dumps(held, indent=1, ensure_ascii=False) + "\n"


def cell(text: str) -> str:
    """Text for a CSV cell that no spreadsheet takes for a formula (an apostrophe goes before one)."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def _recalls(card: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    """Recall of each expression the card knows, best first."""
    found = ((card or {}).get("metrics") or {}).get("per_class") or {}
    return sorted(((label, one["recall"]) for label, one in found.items()), key=lambda one: -one[1])
