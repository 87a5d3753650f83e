"""The report as one HTML file and as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from reports.document.class_report import ClassReport
from reports.document.comparison import NEAR_TAP_S, compared_class
from reports.document.coverage_chart import LAYERS, coverage_svg
from reports.document.intervals import BATCH_S
from reports.document.palette import STACK
from reports.document.segments import by_kind
from reports.document.templating import report_template, styles
from reports.document.timeline import timeline_svg
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

_TIMELINE_PX: Final = 960
_STYLE_SHEETS: Final = ("base.css", "emotions.css", "chart.css", "report.css")


def to_html(report: ClassReport) -> str:
    """One HTML file that needs nothing else: it runs no script and loads nothing."""
    faces = report.info.analyses_faces
    return report_template().render(
        faces=faces,
        report=report,
        info=report.info,
        state=STATE_WORDS[report.info.state.value],
        css="\n".join(styles().text(name) for name in _STYLE_SHEETS),
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
        coverage_layers=LAYERS,
        batch_s=f"{BATCH_S:.0f}",
        near_tap_s=f"{NEAR_TAP_S:.0f}",
        this_class=compared_class(report.info, report.windows),
    )


def to_json(report: ClassReport) -> str:
    """The class, its windows, markers, pulses and alerts as one JSON object."""
    content = {
        "class": report.info.to_json(),
        "windows": [window.to_json() for window in report.windows],
        "markers": [marker.to_json() for marker in report.markers],
        "pulses": [pulse.to_json() for pulse in report.pulses],
        "alerts": [alert.to_json() for alert in report.alerts],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _recalls(card: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    """Recall of each expression in the model's card, highest first."""
    per_class = ((card or {}).get("metrics") or {}).get("per_class") or {}
    recalls = [(label, metrics["recall"]) for label, metrics in per_class.items()]
    return sorted(recalls, key=lambda entry: -entry[1])
