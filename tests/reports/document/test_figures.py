"""The figures of the report: intervals, moments, expressions around taps, earlier classes, coverage."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from reports.document.comparison import compare_around_taps, compared_class, earlier_classes
from reports.document.coverage_chart import coverage_svg
from reports.document.formatting import points
from reports.document.intervals import BATCH_S, MIN_BATCHES, margins
from reports.document.moments import MIN_APART_S, moments, too_short
from reports.summary.classes import ClassState
from reports.summary.records import Marker, PulseRecord
from reports.summary.windows import PulseKind
from tests.reports.builders import START, a_class, a_window
from tests.reports.summary.simulated_classes import a_window as simulated_window


def test_the_interval_is_students_t_over_batch_means() -> None:
    batches = (0.2, 0.4, 0.3, 0.5)
    windows = [
        a_window(BATCH_S * n + 5 * k, happy=happy) for n, happy in enumerate(batches) for k in range(3)
    ]
    margin = margins(windows)
    assert margin is not None
    assert margin["happy"] == pytest.approx(3.182 * np.std(batches, ddof=1) / 2)
    assert margin["angry"] == 0


def test_the_interval_over_many_batches_is_at_most_slightly_too_wide() -> None:
    batches = np.random.default_rng(3).uniform(0.2, 0.6, 41)
    margin = margins([a_window(BATCH_S * n, happy=float(happy)) for n, happy in enumerate(batches)])
    assert margin is not None
    exact = 2.021 * np.std(batches, ddof=1) / np.sqrt(41)  # t(0.975, 40)
    assert exact <= margin["happy"] <= 1.02 * exact


def test_short_or_withheld_stretches_have_no_interval() -> None:
    short = [a_window(5 * n) for n in range(int((MIN_BATCHES - 1) * BATCH_S / 5))]
    assert margins(short) is None
    assert margins([a_window(5 * n, happy=None) for n in range(100)]) is None
    assert margins([]) is None


def test_intervals_contain_the_true_mean_about_95_times_in_100() -> None:
    rng = np.random.default_rng(4)
    contained = 0
    for _ in range(300):
        value, windows = 0.0, []
        for n in range(60):
            value = 0.5 * value + rng.normal(0, 0.05)
            windows.append(a_window(5.0 * n, happy=float(np.clip(0.4 + value, 0, 1))))
        margin = (margins(windows) or {})["happy"]
        mean = float(np.mean([(window.expressions or {})["happy"] for window in windows]))
        contained += abs(mean - 0.4) <= margin
    assert 0.90 <= contained / 300 <= 0.99


def test_moments_name_their_reason_and_the_marker_before_them() -> None:
    windows = [simulated_window(5 * n) for n in range(360)]
    for n in range(120, 132):  # 10:00 to 11:00
        windows[n] = simulated_window(5 * n, tense=0.5)
    for n in range(240, 252):  # 20:00 to 21:00
        windows[n] = simulated_window(5 * n, lively=0.05)
    for n in range(300, 324):  # five students tap at 25:00; their votes count for a minute
        counts = {"lost": 5, "ok": 0, "too_fast": 0, "too_slow": 0}
        windows[n] = replace(windows[n], votes=counts, pulses=counts if n == 300 else windows[n].pulses)
    markers = [Marker("c1", 590, "Quiz"), Marker("c1", 1190, "مراجعة")]
    selected = moments(windows, markers)
    assert [(one.start_s, one.end_s, one.during) for one in selected] == [
        (600, 660, "Quiz"),
        (1200, 1260, "مراجعة"),
        (1500, 1560, "مراجعة"),
    ]
    assert selected[0].reason.startswith("Tension 50\u00a0%, 29 points above")
    assert selected[1].reason.startswith("Liveliness 5\u00a0%")
    assert selected[2].reason == "5 students say lost"
    assert selected[0].coverage is not None
    assert selected[0].coverage.analysed == 14


def test_there_are_at_most_three_moments_and_they_are_apart() -> None:
    rng = np.random.default_rng(2)
    windows = [simulated_window(60.0 * n, tense=float(rng.uniform(0, 0.5)), length_s=60.0) for n in range(90)]
    selected = moments(windows, [])
    assert len(selected) == 3
    starts = [one.start_s for one in selected]
    assert all(later - earlier >= MIN_APART_S for earlier, later in pairwise(starts))


def test_nothing_stands_out_in_a_steady_a_short_or_a_withheld_class() -> None:
    assert moments([simulated_window(5 * n) for n in range(360)], []) == ()
    assert moments([simulated_window(0, tense=0.5), simulated_window(5)], []) == ()
    assert moments([simulated_window(5 * n, shown=False) for n in range(360)], []) == ()
    assert moments([], []) == ()


def test_a_short_class_is_cut_into_half_minutes() -> None:
    windows = [simulated_window(5 * n, tense=0.5 if 12 <= n < 18 else 0.1) for n in range(38)]
    assert [(one.start_s, one.end_s) for one in moments(windows, [])] == [(60, 90)]
    assert not too_short(windows)
    assert too_short(windows[:20])
    assert moments(windows[:20], []) == ()


def test_a_block_observed_for_less_than_half_is_no_moment() -> None:
    windows = [simulated_window(5 * n) for n in range(120)] + [simulated_window(600, lively=0.8, tense=0)]
    assert moments(windows, []) == ()
    assert (
        len(moments([*windows, *(simulated_window(605 + 5 * n, lively=0.8, tense=0) for n in range(6))], []))
        == 1
    )


def test_expressions_near_taps_are_compared_with_the_rest() -> None:
    windows = [simulated_window(5 * n, tense=0.4 if 20 <= n < 32 else 0.1) for n in range(100)]
    pulses = [PulseRecord("c1", 130.0, PulseKind.LOST), PulseRecord("c1", 400.0, PulseKind.OK)]
    lost, ok = compare_around_taps(windows, pulses)
    assert (lost.kind, lost.taps, ok.kind) == (PulseKind.LOST, 1, PulseKind.OK)
    assert lost.tension == pytest.approx(0.3)
    assert lost.liveliness == pytest.approx(0)
    assert ok.tension == pytest.approx(0.1 - (12 * 0.4 + 76 * 0.1) / 88)
    everywhere = [PulseRecord("c1", 10.0 * n, PulseKind.LOST) for n in range(60)]
    assert compare_around_taps(windows, everywhere)[0].tension is None


def test_only_earlier_classes_with_the_same_title_are_compared() -> None:
    now = a_class("now", title="Algebra", started_at=START)
    over = {"state": ClassState.ENDED, "ended_at": START}
    week = timedelta(days=7)
    others = [
        a_class("b", title="algebra", started_at=START - week, **over),
        a_class("a", title="Algebra", started_at=START - 2 * week, **over),
        a_class("other", title="Biology", started_at=START - week, **over),
        a_class("later", title="Algebra", started_at=START + week, **over),
        a_class("running", title="Algebra", started_at=START - week),
        a_class("synthetic", title="Algebra", started_at=START - week, synthetic=True, **over),
        now,
    ]
    assert [one.id for one in earlier_classes(now, others, 5)] == ["a", "b"]
    assert [one.id for one in earlier_classes(now, others, 1)] == ["b"]


def test_a_compared_class_has_mean_figures_and_taps_per_hour() -> None:
    windows = [simulated_window(5 * n, lost=1 if n == 3 else 0) for n in range(72)]
    compared = compared_class(a_class(), windows)
    assert (compared.length_s, compared.tension, compared.liveliness) == (
        360,
        pytest.approx(0.2),
        pytest.approx(0.3),
    )
    assert compared.taps_per_hour == {"lost": pytest.approx(10), "ok": 0, "too_fast": 0, "too_slow": 0}
    empty = compared_class(a_class(), [])
    assert (empty.tension, empty.coverage, empty.taps_per_hour) == (None, None, None)


def test_the_coverage_chart_is_well_formed_and_bounded_in_size() -> None:
    few = ET.fromstring(coverage_svg([a_window(0, analysed=6, camera_off=2), a_window(600, happy=None)]))
    assert "at most 8 present" in few.attrib["aria-label"]
    many = coverage_svg([replace(a_window(5 * n), analysed=n % 7) for n in range(20_000)])
    assert len(many) < 60_000
    ET.fromstring(many)
    ET.fromstring(coverage_svg([]))
    ET.fromstring(coverage_svg([a_window(0, analysed=0, camera_off=0)]))


@pytest.mark.parametrize(
    ("difference", "shown"),
    [(None, "–"), (0.084, "+8"), (-0.084, "−8"), (-0.001, "0"), (0.0, "0"), (0.1, "+10")],
)
def test_points_are_signed_whole_numbers(difference: float | None, shown: str) -> None:
    assert points(difference) == shown
