"""Taps and votes in windows."""

from __future__ import annotations

import pytest

from reports.summary.windows import PulseKind, WindowSummary
from tests.bot.pipeline.observations import make


def test_a_tap_is_counted_in_its_window() -> None:
    aggregator = make()
    aggregator.pulse("a", PulseKind.LOST, 1.0)
    aggregator.pulse("a", PulseKind.LOST, 4.9)
    aggregator.pulse("a", PulseKind.OK, 5.0)
    first, second = aggregator.close_until(10.0)
    assert first.pulses == {"lost": 2, "ok": 0, "too_fast": 0, "too_slow": 0}
    assert second.pulses == {"lost": 0, "ok": 1, "too_fast": 0, "too_slow": 0}


def lost_and_ok(windows: list[WindowSummary]) -> list[tuple[int, int]]:
    return [(window.votes["lost"], window.votes["ok"]) for window in windows]


def test_a_vote_is_the_last_tap_of_a_participant_for_a_minute() -> None:
    aggregator = make()
    for who in "abc":
        aggregator.join(who, 0.0)
    for at_s in (1.0, 2.0, 3.0):
        aggregator.pulse("a", PulseKind.LOST, at_s)
    aggregator.pulse("b", PulseKind.LOST, 3.0)
    aggregator.pulse("b", PulseKind.OK, 11.0)
    aggregator.pulse("c", PulseKind.LOST, 4.0)
    windows = aggregator.close_until(80.0)
    found = lost_and_ok(windows)
    assert found[:3] == [(3, 0), (3, 0), (2, 1)]
    assert found[11] == (2, 1), "at 60 s"
    assert found[12] == (0, 1), "at 65 s"
    assert found[-2:] == [(0, 0), (0, 0)], "the tap at 11 s is a minute old"
    assert [window.weights["lost"] for window in windows[2:6]] == [2.0, 2.0, 1.9, 1.7], (
        "it fades from 20 s on"
    )


def test_clearing_votes_ends_those_of_open_windows_too_but_no_taps() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.join("b", 0.0)
    aggregator.pulse("a", PulseKind.LOST, 1.0)
    aggregator.clear_votes()
    aggregator.vote("b", PulseKind.OK, 2.0)
    (window,) = aggregator.close_until(5.0)
    assert (window.votes["lost"], window.votes["ok"]) == (0, 1)
    assert (window.pulses["lost"], window.pulses["ok"]) == (1, 0)


@pytest.mark.parametrize(("erased", "left"), [(False, (1, 1)), (True, (1, 0))])
def test_a_vote_outlives_leaving_but_not_an_opt_out(erased: bool, left: tuple[int, int]) -> None:
    aggregator = make()
    for who in "ab":
        aggregator.join(who, 0.0)
        aggregator.pulse(who, PulseKind.LOST, 1.0)
    aggregator.close_until(5.0)
    aggregator.pulse("a", PulseKind.OK, 5.5)
    if erased:
        aggregator.opt_out("a")
    aggregator.leave("a", 6.0)
    assert lost_and_ok(aggregator.close_until(15.0)) == [left] * 2


def test_taps_just_before_the_end_of_the_class_are_counted() -> None:
    aggregator = make()
    aggregator.join("a", 0.0)
    aggregator.pulse("a", PulseKind.LOST, 5.2)
    assert [window.pulses["lost"] for window in aggregator.close_last(5.5)] == [0, 1]
    aggregator = make()
    aggregator.pulse("a", PulseKind.LOST, 5.0)
    window = aggregator.close_last(5.0)[-1]
    assert window.pulses["lost"] == 1
    assert window.to_json()["length_s"] > 0
