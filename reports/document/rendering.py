"""The report as one HTML file and as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from reports.document.class_report import ClassReport
from reports.document.comparison import NEAR_TAP_S, compared_class
from reports.document.coverage_chart import LAYERS, coverage_svg
from reports.document.intervals import BATCH_S
from reports.document.moments import MIN_SHARED
from reports.document.palette import STACK
from reports.document.segments import by_kind
from reports.document.templating import report_template, styles
from reports.document.timeline import timeline_svg
from reports.languages import Language
from reports.languages import language as find_language
from reports.summary.asks import WITH_ME, Ask, alert_score
from reports.summary.records import Marker, MarkerKind
from reports.summary.words import (
    ALERT_WORDS,
    ANSWER_WORDS,
    EMOTION_WORDS,
    N_,
    NOT_ANALYSED_WORDS,
    NOT_MEANT,
    NOT_MEANT_WITHOUT_FACES,
    PULSE_WORDS,
    STATE_WORDS,
    SYNTHETIC,
    USUAL_QUESTION,
    low_group,
    profile_held,
)

_TIMELINE_PX: Final = 960
_MAX_ASKS: Final = 5
"""Questions on the first page."""

_STYLE_SHEETS: Final = ("base.css", "emotions.css", "chart.css", "report.css")


def to_html(report: ClassReport, language: Language | None = None, *, shared: bool = False) -> str:
    """One HTML file that needs nothing else: it runs no script and loads nothing.

    Args:
        report: The figures.
        language: Language of the texts; English by default. ``load_report`` needs the same one.
        shared: Whether it is a copy to share: without the room and the details, and with counts of students
            below ``MIN_SHARED`` rounded.
    """
    faces = report.info.analyses_faces
    language = language or find_language("en")
    say = language.gettext
    began = report.info.started_at
    markers = [_without_counts(marker, say) for marker in report.markers] if shared else report.markers
    return report_template().render(
        _=say,
        language=language.code,
        direction=language.direction,
        day=language.day,
        hour=language.hour,
        number=language.number,
        count=_rounded if shared else str,
        moment_at=lambda at_s: began + timedelta(seconds=at_s),
        shared=shared,
        faces=faces,
        report=report,
        info=report.info,
        state=say(STATE_WORDS[report.info.state.value]),
        css="\n".join(styles().text(name) for name in _STYLE_SHEETS),
        timeline=timeline_svg(
            report.windows,
            markers,
            report.pulses,
            width=_TIMELINE_PX,
            faces=faces,
            lanes=not shared,
            say=say,
        ),
        emotions=STACK,
        emotion_words=_said(EMOTION_WORDS, say),
        answer_words=_said(ANSWER_WORDS, say),
        usual_question=say(USUAL_QUESTION),
        telling=_telling(report.asks),
        score=alert_score(report.asks),
        not_analysed_words=_said(NOT_ANALYSED_WORDS, say),
        pulse_words=_said(PULSE_WORDS, say),
        pulse_totals=by_kind(report.pulses),
        not_meant=say(NOT_MEANT if faces else NOT_MEANT_WITHOUT_FACES),
        synthetic=say(SYNTHETIC) if report.info.synthetic else None,
        profile=say(profile_held(faces)),
        low_group=low_group(report.info.min_group, say),
        metrics=(report.card or {}).get("metrics"),
        recalls=_recalls(report.card),
        alert_words=_said(ALERT_WORDS, say),
        coverage_chart=coverage_svg(report.windows, say),
        coverage_layers=LAYERS,
        batch_s=f"{BATCH_S:.0f}",
        near_tap_s=f"{NEAR_TAP_S:.0f}",
        this_class=compared_class(report.info, report.windows),
    )


def _said(words: Mapping[str, str], say: Callable[[str], str]) -> dict[str, str]:
    return {key: say(text) for key, text in words.items()}


def _rounded(count: int) -> str:
    """A count of students for a copy to share: 0, or "<5", or the count."""
    return f"<{MIN_SHARED}" if 0 < count < MIN_SHARED else str(count)


def _without_counts(marker: Marker, say: Callable[[str], str]) -> Marker:
    """A marker for a copy to share: that of a question has no answers in its label."""
    return replace(marker, label=say(N_("Asked"))) if marker.kind is MarkerKind.ASK else marker


def _telling(asks: Sequence[Ask]) -> list[Ask]:
    """The questions for the first page, oldest first: those in which most students named a trouble."""

    def trouble(ask: Ask) -> float:
        named = ask.answered - ask.counts.get(WITH_ME, 0) if ask.usual else 0
        return named / max(1, ask.answered)

    chosen = sorted(asks, key=lambda ask: (-trouble(ask), -ask.at_s))[:_MAX_ASKS]
    return sorted(chosen, key=lambda ask: ask.at_s)


def to_json(report: ClassReport) -> str:
    """The class, its windows, markers, pulses, alerts and questions as one JSON object."""
    content = {
        "class": report.info.to_json(),
        "windows": [window.to_json() for window in report.windows],
        "markers": [marker.to_json() for marker in report.markers],
        "pulses": [pulse.to_json() for pulse in report.pulses],
        "alerts": [alert.to_json() for alert in report.alerts],
        "asks": [ask.to_json() for ask in report.asks],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _recalls(card: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    """Recall of each expression in the model's card, highest first."""
    per_class = ((card or {}).get("metrics") or {}).get("per_class") or {}
    recalls = [(label, metrics["recall"]) for label, metrics in per_class.items()]
    return sorted(recalls, key=lambda entry: -entry[1])
