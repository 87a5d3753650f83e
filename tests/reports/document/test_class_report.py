"""The report of a class: its figures, and the contents of its HTML, CSV and JSON."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from reports.document.class_report import ClassReport, build_report, load_report
from reports.document.comparison import compared_class
from reports.document.csv_table import to_csv
from reports.document.rendering import to_html, to_json
from reports.store import Store
from reports.summary.classes import ClassState
from reports.summary.records import Marker, PulseRecord
from reports.summary.windows import PulseKind
from tests.reports.builders import START, a_class, a_window

CARD = {
    "file": "fer_cnn.tflite",
    "sha256": "5e" * 32,
    "data": {"name": "FER-2013"},
    "metrics": {
        "split": "PublicTest",
        "images": 3589,
        "accuracy": 0.6543,
        "accuracy_interval_95": [0.6386, 0.6697],
    },
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(f"sqlite:///{tmp_path / 'classes.db'}")) as opened:
        yield opened


def rows(report: ClassReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(report).removeprefix("\ufeff"))))


def test_a_class_without_windows_has_a_report() -> None:
    report = build_report(a_class(), [], [], [], None)
    assert (report.coverage, report.shares, report.length_s, report.withheld) == (None, None, 0, 0)
    assert [(one.label, one.windows, one.shares) for one in report.segments] == [("Whole class", 0, None)]
    assert "nothing was observed" in to_html(report)
    assert rows(report) == []
    assert json.loads(to_json(report))["windows"] == []


def test_mean_shares_are_weighted_by_the_analysed_and_leave_out_withheld_windows() -> None:
    windows = [
        a_window(10, analysed=3, camera_off=9, happy=None),
        a_window(0, analysed=9, camera_off=1, happy=0.2),
        a_window(5, analysed=6, camera_off=2, happy=0.7),
    ]
    report = build_report(a_class(), windows, [], [], None)
    assert report.shares is not None
    assert report.shares["happy"] == pytest.approx((9 * 0.2 + 6 * 0.7) / 15)
    assert report.coverage is not None
    assert report.coverage.share == pytest.approx(18 / 30)
    assert (report.coverage.analysed, report.coverage.participants) == (6, 10)
    assert report.withheld == 1
    assert report.not_analysed["camera_off"] == 12
    assert report.length_s == 15
    assert [window.start_s for window in report.windows] == [0, 5, 10]


def test_segments_run_from_marker_to_marker() -> None:
    windows = [a_window(5 * n, happy=0.1 if n < 4 else 0.9) for n in range(8)]
    markers = [Marker("c1", 30.0, "Last"), Marker("c1", 20.0, "Group work")]
    pulses = [PulseRecord("c1", 3, PulseKind.OK), PulseRecord("c1", 21, PulseKind.LOST)]
    segments = build_report(a_class(), windows, markers, pulses, None).segments
    assert [(one.label, one.start_s, one.end_s, one.windows) for one in segments] == [
        ("Beginning", 0, 20, 4),
        ("Group work", 20, 30, 2),
        ("Last", 30, 40, 2),
    ]
    assert [round((one.shares or {})["happy"], 3) for one in segments] == [0.1, 0.9, 0.9]
    assert [(one.pulses["ok"], one.pulses["lost"]) for one in segments] == [(1, 0), (0, 1), (0, 0)]


def test_markers_at_the_start_and_after_the_last_window_begin_segments() -> None:
    markers = [Marker("c1", 0, "Start"), Marker("c1", 99, "Late")]
    segments = build_report(a_class(), [a_window(0)], markers, [], None).segments
    assert [(one.label, one.start_s, one.end_s, one.windows) for one in segments] == [
        ("Start", 0, 99, 1),
        ("Late", 99, 99, 0),
    ]


def test_html_loads_nothing_and_runs_no_script() -> None:
    hostile = '"><script src="http://evil.test/x.js"></script>'
    report = build_report(
        a_class(title=hostile, reason=hostile, room=hostile),
        [a_window()],
        [Marker("c1", 1, hostile)],
        [],
        CARD,
    )
    html = to_html(report)
    assert "<script" not in html
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:|//)""", html)
    assert not re.search(r"<(?:link|img|iframe|object)\b", html)
    assert "&lt;script" in html
    svg = re.search(r"<svg[^>]*class=\"timeline\".*?</svg>", html, re.DOTALL)
    assert svg is not None
    ET.fromstring(svg.group(0))


def test_html_states_its_limits() -> None:
    info = a_class(
        state=ClassState.INTERRUPTED,
        reason="the machine stopped",
        min_group=2,
        synthetic=True,
        ended_at=START,
    )
    html = to_html(build_report(info, [a_window(0), a_window(60, happy=None)], [], [], CARD))
    for phrase in (
        "not feelings, attention or understanding",
        "Not for grading, discipline or attendance",
        "This class was interrupted: the machine stopped",
        "Drawn students, not people",
        "as few as 2 people",
        "1 of 2 windows",
        "Windows are missing in 1 place",
        "65.4 %",
        "63.9 to 67.0",
        "3589 test images (FER-2013, PublicTest)",
        "5e" * 32,
        "75\u00a0%",
    ):
        assert phrase in html, phrase


def test_html_of_a_usual_class_has_no_banner() -> None:
    html = to_html(build_report(a_class(state=ClassState.ENDED, ended_at=START), [a_window()], [], [], None))
    assert 'class="banner"' not in html
    assert "accuracy is not available" in html


def test_json_contains_class_windows_markers_pulses_and_alerts() -> None:
    window, marker, pulse = a_window(), Marker("c1", 1, "é"), PulseRecord("c1", 2, PulseKind.LOST)
    content = json.loads(to_json(build_report(a_class(), [window], [marker], [pulse], None)))
    assert content == {
        "class": a_class().without_code().to_json(),
        "windows": [window.to_json()],
        "markers": [marker.to_json()],
        "pulses": [pulse.to_json()],
        "alerts": [],
        "asks": [],
    }


async def test_two_loads_give_the_same_bytes(store: Store) -> None:
    await store.put_class(a_class())
    await store.add_window(a_window())
    await store.add_marker(Marker("c1", 1, "one"))
    await store.add_pulse(PulseRecord("c1", 2, PulseKind.LOST))
    first, second = (
        await load_report(store, "c1", CARD),
        await load_report(store, "c1", CARD),
    )
    assert first is not None
    assert second is not None
    for renderer in (to_html, to_csv, to_json):
        assert await asyncio.to_thread(renderer, first) == await asyncio.to_thread(renderer, second)
    assert (len(first.windows), len(first.markers), len(first.pulses)) == (1, 1, 1)
    assert await load_report(store, "none", None) is None


def test_html_says_that_someone_opted_out() -> None:
    one = a_window(5)
    with_opt_out = replace(one, participants=9, not_analysed={**one.not_analysed, "opted_out": 1})
    sentence = "At least one student opted out"
    assert sentence not in to_html(build_report(a_class(), [a_window(), one], [], [], None))
    assert sentence in to_html(build_report(a_class(), [a_window(), with_opt_out], [], [], None))


def visible_text(html: str) -> str:
    """The text of a report without its markup, as a reader sees it."""
    return " ".join(re.sub(r"<[^>]+>", " ", html[html.index("<body") :]).split())


def test_nothing_is_withheld_in_a_class_without_participants() -> None:
    windows = [a_window(5 * n, analysed=0, camera_off=0, happy=None) for n in range(12)]
    earlier = [compared_class(a_class("c0"), windows)]
    report = build_report(a_class(), windows, [], [], None, earlier=earlier)
    text = visible_text(to_html(report))
    assert report.withheld == 0
    assert "0 of 12 windows here" in text
    assert "· nobody was present" in text
    assert "Over the whole class Nobody was present." in text
    assert "0:00 to 1:00 0.0 of 0.0 nobody present" in text
    # The word remains in the legend and in the rule only.
    assert re.findall(r"\w+:? [Ww]ithheld,? \w+", text) == [
        "Hatched: withheld, because",
        "is withheld while",
    ]
    assert "everyone was analysed" not in text
    eu = visible_text(to_html(build_report(a_class(jurisdiction="eu-education"), windows, [], [], None)))
    assert "· nobody was present" in eu


def test_only_windows_with_participants_count_as_withheld() -> None:
    nobody = [a_window(5 * n, analysed=0, camera_off=0, happy=None) for n in range(3)]
    few = [a_window(15, analysed=3, happy=None)]
    report = build_report(a_class(), nobody + few, [], [], None)
    text = visible_text(to_html(report))
    assert report.withheld == 1
    assert "Nothing was shown in 1 of 4 windows here" in text
    assert "Withheld in every window in which anybody was present: there was no group" in text
    assert "Withheld in every window: there was no group" in visible_text(
        to_html(build_report(a_class(), few, [], [], None))
    )


def test_a_report_without_face_analysis_does_not_mention_faces_or_withheld_shares() -> None:
    """Under eu-education, nothing may read as if faces had been analysed and their figures withheld."""
    windows = [
        replace(a_window(5 * n, analysed=0, camera_off=9, happy=None), cameras_on=3) for n in range(12)
    ]
    pulses = [PulseRecord("c1", 3, PulseKind.LOST)]
    markers = [Marker("c1", 30, "Quiz")]
    info = a_class(state=ClassState.ENDED, ended_at=START, jurisdiction="eu-education")
    html = to_html(build_report(info, windows, markers, pulses, CARD))
    body = html[html.index("<body") :]
    for phrase in (
        "privacy profile does not allow face",
        "without face analysis",
        "9.0 present on average",
        "Quiz",
    ):
        assert phrase in body, phrase
    for phrase in (
        "withheld",
        "Withheld",
        "expression",
        "analysed",
        "Tension",
        "fer_cnn",
        "number of faces analysed",
    ):
        assert phrase not in body, phrase
    assert "number of faces analysed" in to_html(build_report(a_class(), windows, markers, pulses, CARD))


def test_a_report_without_windows_leaves_out_the_empty_sections() -> None:
    html = to_html(build_report(a_class(state=ClassState.ENDED, ended_at=START), [], [], [], CARD))
    assert "the class ended before there were any figures" in html
    for section in ("over-time", "coverage", "overall", "segments", "not-analysed"):
        assert f'id="{section}"' not in html, section
    assert 'id="limits"' in html
    assert "there are no figures yet" in to_html(build_report(a_class(), [], [], [], CARD))


def test_a_minimum_group_of_one_mentions_no_groups() -> None:
    html = to_html(build_report(a_class(min_group=1), [a_window(happy=None)], [], [], CARD))
    assert "Shares are averages over the faces analysed." in html
    assert "at least 1" not in html


@pytest.mark.parametrize(
    ("zone", "shown"), [("UTC", "09:00 UTC<"), ("IST-5:30", "14:30 UTC+05:30<"), ("EST5", "04:00 UTC-05:00<")]
)
def test_times_are_in_the_local_time_zone_with_their_offset(
    zone: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as zoned:
        zoned.setenv("TZ", zone)
        time.tzset()
        html = to_html(build_report(a_class(), [a_window()], [], [], None))
    time.tzset()
    assert f"2026-03-02 {shown}" in html


def test_reports_do_not_lead_to_the_room() -> None:
    report = build_report(a_class(code="algebra-9b", room="companion:algebra-9b"), [a_window()], [], [], None)
    for text in (to_html(report), to_csv(report), to_json(report)):
        assert "algebra-9b" not in text
    assert "/c/ABCD" not in to_json(report)
