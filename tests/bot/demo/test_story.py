"""The class's story: the same for the same seed, smooth, within range, and with a hard middle."""

from __future__ import annotations

from dataclasses import astuple, fields
from itertools import islice

import numpy as np
import pytest

from bot.demo.expressions import EXPRESSIONS, Expression
from bot.demo.story import BLEND_S, PERIOD_S, StudentStory, tell_story
from reports.summary.windows import PulseKind


def share(stories: list[StudentStory], labels: set[str], from_s: float, until_s: float) -> float:
    """Share of the time between two moments that students show one of the labels."""
    shown = []
    for story in stories:
        for at_s in np.arange(from_s, until_s, 0.5):
            beat = max((beat for beat in story.beats if beat.start_s <= at_s), key=lambda beat: beat.start_s)
            shown.append(beat.label in labels)
    return float(np.mean(shown))


def test_nobody_has_no_story() -> None:
    assert tell_story(1, 0) == ()


def test_same_seed_same_story() -> None:
    assert tell_story(5, 8) == tell_story(5, 8)
    assert tell_story(5, 8) != tell_story(6, 8)
    assert len({story.beats for story in tell_story(5, 8)}) == 8


@pytest.mark.parametrize(("count", "lost"), [(1, 1), (2, 1), (7, 4), (8, 4)])
def test_half_of_the_class_is_lost(count: int, lost: int) -> None:
    assert sum(story.lost for story in tell_story(3, count)) == lost


def test_blends_stay_between_the_expressions() -> None:
    poles = np.array([astuple(expression) for expression in EXPRESSIONS.values()])
    for story in tell_story(2, 4):
        drawn = np.array([astuple(story.expression(at_s)) for at_s in np.arange(0, PERIOD_S, 0.1)])
        assert (drawn >= poles.min(axis=0) - 1e-9).all()
        assert (drawn <= poles.max(axis=0) + 1e-9).all()


def test_faces_change_smoothly_even_where_the_story_begins_anew() -> None:
    """No part moves faster than a smooth blend over its whole range allows."""
    poles = np.array([astuple(expression) for expression in EXPRESSIONS.values()])
    step_s = 0.02
    fastest = 1.5 * (poles.max(axis=0) - poles.min(axis=0)) * step_s / BLEND_S
    for story in tell_story(4, 3):
        moments = np.arange(0, PERIOD_S + 5, step_s)
        drawn = np.array([astuple(story.expression(at_s)) for at_s in moments])
        assert (np.abs(np.diff(drawn, axis=0)) <= fastest + 1e-6).all()


def test_faces_do_change() -> None:
    for story in tell_story(4, 3):
        drawn = {story.expression(at_s) for at_s in np.arange(0, PERIOD_S, 1.0)}
        assert len(drawn) > 5


def test_a_settled_face_shows_its_beat() -> None:
    story = tell_story(9, 2)[0]
    for beat in story.beats:
        shown = story.expression(beat.start_s + BLEND_S)
        assert astuple(shown) == pytest.approx(astuple(beat.expression))


def test_story_repeats() -> None:
    story = tell_story(9, 2)[1]
    for at_s in (0.3, 31.7, 150.0, 239.9):
        expected = np.array(astuple(story.expression(at_s)))
        assert np.allclose(astuple(story.expression(at_s + 2 * PERIOD_S)), expected, atol=1e-6)


def test_first_third_is_calm_the_middle_hard_for_half_and_the_end_happier() -> None:
    stories = [story for seed in range(10) for story in tell_story(seed, 6)]
    third = PERIOD_S / 3
    hard = {"sad", "angry", "surprise"}
    lost = [story for story in stories if story.lost]
    following = [story for story in stories if not story.lost]
    # A beat that began just before may last 8 s into the next third.
    assert share(stories, hard, 0, third) == 0
    assert share(stories, {"neutral"}, 0, third) > 0.55
    assert share(lost, hard, third + 8, 2 * third) > 0.65
    assert share(following, hard, third + 8, 2 * third) < 0.15
    assert share(stories, hard, 2 * third + 8, PERIOD_S) == 0
    assert share(stories, {"happy"}, 2 * third + 8, PERIOD_S) > share(stories, {"happy"}, 0, third)


def test_heads_move_a_little_and_smoothly() -> None:
    story = tell_story(1, 1)[0]
    poses = np.array([astuple(story.pose(at_s)) for at_s in np.arange(0, PERIOD_S, 0.1)])
    x, y, tilt, turn, blink, gaze = poses[:, :6].T
    for values, reach in ((x, 4), (y, 2), (tilt, 4), (turn, 0.5), (gaze, 0.5)):
        assert 0.3 * reach < np.abs(values).max() <= reach
        assert np.abs(np.diff(values)).max() <= 0.08 * reach
    assert blink.min() == 0
    assert blink.max() <= 1


def test_students_blink_every_few_seconds() -> None:
    story = tell_story(1, 1)[0]
    shut = np.array([story.pose(at_s).blink for at_s in np.arange(0, 60, 0.01)])
    blinks = int(((shut[1:] > 0.5) & (shut[:-1] <= 0.5)).sum())
    assert 60 / 6 - 1 <= blinks <= 60 / 2.5


def test_lost_students_say_so_in_the_hard_part_only() -> None:
    for seed in range(10):
        for story in tell_story(seed, 6):
            said_lost = [at_s for at_s, kind in story.taps if kind is PulseKind.LOST]
            assert bool(said_lost) == story.lost
            assert all(PERIOD_S / 3 < at_s < 2 * PERIOD_S / 3 for at_s in said_lost)
    kinds = {kind for seed in range(10) for story in tell_story(seed, 6) for _, kind in story.taps}
    assert kinds == set(PulseKind)


def test_taps_go_through_the_story_and_on_into_the_next_rounds() -> None:
    for seed in range(20):
        story = tell_story(seed, 3)[0]
        rounds = [(period * PERIOD_S + tap_s, kind) for period in range(4) for tap_s, kind in story.taps]
        assert list(islice(story.taps_after(0.0), len(rounds))) == rounds
        later = [tap for tap in rounds if tap[0] > 1.5 * PERIOD_S]
        assert list(islice(story.taps_after(1.5 * PERIOD_S), len(later))) == later
        times = [tap_s for tap_s, _ in rounds]
        assert times == sorted(set(times)), "no tap comes twice"


def test_a_story_without_taps_has_none() -> None:
    story = tell_story(2, 1)[0]
    silent = StudentStory(story.lost, story.beats, story.blinks, (), story.sway)
    assert list(silent.taps_after(10.0)) == []


def test_expressions_name_every_part_within_bounds() -> None:
    for expression in EXPRESSIONS.values():
        for field in fields(Expression):
            assert -1 <= getattr(expression, field.name) <= 2
