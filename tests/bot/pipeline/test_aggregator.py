"""The rules of the windows: everyone counted once, equal weight, the minimum group, pauses, erasure."""

import numpy as np
import pytest
from bot.pipeline.cohorts import SMALLEST_PROTECTED
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.observation import Observation
from inference.emotions import EMOTIONS
from reports.summary.windows import NotAnalysed, PulseKind, WindowSummary


def one_hot(label: str) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[EMOTIONS.index(label)]


def seen(who: str, at_s: float, label: str, facing: bool | None = None) -> Observation:
    return Observation(who, at_s, 1, one_hot(label), None, facing)


def missed(who: str, at_s: float, reason: NotAnalysed) -> Observation:
    return Observation(who, at_s, 0, None, reason)


def adds_up(window: WindowSummary) -> bool:
    return window.participants == window.analysed + sum(window.not_analysed.values())


def make(min_group: int = 1) -> WindowAggregator:
    return WindowAggregator("c", 5.0, min_group)


def test_an_empty_class_gives_empty_windows() -> None:
    (window,) = make().close_until(5.0)
    assert window.to_json() == {
        "class_id": "c", "start_s": 0.0, "length_s": 5.0, "participants": 0, "cameras_on": 0, "analysed": 0,
        "not_analysed": {reason.value: 0 for reason in NotAnalysed},
        "expressions": None, "facing": None, "suppressed": True,
        "pulses": {"lost": 0, "ok": 0, "too_slow": 0},
        "voices": {"lost": 0, "ok": 0, "too_slow": 0},
    }  # fmt: skip


def test_no_window_closes_before_its_end() -> None:
    aggregator = make()
    assert aggregator.close_until(4.999) == []
    assert [window.start_s for window in aggregator.close_until(15.0)] == [0.0, 5.0, 10.0]


def test_a_chatty_camera_weighs_no_more_than_a_slow_one() -> None:
    aggregator = make()
    for who in ("a", "b"):
        aggregator.arrive(who, 0.0)
    for step in range(40):
        aggregator.add(seen("a", step * 0.1, "happy"))
    aggregator.add(seen("b", 1.0, "sad"))
    (window,) = aggregator.close_until(5.0)
    assert window.expressions is not None
    assert window.expressions["happy"] == pytest.approx(0.5)
    assert window.expressions["sad"] == pytest.approx(0.5)


def test_below_the_minimum_group_expressions_are_withheld() -> None:
    for analysed, shown in ((4, False), (5, True)):
        aggregator = make(min_group=5)
        for number in range(analysed):
            aggregator.arrive(str(number), 0.0)
            aggregator.add(seen(str(number), 1.0, "happy"))
        (window,) = aggregator.close_until(5.0)
        assert window.suppressed is not shown
        assert (window.expressions is not None) is shown
        assert window.analysed == analysed


def test_facing_is_a_mean_over_people_and_leaves_those_out_who_cannot_be_told() -> None:
    aggregator = make()
    for who in ("a", "b", "c"):
        aggregator.arrive(who, 0.0)
    for step in range(9):
        aggregator.add(seen("a", step * 0.5, "happy", facing=True))
    aggregator.add(seen("b", 1.0, "sad", facing=False))
    aggregator.add(seen("b", 2.0, "sad", facing=True))
    aggregator.add(seen("b", 3.0, "sad"))
    aggregator.add(seen("c", 1.0, "sad"))
    (window,) = aggregator.close_until(5.0)
    assert window.analysed == 3
    assert window.facing == pytest.approx((1 + 0.5) / 2)


def test_facing_is_off_below_the_minimum_group_of_faces_large_enough() -> None:
    for told, shown in ((4, False), (5, True)):
        aggregator = make(min_group=5)
        for number in range(6):
            aggregator.arrive(str(number), 0.0)
            aggregator.add(seen(str(number), 1.0, "happy", facing=True if number < told else None))
        (window,) = aggregator.close_until(5.0)
        assert not window.suppressed
        assert window.facing == (1.0 if shown else None)


def test_every_reason_is_counted_once_and_standing_ones_come_first() -> None:
    aggregator = make()
    for who in ("face", "none", "off", "codec", "out", "silent"):
        aggregator.arrive(who, 0.0)
    aggregator.add(seen("face", 1.0, "neutral"))
    aggregator.add(missed("face", 2.0, NotAnalysed.NO_FACE))
    aggregator.add(missed("none", 1.0, NotAnalysed.NO_FACE))
    aggregator.add(missed("none", 1.5, NotAnalysed.NO_FACE))
    aggregator.add(missed("none", 2.0, NotAnalysed.TOO_SMALL))
    aggregator.add(missed("off", 1.0, NotAnalysed.NO_FACE))
    aggregator.stand("off", NotAnalysed.CAMERA_OFF)
    aggregator.stand("codec", NotAnalysed.UNSUPPORTED_CODEC)
    aggregator.erase("out")
    (window,) = aggregator.close_until(5.0)
    assert window.analysed == 1
    assert window.not_analysed == {
        "camera_off": 1, "no_face": 1, "too_small": 0, "low_confidence": 0, "unsupported_codec": 1,
        "no_frames": 1, "opted_out": 1,
    }  # fmt: skip
    assert window.cameras_on == 4  # of who opted out it is not known
    assert adds_up(window)


def test_who_left_counts_only_where_observed() -> None:
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.arrive("b", 0.0)
    aggregator.add(seen("a", 1.0, "happy"))
    aggregator.depart("a", 2.0)
    aggregator.depart("b", 2.0)
    first, second = aggregator.close_until(10.0)
    assert (first.participants, first.analysed) == (1, 1)
    assert second.participants == 0


def test_who_joins_after_the_end_does_not_count_before_it() -> None:
    aggregator = make()
    aggregator.arrive("late", 5.1)
    first, second = aggregator.close_until(10.0)
    assert (first.participants, second.participants) == (0, 1)


def test_coming_back_under_the_same_id_counts_once() -> None:
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.add(seen("a", 1.0, "happy"))
    aggregator.depart("a", 2.0)
    aggregator.arrive("a", 3.0)
    aggregator.add(seen("a", 4.0, "sad"))
    (window,) = aggregator.close_until(5.0)
    assert (window.participants, window.analysed) == (1, 1)


def test_erasing_takes_the_share_out_of_open_windows_and_stands() -> None:
    aggregator = make()
    for who in ("a", "b"):
        aggregator.arrive(who, 0.0)
    aggregator.add(seen("a", 1.0, "angry"))
    aggregator.add(seen("b", 1.0, "happy"))
    aggregator.erase("a")
    aggregator.add(seen("a", 2.0, "angry"))
    aggregator.stand("a", None)
    (window,) = aggregator.close_until(5.0)
    assert window.expressions is not None
    assert window.expressions["angry"] == 0
    assert window.not_analysed["opted_out"] == 1


def test_who_is_erased_and_goes_is_told_of_once_and_not_who() -> None:
    aggregator = make()
    for who in ("a", "b"):
        aggregator.arrive(who, 0.0)
        aggregator.add(seen(who, 1.0, "happy"))
    aggregator.erase("a")
    aggregator.depart("a", 2.0)
    first, second = aggregator.close_until(10.0)
    assert (first.participants, first.analysed, first.not_analysed["opted_out"]) == (2, 1, 1)
    assert (second.participants, second.not_analysed["opted_out"]) == (1, 0)
    assert "'a'" not in repr(first.to_json())


def test_who_was_erased_stays_out_when_they_come_back_much_later() -> None:
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.erase("a")
    aggregator.depart("a", 1.0)
    aggregator.close_until(50.0)
    aggregator.arrive("a", 51.0)
    aggregator.add(seen("a", 52.0, "happy"))
    (window,) = aggregator.close_until(55.0)
    assert (window.analysed, window.not_analysed["opted_out"]) == (0, 1)


def test_late_and_foreign_observations_are_dropped() -> None:
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.close_until(5.0)
    aggregator.add(seen("a", 3.0, "happy"))
    aggregator.add(seen("stranger", 6.0, "happy"))
    (window,) = aggregator.close_until(10.0)
    assert (window.participants, window.analysed) == (1, 0)


def test_an_early_observation_of_the_next_window_waits_for_it() -> None:
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.add(seen("a", 5.1, "happy"))
    first, second = aggregator.close_until(10.0)
    assert (first.analysed, second.analysed) == (0, 1)


def test_pulses_fall_into_their_window() -> None:
    aggregator = make()
    aggregator.pulse("a", PulseKind.LOST, 1.0)
    aggregator.pulse("a", PulseKind.LOST, 4.9)
    aggregator.pulse("a", PulseKind.OK, 5.0)
    first, second = aggregator.close_until(10.0)
    assert first.pulses == {"lost": 2, "ok": 0, "too_slow": 0}
    assert second.pulses == {"lost": 0, "ok": 1, "too_slow": 0}


def voices(windows: list[WindowSummary]) -> list[tuple[int, int]]:
    return [(window.votes["lost"], window.votes["ok"]) for window in windows]


def test_a_voice_is_what_somebody_tapped_last_and_lasts_two_minutes() -> None:
    aggregator = make()
    for who in "abc":
        aggregator.arrive(who, 0.0)
    for at_s in (1.0, 2.0, 3.0):
        aggregator.pulse("a", PulseKind.LOST, at_s)
    aggregator.pulse("b", PulseKind.LOST, 3.0)
    aggregator.pulse("b", PulseKind.OK, 11.0)
    aggregator.pulse("c", PulseKind.LOST, 4.0)
    found = voices(aggregator.close_until(140.0))
    assert found[:3] == [(3, 0), (3, 0), (2, 1)]
    assert found[23] == (2, 1), "at 120 s"
    assert found[24] == (0, 1), "at 125 s"
    assert found[-2:] == [(0, 0), (0, 0)], "the tap at 11 s is two minutes old"


@pytest.mark.parametrize(("erased", "left"), [(False, (1, 1)), (True, (1, 0))])
def test_a_voice_stands_when_its_owner_goes_but_not_when_they_are_erased(
    erased: bool, left: tuple[int, int]
) -> None:
    aggregator = make()
    for who in "ab":
        aggregator.arrive(who, 0.0)
        aggregator.pulse(who, PulseKind.LOST, 1.0)
    aggregator.close_until(5.0)
    aggregator.pulse("a", PulseKind.OK, 5.5)
    if erased:
        aggregator.erase("a")
    aggregator.depart("a", 6.0)
    assert voices(aggregator.close_until(15.0)) == [left] * 2


def test_a_pause_leaves_a_gap() -> None:
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.pause(0.0)
    assert aggregator.close_until(10.0) == []
    aggregator.resume(10.0)
    (window,) = aggregator.close_until(15.0)
    assert window.start_s == 10.0


def test_a_window_is_left_out_by_when_the_room_was_away_not_by_when_it_closes() -> None:
    """Windows close a moment after their end, for what comes late."""
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.pause(5.1)
    assert [window.start_s for window in aggregator.close_until(5.0)] == [0.0]
    aggregator.resume(10.1)
    assert aggregator.close_until(10.0) == []
    assert aggregator.close_until(15.0) == [], "of which nothing was seen, and some of it was away"
    assert [window.start_s for window in aggregator.close_until(20.0)] == [15.0]


def test_the_last_window_is_as_long_as_it_came_to_be() -> None:
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.add(seen("a", 6.0, "happy"))
    windows = aggregator.close_last(7.5)
    assert [(window.start_s, window.length_s) for window in windows] == [(0.0, 5.0), (5.0, 2.5)]
    assert windows[1].analysed == 1
    assert make().close_last(0.5) == []


def test_taps_of_the_last_moment_are_in_a_window() -> None:
    aggregator = make()
    aggregator.arrive("a", 0.0)
    aggregator.pulse("a", PulseKind.LOST, 5.2)
    assert [window.pulses["lost"] for window in aggregator.close_last(5.5)] == [0, 1]
    aggregator = make()
    aggregator.pulse("a", PulseKind.LOST, 5.0)
    window = aggregator.close_last(5.0)[-1]
    assert window.pulses["lost"] == 1
    assert window.to_json()["length_s"] > 0


def test_what_was_seen_before_the_room_was_lost_for_good_is_kept() -> None:
    for watched in (True, False):
        aggregator = make()
        aggregator.arrive("a", 0.0)
        assert len(aggregator.close_until(5.0)) == 1
        if watched:
            aggregator.add(seen("a", 6.0, "happy"))
        aggregator.pause(7.0)
        assert [window.analysed for window in aggregator.close_last(8.0)] == [1] * watched


_EVENTS = st.tuples(
    st.sampled_from(["arrive", "depart", "see", "miss", "off", "on", "erase", "pulse", "close"]),
    st.sampled_from("abcdefg"),
    st.floats(0, 2),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_EVENTS, max_size=60), st.integers(1, 6))
def test_whatever_happens_the_numbers_add_up(events: list[tuple[str, str, float]], least: int) -> None:
    aggregator, now_s, windows = make(least), 0.0, []
    for kind, who, step_s in events:
        now_s += step_s
        match kind:
            case "arrive":
                aggregator.arrive(who, now_s)
            case "depart":
                aggregator.depart(who, now_s)
            case "see":
                aggregator.add(seen(who, now_s, "happy", facing=(None, True, False)[int(2 * step_s) % 3]))
            case "miss":
                aggregator.add(missed(who, now_s, NotAnalysed.TOO_SMALL))
            case "off":
                aggregator.stand(who, NotAnalysed.CAMERA_OFF)
            case "on":
                aggregator.stand(who, None)
            case "erase":
                aggregator.erase(who)
            case "pulse":
                aggregator.pulse(who, PulseKind.OK, now_s)
            case "close":
                windows += aggregator.close_until(now_s)
    windows += aggregator.close_last(now_s)
    for window in windows:
        assert adds_up(window)
        assert 0 <= window.cameras_on <= window.participants <= 7
        if window.analysed < least or least < SMALLEST_PROTECTED:
            assert window.suppressed is (window.analysed < least)
        assert (window.expressions is None) is window.suppressed
        if window.expressions is not None:
            assert sum(window.expressions.values()) == pytest.approx(1)
        if window.facing is not None:
            assert 0 <= window.facing <= 1
            assert not window.suppressed
    starts = [window.start_s for window in windows]
    assert starts == sorted(set(starts))
    assert sum(sum(window.pulses.values()) for window in windows) == sum(
        kind == "pulse" for kind, *_ in events
    )
