"""No published windows, however many, give one person away, whatever people do; and hardly one is lost by it.

``test_differencing`` has the same for everything a class publishes.
"""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.cohorts import Cohorts
from bot.pipeline.observation import Observation

CLASS = "abcdefghijkl"


def people(names: str) -> frozenset[str]:
    return frozenset(names)


def test_nobody_and_too_few_are_withheld() -> None:
    cohorts = Cohorts(5)
    assert cohorts.publish(people("")) is None
    assert cohorts.publish(people("abcd")) is None
    assert cohorts.publish(people("abcde")) == people("abcde")


def test_a_stable_class_is_published_whole() -> None:
    cohorts = Cohorts(5)
    for _ in range(5):
        assert cohorts.publish(people("abcdefg")) == people("abcdefg")


def test_who_comes_alone_waits_for_a_second() -> None:
    cohorts = Cohorts(5)
    cohorts.publish(people("abcdef"))
    assert cohorts.publish(people("abcdefg")) == people("abcdef")
    assert cohorts.publish(people("abcdefgh")) == people("abcdefgh")


def test_when_one_face_is_lost_another_is_left_out() -> None:
    cohorts = Cohorts(5)
    cohorts.publish(people("abcdefgh"))
    chosen = cohorts.publish(people("abcdefg"))
    assert chosen is not None
    assert len(chosen) == 6
    assert chosen < people("abcdefg")


def test_near_the_minimum_group_that_withholds() -> None:
    cohorts = Cohorts(5)
    cohorts.publish(people("abcdef"))
    assert cohorts.publish(people("abcde")) is None
    assert cohorts.publish(people("abcdef")) == people("abcdef")


def test_an_odd_class_is_published_whole_from_its_beginning() -> None:
    cohorts = Cohorts(5)
    for _ in range(3):
        assert cohorts.publish(people("abcdefg")) == people("abcdefg")
    assert sorted(cohorts.weights.values()) == [-1, -1, -1, -1, 1, 1, 2]


def test_what_is_withheld_binds_nobody() -> None:
    cohorts = Cohorts(5)
    assert cohorts.publish(people("abcd")) is None
    assert cohorts.weights == {}


def test_whom_the_pages_showed_least_is_left_out() -> None:
    cohorts = Cohorts(3)
    cohorts.publish(people("abcd"))
    cohorts.publish(people("abcdef"))
    assert cohorts.publish(people("abcdeg")) == people("abcdeg"), "g stands in for f"
    assert cohorts.publish(people("abcdegh")) == people("abcdeg")
    (lost,) = [who for who in "abcd" if cohorts.weights[who] == cohorts.weights["e"]][:1]
    chosen = cohorts.publish(people("abcdegh") - {lost})
    assert chosen == people("abcdegh") - {lost}, "h takes the place"


def test_a_trial_with_a_lowered_group_shows_whoever_is_there() -> None:
    cohorts = Cohorts(1)
    assert cohorts.publish(people("")) is None
    assert cohorts.publish(people("a")) == people("a")
    assert cohorts.publish(people("ab")) == people("ab")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sets(st.sampled_from(CLASS)), max_size=40), st.integers(3, 6))
def test_no_combination_of_published_sets_is_one_person(windows: list[set[str]], least: int) -> None:
    cohorts, published = Cohorts(least), []
    for analysed in windows:
        chosen = cohorts.publish(frozenset(analysed))
        if chosen is not None:
            assert chosen <= analysed
            assert len(chosen) >= least
            published.append([float(who in chosen) for who in CLASS])
    if not published:
        return
    sums = np.array(published)
    rank = np.linalg.matrix_rank(sums)
    for number, who in enumerate(CLASS):
        alone = np.eye(len(CLASS))[number]
        assert np.linalg.matrix_rank(np.vstack([sums, alone])) > rank, f"{who} can be computed"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sets(st.sampled_from(CLASS), min_size=6), min_size=1, max_size=20))
def test_no_more_are_left_out_than_need_be(windows: list[set[str]]) -> None:
    cohorts = Cohorts(3)
    for analysed in windows:
        chosen = cohorts.publish(frozenset(analysed))
        if chosen is None:
            continue
        known = [cohorts.weights[who] for who in analysed if who in cohorts.weights]
        waiting = len(analysed) - len(known)
        assert len(analysed) - len(chosen) <= waiting + abs(sum(known)) + 1


def facing_windows(told: list[str], least: int) -> list[float | None]:
    """The shares turned to the screen of windows in which everyone is analysed, and only ``told`` are told.

    Student number n faces the screen in n of 20 samples.
    """
    aggregator, probs = WindowAggregator("c", 5.0, least), np.full(7, 1 / 7, np.float32)
    for who in CLASS:
        aggregator.arrive(who, 0.0)
    for number, names in enumerate(told):
        for index, who in enumerate(CLASS):
            for step in range(20):
                facing = step < index if who in names else None
                aggregator.add(Observation(who, number * 5.0 + 0.1 * (step + 1), 1, probs, None, facing))
    windows = aggregator.close_until(5.0 * len(told))
    assert not any(window.suppressed for window in windows)
    return [window.facing for window in windows]


def test_facing_gives_nobody_away_whose_face_becomes_too_small() -> None:
    whole, fewer = facing_windows(["abcdefgh", "abcdefg"], 5)
    assert whole == pytest.approx(sum(range(8)) / 8 / 20)
    assert fewer is not None
    left_out = sum(range(7)) - fewer * 20 * 6  # one of the seven, so that two are missing
    assert round(left_out, 6) in range(7)
    assert facing_windows(["abcdef", "abcde", "abcdef"], 5)[1] is None


def test_in_a_class_of_thirty_hardly_anything_is_lost() -> None:
    rng = np.random.default_rng(3)
    names = [f"student {number}" for number in range(30)]
    cohorts, lost, left_out = Cohorts(5), 0, 0
    began_s = time.process_time()
    for _ in range(1080):
        analysed = frozenset(name for name in names if rng.random() < 0.93)
        chosen = cohorts.publish(analysed)
        lost += chosen is None
        left_out += len(analysed) - len(chosen or analysed)
    assert lost == 0
    assert left_out / 1080 < 1.25
    assert time.process_time() - began_s < 10
