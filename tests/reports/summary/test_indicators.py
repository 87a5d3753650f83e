"""Indicators and alerts: silent on noise, quick on shifts, and votes outrank faces."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.store.tables import WindowRow
from reports.summary.indications import Alert, AlertKind, Level, Sureness, Word
from reports.summary.indicators import ALERT_EVERY_S, Indicators, indicate
from reports.summary.windows import WindowSummary
from tests.reports.summary.simulated_classes import KINDS, a_window, simulate, with_votes_from_taps


def steady(seconds: float, start_s: float = 0.0, **changes: object) -> list[WindowSummary]:
    """Equal windows for some seconds."""
    count = round(seconds / 5)
    return [a_window(start_s + 5 * index, **changes) for index in range(count)]  # type: ignore[arg-type]


def newest(windows: list[WindowSummary]) -> tuple[Word, str, Sureness]:
    """Word, arrow and sureness after the last window."""
    found = indicate(windows).now
    assert found is not None
    return found.word, found.arrow, found.sure


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("students", "noise"), [(14, 0.1), (14, 0.15), (30, 0.1)])
def test_eight_hours_of_noise_raise_no_alert(seed: int, students: int, noise: float) -> None:
    windows = simulate(seed, 480, students=students, noise=noise)
    assert indicate(windows).alerts == ()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("shift", "kind"), [((0.2, 0.0), AlertKind.TENSION), ((0.0, -0.2), AlertKind.QUIET)])
def test_a_shift_of_half_the_class_by_twenty_points_raises_an_alert_within_ninety_seconds(
    seed: int, shift: tuple[float, float], kind: AlertKind
) -> None:
    windows = simulate(seed, 30, shifts=[(1200, *shift)])
    first = indicate(windows).alerts[0]
    assert first.kind is kind
    assert 1200 < first.at_s <= 1290
    assert "of 18 faces" in first.evidence
    assert "points" in first.evidence
    assert "baseline" in first.evidence


def test_a_lasting_shift_raises_one_alert() -> None:
    alerts = indicate(simulate(3, 40, shifts=[(900, 0.25, 0.0)])).alerts
    assert [alert.kind for alert in alerts] == [AlertKind.TENSION]


window_series = st.lists(
    st.builds(
        lambda tense, lively, analysed, shown, lost, ok, slow: (
            tense,
            lively,
            analysed,
            shown,
            lost,
            ok,
            slow,
        ),
        st.floats(0, 0.5),
        st.floats(0, 0.5),
        st.integers(0, 40),
        st.booleans(),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=200,
)


def windows_of(series: list[tuple[float, float, int, bool, int, int, int]]) -> list[WindowSummary]:
    return [
        a_window(
            20.0 * index,
            tense,
            lively,
            analysed=analysed,
            length_s=20.0,
            shown=shown,
            lost=lost,
            ok=ok,
            too_slow=slow,
        )
        for index, (tense, lively, analysed, shown, lost, ok, slow) in enumerate(series)
    ]


@settings(deadline=None)
@given(window_series, st.randoms())
def test_alerts_are_five_minutes_apart_and_independent_of_the_order_of_the_windows(series, shuffler) -> None:  # type: ignore[no-untyped-def]
    windows = windows_of(series)
    found = indicate(windows)
    for earlier, later in pairwise(found.alerts):
        assert later.at_s - earlier.at_s >= ALERT_EVERY_S
    assert all(alert.evidence for alert in found.alerts)
    assert (found.now is None) == (not windows)
    shuffled = list(windows)
    shuffler.shuffle(shuffled)
    assert indicate(shuffled + shuffled[:3]) == found


@settings(deadline=None)
@given(window_series)
def test_live_and_stored_windows_give_the_same_indicators(series) -> None:  # type: ignore[no-untyped-def]
    windows = windows_of(series)
    live = Indicators()
    alerts: dict[float, Alert] = {}
    last = None
    for window in windows:
        last, changed = live.add(window)
        alerts |= {alert.at_s: alert for alert in changed}
    found = indicate([WindowRow.of(window).data() for window in windows])
    assert found.alerts == tuple(alerts.values())
    assert found.now == last


def test_the_word_is_settling_at_first_and_then_steady_with_growing_sureness() -> None:
    assert newest(steady(120)) == (Word.SETTLING, "level", Sureness.LOW)
    assert newest(steady(240)) == (Word.STEADY, "level", Sureness.MEDIUM)
    assert newest(steady(1200)) == (Word.STEADY, "level", Sureness.HIGH)


@pytest.mark.parametrize(
    ("tense", "lively", "word", "arrow"),
    [
        (0.45, 0.3, Word.TENSER, "up"),
        (0.0, 0.3, Word.CALMER, "down"),
        (0.2, 0.6, Word.LIVELIER, "up"),
        (0.2, 0.1, Word.QUIETER, "down"),
    ],
)
def test_each_shift_has_its_word_and_arrow(tense: float, lively: float, word: Word, arrow: str) -> None:
    windows = steady(900) + steady(90, 900, tense=tense, lively=lively)
    found = indicate(windows).now
    assert found is not None
    assert (found.word, found.arrow) == (word, arrow)
    assert "points" in found.detail
    assert (found.analysed, found.participants) == (14, 18)


def test_votes_for_lost_outrank_steady_faces() -> None:
    found = indicate([*steady(900), a_window(900, lost=4)])
    assert found.now is not None
    assert (found.now.word, found.now.from_pulses) == (Word.LOST, True)
    assert "4 of 18 students say lost" in found.now.detail
    assert "students say counts" in found.now.disagreement
    assert [alert.kind for alert in found.alerts] == [AlertKind.LOST]


def test_votes_are_a_share_of_the_peak_attendance_of_a_minute() -> None:
    """Ten of twenty students vote lost and leave: that is not all of the ten who remain."""
    before = steady(60, analysed=0, camera_off=20, shown=False)
    after = [
        replace(window, pulses=dict.fromkeys(KINDS, 0), participants=10)
        for window in steady(30, 60, lost=10, analysed=10)
    ]
    found = indicate([*before, *after]).now
    assert found is not None
    assert (found.word, found.detail) == (Word.LOST, "10 of 20 students say lost, last 1 min")
    one_vote = [replace(window, votes={**window.votes, "lost": 1}, weights={"lost": 1.0}) for window in after]
    alone = [replace(window, participants=1) for window in one_vote]
    assert indicate([*before, *alone]).alerts == ()
    late = steady(180, 60, analysed=1, camera_off=0, shown=False)
    assert indicate([*before, *late, replace(alone[0], start_s=240)]).alerts != (), "a minute later"


def test_there_is_no_verdict_while_nobody_is_present() -> None:
    before = steady(60, analysed=0, camera_off=24, shown=False)
    empty = steady(60, 60, analysed=0, camera_off=0, shown=False, lost=10)
    found = indicate([*before, *empty])
    assert (found.now and found.now.word, found.alerts) == (Word.UNSEEN, ())
    assert indicate(empty).alerts == ()


def test_votes_for_ok_outrank_tense_faces_and_hold_their_alert_back() -> None:
    before, tense = steady(900), {"tense": 0.45}
    windows = before + [a_window(900 + 5 * index, ok=5, **tense) for index in range(24)]  # type: ignore[arg-type]
    found = indicate(with_votes_from_taps(windows))
    assert found.now is not None
    assert found.now.word is Word.OK
    assert found.now.disagreement == "Faces look tenser; what students say counts."
    assert found.alerts == ()
    assert indicate(before + steady(120, 900, tense=0.45)).alerts != ()


def test_votes_for_lost_and_tense_faces_do_not_disagree() -> None:
    found = indicate(steady(900) + steady(90, 900, tense=0.45) + [a_window(990, tense=0.45, lost=5)]).now
    assert found is not None
    assert (found.word, found.disagreement) == (Word.LOST, "")


def test_without_shares_only_votes_give_a_word() -> None:
    unseen = steady(600, shown=False)
    assert newest(unseen) == (Word.UNSEEN, "level", Sureness.LOW)
    assert newest([*unseen, a_window(600, shown=False, too_slow=5)])[0] is Word.TOO_SLOW
    assert newest([*unseen, a_window(600, shown=False, ok=9)])[0] is Word.OK
    alone = steady(600, analysed=0, camera_off=1, shown=False)
    assert newest(alone)[0] is Word.UNSEEN


def test_a_few_withheld_windows_do_not_change_the_word() -> None:
    windows = steady(900)
    for index in range(3):
        windows.append(a_window(900 + 5 * index, analysed=4, camera_off=14, shown=False))
        word, _, sure = newest(windows)
        assert (word, sure) == (Word.STEADY, Sureness.LOW)
    windows += steady(30, 915, analysed=4, camera_off=14, shown=False)
    assert newest(windows)[0] is Word.UNSEEN
    assert newest([*windows, a_window(945)])[0] is Word.STEADY


def test_a_class_of_one_student_has_indicators_with_a_lowered_minimum_group() -> None:
    windows = steady(900, analysed=1, camera_off=0) + steady(90, 900, analysed=1, camera_off=0, tense=0.45)
    assert newest(windows)[0] is Word.TENSER
    assert "1 of 1 face" in indicate(windows).alerts[0].evidence


def test_low_coverage_means_low_sureness_and_no_alert() -> None:
    windows = steady(900, analysed=5, camera_off=20) + steady(120, 900, analysed=5, camera_off=20, tense=0.45)
    assert newest(windows) == (Word.TENSER, "up", Sureness.LOW)
    assert indicate(windows).alerts == ()


def test_a_much_larger_group_than_before_means_low_sureness_and_no_alert() -> None:
    windows = steady(900, analysed=5, camera_off=20) + steady(60, 900, analysed=20, camera_off=5, tense=0.45)
    assert newest(windows)[2] is Sureness.LOW
    assert indicate(windows).alerts == ()


def test_a_gap_of_days_still_gives_a_word() -> None:
    windows = steady(900) + steady(120, 1e6, tense=0.45) + steady(60, 5e9)
    assert newest(windows)[0] in set(Word)
    assert KINDS == ("lost", "ok", "too_fast", "too_slow")


def test_the_first_lost_is_a_caution_and_enough_of_them_ask_to_act() -> None:
    first = indicate([*steady(900), a_window(900, lost=1)]).now
    assert first is not None
    assert (first.word, first.level) == (Word.STEADY, Level.CAUTION)
    assert first.detail.startswith("1 of 18 students says lost")
    alone = indicate([*steady(60, shown=False), a_window(60, shown=False, lost=1)]).now
    assert alone is not None
    assert (alone.word, alone.level) == (Word.LOST, Level.CAUTION)
    many = indicate([*steady(900), a_window(900, lost=4)]).now
    assert many is not None
    assert (many.level, many.since_s) == (Level.ACT, 905)


def test_a_word_has_been_the_same_since_it_last_changed() -> None:
    found = indicate([*steady(900), *steady(30, 900, lost=5), *steady(10, 930)]).now
    assert found is not None
    assert (found.word, found.level, found.since_s) == (Word.STEADY, Level.CALM, 935)


def test_ok_needs_half_of_the_class() -> None:
    tense = steady(900) + steady(90, 900, tense=0.45)
    assert newest([*tense, a_window(990, tense=0.45, ok=8)])[0] is Word.TENSER
    assert newest([*tense, a_window(990, tense=0.45, ok=9)])[0] is Word.OK


def test_an_alert_ends_when_its_cause_ends() -> None:
    windows = [*steady(900), *steady(30, 900, lost=5)]
    (lasting,) = indicate(windows).alerts
    assert (lasting.at_s, lasting.ended_s) == (905, None)
    (ended,) = indicate([*windows, a_window(930)]).alerts
    assert (ended.at_s, ended.ended_s) == (905, 935)


def test_what_the_host_dealt_with_is_calm_at_once_and_its_alert_ends() -> None:
    windows = steady(900) + steady(90, 900, tense=0.45)
    assert indicate(windows).alerts[0].ended_s is None
    found = indicate(windows, [989.0])
    assert found.now is not None
    assert (found.now.word, found.now.level, found.now.since_s) == (Word.STEADY, Level.CALM, 990)
    assert found.alerts[0].ended_s == 989
    later = indicate([*windows, *steady(120, 990, tense=0.45)], [989.0])
    assert later.now is not None
    assert later.now.word is Word.TENSER, "the faces are still tense two minutes later"


def test_calm_takes_effect_before_the_next_window() -> None:
    live = Indicators()
    for window in [*steady(900), a_window(900, lost=5)]:
        live.add(window)
    live.calm(907.0)
    indicator, alerts = live.settle()
    assert indicator is not None
    assert (indicator.word, indicator.level, indicator.at_s) == (Word.STEADY, Level.CALM, 907)
    assert [alert.ended_s for alert in alerts] == [907]
    assert live.settle() == (None, ())
    assert indicate([*steady(900), a_window(900, lost=5)], [907.0]).now == indicator
