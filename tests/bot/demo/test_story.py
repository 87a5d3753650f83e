"""The story of the drawn class: the same for the same seed, smooth, and with a hard part in the middle."""

from __future__ import annotations

from dataclasses import astuple, fields
from itertools import islice

import numpy as np
import pytest

from bot.demo.expressions import EXPRESSIONS, Expression
from bot.demo.story import BLEND_S, PERIOD_S, StudentStory, tell_story
from reports.summary.windows import PulseKind


def time_share(stories: list[StudentStory], labels: set[str], from_s: float, until_s: float) -> float:
    """The share of an interval in which the students show one of the labels."""
    shown = []
    for story in stories:
        for at_s in np.arange(from_s, until_s, 0.5):
            beat = max((beat for beat in story.beats if beat.start_s <= at_s), key=lambda beat: beat.start_s)
            shown.append(beat.label in labels)
    return float(np.mean(shown))


def test_a_class_without_students_has_no_stories() -> None:
    assert tell_story(1, 0) == ()


def test_the_same_seed_gives_the_same_story() -> None:
    assert tell_story(5, 8) == tell_story(5, 8)
    assert tell_story(5, 8) != tell_story(6, 8)
    assert len({story.beats for story in tell_story(5, 8)}) == 8


@pytest.mark.parametrize(("count", "lost"), [(1, 1), (2, 1), (7, 4), (8, 4)])
def test_half_of_the_class_is_lost_rounded_up(count: int, lost: int) -> None:
    assert sum(story.lost for story in tell_story(3, count)) == lost


def test_blends_stay_within_the_range_of_the_expressions() -> None:
    expressions = np.array([astuple(expression) for expression in EXPRESSIONS.values()])
    for story in tell_story(2, 4):
        drawn = np.array([astuple(story.expression(at_s)) for at_s in np.arange(0, PERIOD_S, 0.1)])
        assert (drawn >= expressions.min(axis=0) - 1e-9).all()
        assert (drawn <= expressions.max(axis=0) + 1e-9).all()


def test_faces_change_smoothly_also_where_the_story_repeats() -> None:
    """No part moves faster than in a smooth blend over its whole range."""
    expressions = np.array([astuple(expression) for expression in EXPRESSIONS.values()])
    step_s = 0.02
    fastest = 1.5 * (expressions.max(axis=0) - expressions.min(axis=0)) * step_s / BLEND_S
    for story in tell_story(4, 3):
        times_s = np.arange(0, PERIOD_S + 5, step_s)
        drawn = np.array([astuple(story.expression(at_s)) for at_s in times_s])
        assert (np.abs(np.diff(drawn, axis=0)) <= fastest + 1e-6).all()


def test_faces_change_during_the_story() -> None:
    for story in tell_story(4, 3):
        drawn = {story.expression(at_s) for at_s in np.arange(0, PERIOD_S, 1.0)}
        assert len(drawn) > 5


def test_after_the_blend_a_face_shows_its_beat() -> None:
    story = tell_story(9, 2)[0]
    for beat in story.beats:
        shown = story.expression(beat.start_s + BLEND_S)
        assert astuple(shown) == pytest.approx(astuple(beat.expression))


def test_the_story_repeats() -> None:
    story = tell_story(9, 2)[1]
    for at_s in (0.3, 31.7, 150.0, 239.9):
        expected = np.array(astuple(story.expression(at_s)))
        assert np.allclose(astuple(story.expression(at_s + 2 * PERIOD_S)), expected, atol=1e-6)


def test_the_first_third_is_calm_the_second_hard_for_half_and_the_last_happier() -> None:
    stories = [story for seed in range(10) for story in tell_story(seed, 6)]
    third = PERIOD_S / 3
    hard = {"sad", "angry", "surprise"}
    lost = [story for story in stories if story.lost]
    following = [story for story in stories if not story.lost]
    # A beat that started in the third before may last 8 s.
    assert time_share(stories, hard, 0, third) == 0
    assert time_share(stories, {"neutral"}, 0, third) > 0.55
    assert time_share(lost, hard, third + 8, 2 * third) > 0.65
    assert time_share(following, hard, third + 8, 2 * third) < 0.15
    assert time_share(stories, hard, 2 * third + 8, PERIOD_S) == 0
    assert time_share(stories, {"happy"}, 2 * third + 8, PERIOD_S) > time_share(stories, {"happy"}, 0, third)


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


def test_only_lost_students_tap_lost_and_only_in_the_hard_part() -> None:
    for seed in range(10):
        for story in tell_story(seed, 6):
            lost_taps = [at_s for at_s, kind in story.taps if kind is PulseKind.LOST]
            assert bool(lost_taps) == story.lost
            assert all(PERIOD_S / 3 < at_s < 2 * PERIOD_S / 3 for at_s in lost_taps)
    kinds = {kind for seed in range(10) for story in tell_story(seed, 6) for _, kind in story.taps}
    assert kinds == set(PulseKind) - {PulseKind.TOO_FAST}  # the drawn teacher is slow rather than fast


def test_taps_repeat_with_the_story() -> None:
    for seed in range(20):
        story = tell_story(seed, 3)[0]
        taps = [(period * PERIOD_S + tap_s, kind) for period in range(4) for tap_s, kind in story.taps]
        assert list(islice(story.taps_after(0.0), len(taps))) == taps
        later = [tap for tap in taps if tap[0] > 1.5 * PERIOD_S]
        assert list(islice(story.taps_after(1.5 * PERIOD_S), len(later))) == later
        times = [tap_s for tap_s, _ in taps]
        assert times == sorted(set(times)), "no tap is repeated"


def test_a_student_who_never_taps_sends_no_pulses() -> None:
    story = tell_story(2, 1)[0]
    silent = StudentStory(story.lost, story.beats, story.blinks, (), story.sway)
    assert list(silent.taps_after(10.0)) == []


def test_every_part_of_every_expression_is_within_bounds() -> None:
    for expression in EXPRESSIONS.values():
        for field in fields(Expression):
            assert -1 <= getattr(expression, field.name) <= 2
