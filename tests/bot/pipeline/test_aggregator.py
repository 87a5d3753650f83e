"""The rules of windows: everyone counted once, with equal weight; outages; erasure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.summary.windows import NotAnalysed, PulseKind, WindowSummary
from tests.bot.pipeline.observations import make, missed, seen


def adds_up(window: WindowSummary) -> bool:
    return window.participants == window.analysed + sum(window.not_analysed.values())


def test_an_empty_class_has_empty_windows() -> None:
    (window,) = make().close_until(5.0)
    assert window.to_json() == {
        "class_id": "c", "start_s": 0.0, "length_s": 5.0, "participants": 0, "cameras_on": 0, "analysed": 0,
        "not_analysed": {reason.value: 0 for reason in NotAnalysed},
        "expressions": None, "shown": 0, "facing": None, "suppressed": True,
        "pulses": {"lost": 0, "ok": 0, "too_fast": 0, "too_slow": 0},
        "weights": {"lost": 0.0, "ok": 0.0, "too_fast": 0.0, "too_slow": 0.0},
        "voices": {"lost": 0, "ok": 0, "too_fast": 0, "too_slow": 0},
    }  # fmt: skip


def test_no_window_closes_before_its_end() -> None:
    aggregator = make()
    assert aggregator.close_until(4.999) == []
    assert [window.start_s for window in aggregator.close_until(15.0)] == [0.0, 5.0, 10.0]


def test_a_camera_sampled_often_weighs_no_more_than_one_sampled_seldom() -> None:
    aggregator = make()
    for who in ("a", "b"):
        aggregator.join(who, 0.0)
    for step in range(40):
        aggregator.add(seen("a", step * 0.1, "happy"))
    aggregator.add(seen("b", 1.0, "sad"))
    (window,) = aggregator.close_until(5.0)
    assert window.expressions is not None
    assert window.expressions["happy"] == pytest.approx(0.5)
    assert window.expressions["sad"] == pytest.approx(0.5)


def test_facing_is_a_mean_over_those_whose_face_was_large_enough() -> None:
    aggregator = make()
    for who in ("a", "b", "c"):
        aggregator.join(who, 0.0)
    for step in range(9):
        aggregator.add(seen("a", step * 0.5, "happy", facing=True))
    aggregator.add(seen("b", 1.0, "sad", facing=False))
    aggregator.add(seen("b", 2.0, "sad", facing=True))
    aggregator.add(seen("b", 3.0, "sad"))
    aggregator.add(seen("c", 1.0, "sad"))
    (window,) = aggregator.close_until(5.0)
    assert window.analysed == 3
    assert window.facing == pytest.approx((1 + 0.5) / 2)


def test_everyone_has_one_reason_and_block_reasons_come_first() -> None:
    aggregator = make()
    for who in ("face", "none", "off", "codec", "out", "silent"):
        aggregator.join(who, 0.0)
    aggregator.add(seen("face", 1.0, "neutral"))
    aggregator.add(missed("face", 2.0, NotAnalysed.NO_FACE))
    aggregator.add(missed("none", 1.0, NotAnalysed.NO_FACE))
    aggregator.add(missed("none", 1.5, NotAnalysed.NO_FACE))
    aggregator.add(missed("none", 2.0, NotAnalysed.TOO_SMALL))
    aggregator.add(missed("off", 1.0, NotAnalysed.NO_FACE))
    aggregator.block("off", NotAnalysed.CAMERA_OFF)
    aggregator.block("codec", NotAnalysed.UNSUPPORTED_CODEC)
    aggregator.opt_out("out")
    (window,) = aggregator.close_until(5.0)
    assert window.analysed == 1
    assert window.not_analysed == {
        "camera_off": 1, "no_face": 1, "too_small": 0, "low_confidence": 0, "unsupported_codec": 1,
        "no_frames": 1, "opted_out": 1, "undecodable": 0,
    }  # fmt: skip
    assert window.cameras_on == 4  # not known of participants who opted out
    assert adds_up(window)


def test_a_participant_who_left_counts_only_in_windows_with_samples() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.join("b", 0.0)
    aggregator.add(seen("a", 1.0, "happy"))
    aggregator.leave("a", 2.0)
    aggregator.leave("b", 2.0)
    first, second = aggregator.close_until(10.0)
    assert (first.participants, first.analysed) == (1, 1)
    assert second.participants == 0


def test_a_participant_who_joins_later_does_not_count_earlier() -> None:
    aggregator = make()
    aggregator.join("late", 5.1)
    first, second = aggregator.close_until(10.0)
    assert (first.participants, second.participants) == (0, 1)


def test_a_rejoining_participant_counts_once() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.add(seen("a", 1.0, "happy"))
    aggregator.leave("a", 2.0)
    aggregator.join("a", 3.0)
    aggregator.add(seen("a", 4.0, "sad"))
    (window,) = aggregator.close_until(5.0)
    assert (window.participants, window.analysed) == (1, 1)


def test_an_opt_out_discards_samples_of_open_windows_and_is_permanent() -> None:
    aggregator = make()
    for who in ("a", "b"):
        aggregator.join(who, 0.0)
    aggregator.add(seen("a", 1.0, "angry"))
    aggregator.add(seen("b", 1.0, "happy"))
    aggregator.opt_out("a")
    aggregator.add(seen("a", 2.0, "angry"))
    aggregator.block("a", None)
    (window,) = aggregator.close_until(5.0)
    assert window.expressions is not None
    assert window.expressions["angry"] == 0
    assert window.not_analysed["opted_out"] == 1


def test_an_opt_out_followed_by_leaving_is_reported_once_without_the_name() -> None:
    aggregator = make()
    for who in ("a", "b"):
        aggregator.join(who, 0.0)
        aggregator.add(seen(who, 1.0, "happy"))
    aggregator.opt_out("a")
    aggregator.leave("a", 2.0)
    first, second = aggregator.close_until(10.0)
    assert (first.participants, first.analysed, first.not_analysed["opted_out"]) == (2, 1, 1)
    assert (second.participants, second.not_analysed["opted_out"]) == (1, 0)
    assert "'a'" not in repr(first.to_json())


def test_an_opt_out_lasts_when_the_participant_rejoins_much_later() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.opt_out("a")
    aggregator.leave("a", 1.0)
    aggregator.close_until(50.0)
    aggregator.join("a", 51.0)
    aggregator.add(seen("a", 52.0, "happy"))
    (window,) = aggregator.close_until(55.0)
    assert (window.analysed, window.not_analysed["opted_out"]) == (0, 1)


def test_observations_of_closed_windows_and_unknown_participants_are_dropped() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.close_until(5.0)
    aggregator.add(seen("a", 3.0, "happy"))
    aggregator.add(seen("stranger", 6.0, "happy"))
    (window,) = aggregator.close_until(10.0)
    assert (window.participants, window.analysed) == (1, 0)


def test_an_observation_of_the_next_window_is_kept_for_it() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.add(seen("a", 5.1, "happy"))
    first, second = aggregator.close_until(10.0)
    assert (first.analysed, second.analysed) == (0, 1)


def test_windows_without_data_during_an_outage_are_left_out() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.pause(0.0)
    assert aggregator.close_until(10.0) == []
    aggregator.resume(10.0)
    (window,) = aggregator.close_until(15.0)
    assert window.start_s == 10.0


def test_a_window_is_left_out_by_the_time_of_the_outage_not_of_its_closing() -> None:
    """Windows close a moment after their end, for what comes late."""
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.pause(5.1)
    assert [window.start_s for window in aggregator.close_until(5.0)] == [0.0]
    aggregator.resume(10.1)
    assert aggregator.close_until(10.0) == []
    assert aggregator.close_until(15.0) == [], "it has no samples and overlaps the outage"
    assert [window.start_s for window in aggregator.close_until(20.0)] == [15.0]


def test_the_last_window_is_shortened_to_the_end_of_the_class() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.add(seen("a", 6.0, "happy"))
    windows = aggregator.close_last(7.5)
    assert [(window.start_s, window.length_s) for window in windows] == [(0.0, 5.0), (5.0, 2.5)]
    assert windows[1].analysed == 1
    assert make().close_last(0.5) == []


def test_samples_from_before_a_final_outage_are_kept() -> None:
    for watched in (True, False):
        aggregator = make()
        aggregator.join("a", 0.0)
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
def test_counts_add_up_after_any_sequence_of_events(events: list[tuple[str, str, float]], least: int) -> None:
    aggregator, now_s, windows = make(least), 0.0, []
    for kind, who, step_s in events:
        now_s += step_s
        match kind:
            case "arrive":
                aggregator.join(who, now_s)
            case "depart":
                aggregator.leave(who, now_s)
            case "see":
                aggregator.add(seen(who, now_s, "happy", facing=(None, True, False)[int(2 * step_s) % 3]))
            case "miss":
                aggregator.add(missed(who, now_s, NotAnalysed.TOO_SMALL))
            case "off":
                aggregator.block(who, NotAnalysed.CAMERA_OFF)
            case "on":
                aggregator.block(who, None)
            case "erase":
                aggregator.opt_out(who)
            case "pulse":
                aggregator.pulse(who, PulseKind.OK, now_s)
            case "close":
                windows += aggregator.close_until(now_s)
    windows += aggregator.close_last(now_s)
    for window in windows:
        assert adds_up(window)
        assert 0 <= window.cameras_on <= window.participants <= 7
        assert window.shown == 0 or window.shown >= least
        if least == 1:
            assert window.shown == window.analysed
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
