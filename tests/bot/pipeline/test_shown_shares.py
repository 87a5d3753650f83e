"""Windows rest on whole privacy groups. Members keep their value for a moment; leavers dissolve a group."""

from __future__ import annotations

import random
from collections.abc import Collection

import numpy as np
import pytest

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.observation import Observation
from bot.pipeline.privacy_groups import CALM_S, QUIET_S, PrivacyGroups
from inference.emotions import EMOTIONS
from reports.summary.windows import WindowSummary

WINDOW_S = 5.0
HOLD_S = 30.0


class SimulatedClass:
    """A class whose windows a test closes one by one."""

    def __init__(self, names: str, person: bool = False, seed: int = 1) -> None:
        self.groups = PrivacyGroups(5, random.Random(seed))
        self.aggregator = WindowAggregator("c", WINDOW_S, self.groups, hold_s=HOLD_S)
        self.now_s = 0.0
        self.rng = np.random.default_rng(seed)
        self.person = person
        for name in names:
            self.join(name)

    def join(self, name: str) -> None:
        self.aggregator.join(name, self.now_s, f"person {name}" if self.person else None)

    def window(self, seen: Collection[str], facing: Collection[str] | None = None) -> WindowSummary:
        """Close the next window, in which these faces are seen; of ``facing`` it is known that they face."""
        for name in seen:
            probs = self.rng.dirichlet(np.ones(7)).astype(np.float32)
            faces = True if facing is None or name in facing else None
            self.aggregator.add(Observation(name, self.now_s + 1, 1, probs, None, faces))
        self.now_s += WINDOW_S
        (summary,) = self.aggregator.close_until(self.now_s)
        return summary

    def windows(self, seen: Collection[str], seconds: float) -> list[WindowSummary]:
        return [self.window(seen) for _ in range(round(seconds / WINDOW_S))]


def started(names: str, person: bool = False) -> SimulatedClass:
    """A class whose first groups have been formed."""
    held = SimulatedClass(names, person)
    held.windows(names, CALM_S + WINDOW_S)
    assert held.window(names).shown == len(names)
    return held


def test_first_figures_come_when_the_arrivals_have_calmed() -> None:
    held = SimulatedClass("abcdef")
    assert {window.shown for window in held.windows("abcdef", CALM_S)} == {0}
    assert held.window("abcdef").shown == 6


def test_a_face_lost_for_a_moment_costs_nothing() -> None:
    held = started("abcdef")
    for window in held.windows("abcde", HOLD_S):
        assert (window.analysed, window.shown) == (5, 6)
        assert window.not_analysed["no_frames"] == 1


def test_a_face_lost_for_longer_withholds_the_group_until_it_is_back() -> None:
    held = started("abcdef")
    held.windows("abcde", HOLD_S)
    assert held.window("abcde").suppressed
    assert held.window("abcdef").shown == 6


def test_other_groups_are_shown_while_one_is_withheld() -> None:
    names = "abcdefghijkl"
    held = started(names)
    missing = sorted(held.groups.members[0])[0]
    held.windows(set(names) - {missing}, HOLD_S)
    assert held.window(set(names) - {missing}).shown == 6


def test_a_window_in_which_nobody_was_analysed_shows_nothing() -> None:
    held = started("abcdef")
    assert held.window("").suppressed


def test_an_opt_out_takes_effect_at_once_and_the_group_stays_quiet_for_five_minutes() -> None:
    held = started("abcdefg")
    last_shown_s = held.now_s
    held.aggregator.opt_out("g")
    windows = held.windows("abcdef", QUIET_S)
    assert {window.shown for window in windows[:-1]} == {0}
    assert windows[-1].shown == 6
    assert held.now_s == last_shown_s + QUIET_S


def test_a_member_who_leaves_dissolves_the_group() -> None:
    held = started("abcdefg")
    held.aggregator.leave("g", held.now_s)
    held.windows("abcdef", HOLD_S)
    assert held.groups.members
    held.windows("abcdef", 2 * WINDOW_S)
    assert held.groups.members == ()


@pytest.mark.parametrize("person", [True, False])
def test_only_a_member_recognised_for_certain_takes_the_old_place(person: bool) -> None:
    """A puppet who takes the name of somebody who just left must not take the place in the group."""
    held = started("abcdef", person)
    held.aggregator.leave("f", held.now_s)
    held.window("abcde")
    held.join("f")
    assert held.window("abcdef").shown == (6 if person else 0)


def test_facing_rests_on_groups_in_which_it_is_known_of_everyone() -> None:
    names = "abcdefghijkl"
    held = started(names)
    one_group = held.groups.members[0]
    unknown = SimulatedClass(names)
    for _ in range(round(CALM_S / WINDOW_S) + 1):
        window = unknown.window(names, facing=set(names) - {sorted(one_group)[0]})
    assert (window.shown, window.facing) == (12, 1.0)
    nowhere = SimulatedClass("abcdef")
    for _ in range(round(CALM_S / WINDOW_S) + 1):
        window = nowhere.window("abcdef", facing="abcde")
    assert (window.shown, window.facing) == (6, None)


def test_shares_are_whole_hundredths_that_add_up_to_one() -> None:
    held = started("abcdefg")
    for window in held.windows("abcdefg", 300.0):
        assert window.expressions is not None
        hundredths = [100 * window.expressions[label] for label in EMOTIONS]
        assert hundredths == pytest.approx([round(share) for share in hundredths])
        assert round(sum(hundredths)) == 100
