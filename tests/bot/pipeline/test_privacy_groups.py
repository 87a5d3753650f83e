"""Privacy groups: formed at random, never changed, published whole or not at all."""

from __future__ import annotations

import random
from collections.abc import Collection
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.pipeline.privacy_groups import (
    CALM_S,
    LONGEST_START_S,
    QUIET_S,
    HeldValues,
    PrivacyGroups,
)

WINDOW_S = 5.0


def make_groups(min_group: int = 5, seed: int = 1) -> PrivacyGroups:
    return PrivacyGroups(min_group, random.Random(seed))


def started(names: str, min_group: int = 5, seed: int = 1) -> PrivacyGroups:
    """Groups of people who were all analysed from the first window on, formed at ``CALM_S``."""
    groups = make_groups(min_group, seed)
    groups.add(names, 0.0)
    groups.add(names, CALM_S)
    return groups


def shown(groups: PrivacyGroups, available: Collection[str], at_s: float) -> str:
    """Everyone who is shown, in alphabetical order."""
    return "".join(sorted(who for group in groups.publish(available, at_s) for who in group))


def sizes(groups: PrivacyGroups) -> list[int]:
    return sorted(len(members) for members in groups.members)


def test_nobody_is_shown_before_a_group_is_formed() -> None:
    groups = make_groups()
    assert groups.publish([], 0.0) == []
    groups.add("abcdefgh", 0.0)
    assert groups.publish("abcdefgh", 0.0) == []
    assert groups.members == ()


def test_first_groups_wait_until_nobody_new_comes() -> None:
    groups = make_groups()
    groups.add("abcdefgh", 0.0)
    groups.add("abcdefghi", 20.0)
    groups.add("abcdefghi", 20.0 + CALM_S - WINDOW_S)
    assert groups.members == ()
    groups.add("abcdefghi", 20.0 + CALM_S)
    assert sizes(groups) == [9]


def test_first_groups_wait_no_longer_than_the_longest_start() -> None:
    groups = make_groups()
    names = "abcdefghijklmnopqrs"
    for number, at_s in enumerate(np.arange(0.0, LONGEST_START_S + 1, 5.0)):
        groups.add(names[: number + 1], float(at_s))
    assert sum(sizes(groups)) == 19


@pytest.mark.parametrize(
    ("count", "expected"), [(5, [5]), (9, [9]), (10, [5, 5]), (14, [7, 7]), (17, [5, 6, 6])]
)
def test_groups_are_as_many_and_as_even_as_possible(count: int, expected: list[int]) -> None:
    assert sizes(started("abcdefghijklmnopq"[:count])) == expected


def test_members_are_drawn_at_random() -> None:
    drawn = {frozenset(started("abcdefghij", seed=seed).members) for seed in range(40)}
    assert len(drawn) > 30


def test_latecomers_wait_until_there_are_enough_of_them() -> None:
    groups = started("abcde")
    groups.add("abcdefghi", 100.0)
    assert shown(groups, "abcdefghi", 100.0) == "abcde"
    groups.add("abcdefghij", 105.0)
    assert shown(groups, "abcdefghij", 105.0) == "abcdefghij"
    assert sizes(groups) == [5, 5]


def test_group_with_a_missing_member_is_withheld_and_the_others_are_shown() -> None:
    groups = started("abcdefghij")
    missing = sorted(groups.members[0])[0]
    assert groups.publish(set("abcdefghij") - {missing}, 40.0) == [groups.members[1]]
    assert len(groups.publish("abcdefghij", 45.0)) == 2


def test_dissolved_group_stays_quiet_for_five_minutes() -> None:
    groups = started("abcdef")
    groups.publish("abcdef", 100.0)
    groups.remove("a")
    rest = "bcdefghijk"
    groups.add(rest, 105.0)
    assert [sorted(members) for members in groups.members] == [list("ghijk")], "only those never shown"
    groups.add(rest, 100.0 + QUIET_S - WINDOW_S)
    assert len(groups.members) == 1
    groups.add(rest, 100.0 + QUIET_S)
    assert sorted(map(sorted, groups.members)) == [list("bcdef"), list("ghijk")]


def test_member_who_left_and_returns_stays_quiet_as_long() -> None:
    groups = started("abcdef")
    groups.publish("abcdef", 100.0)
    groups.remove("a")
    groups.add("aghij", 110.0)
    assert groups.members == ()
    groups.add("aghij", 100.0 + QUIET_S)
    assert shown(groups, "aghij", 100.0 + QUIET_S) == "aghij"


def test_group_withheld_for_five_minutes_is_dissolved() -> None:
    groups = started("abcdef")
    groups.publish("abcdef", 100.0)
    at_s = 100.0
    while at_s < 100.0 + QUIET_S - WINDOW_S:
        at_s += WINDOW_S
        groups.add("abcde", at_s)
        assert groups.publish("abcde", at_s) == []
    groups.add("abcde", 100.0 + QUIET_S)
    assert shown(groups, "abcde", 100.0 + QUIET_S) == "abcde"


def test_minimum_group_of_one_shows_whoever_is_analysed_at_once() -> None:
    groups = make_groups(1)
    assert groups.publish("", 0.0) == []
    assert shown(groups, "ab", 5.0) == "ab"


def test_next_class_goes_on_with_the_groups_whose_members_all_return() -> None:
    groups = started("abcdefghij")
    groups.publish("abcdefghij", 600.0)
    before = groups.members
    groups.resume(700.0)
    groups.add("abcdefghij", 705.0)
    assert groups.publish("abcdefghij", 705.0) == list(before)


def test_strangers_in_the_next_class_wait_until_the_earlier_one_is_five_minutes_past() -> None:
    groups = started("abcdef")
    groups.publish("abcdef", 600.0)
    groups.resume(610.0)
    for at_s in np.arange(615.0, 600.0 + QUIET_S, WINDOW_S):
        groups.add("stuvwx", float(at_s))
        assert groups.publish("stuvwx", float(at_s)) == []
    groups.add("stuvwx", 600.0 + QUIET_S)
    assert shown(groups, "stuvwx", 600.0 + QUIET_S) == "stuvwx"


def test_group_that_does_not_return_to_the_next_class_is_dissolved_after_five_minutes() -> None:
    groups = started("abcdef")
    groups.publish("abcdef", 600.0)
    groups.resume(5000.0)
    groups.add("abcde", 5005.0)
    assert groups.publish("abcde", 5005.0) == []
    groups.add("abcde", 5000.0 + QUIET_S)
    assert shown(groups, "abcde", 5000.0 + QUIET_S) == "abcde"


def test_value_is_held_for_its_time_and_no_longer() -> None:
    held: HeldValues[int] = HeldValues(30.0)
    held.update({"a": 1, "b": 2}, 5.0)
    held.update({"b": 3}, 10.0)
    assert held.current(35.0) == {"a": 1, "b": 3}
    assert held.current(40.0) == {"b": 3}
    held.forget("b")
    assert held.current(40.0) == {}


windows_of_a_class = st.lists(
    st.tuples(st.sets(st.integers(0, 19)), st.none() | st.integers(0, 19)), min_size=1, max_size=120
)


@settings(max_examples=200, deadline=None)
@given(windows_of_a_class, st.integers(2, 6), st.integers(0, 100))
def test_published_sets_are_unions_of_disjoint_groups(
    windows: list[tuple[set[int], int | None]], min_group: int, seed: int
) -> None:
    groups = make_groups(min_group, seed)
    for number, (analysed, leaver) in enumerate(windows):
        at_s = number * WINDOW_S
        names = [str(who) for who in analysed]
        if leaver is not None:
            groups.remove(str(leaver))
            names = [name for name in names if name != str(leaver)]
        groups.add(names, at_s)
        published = groups.publish(names, at_s)
        for one, other in combinations(groups.members, 2):
            assert not one & other
        assert all(len(members) >= min_group for members in groups.members)
        assert published == [members for members in groups.members if members <= set(names)]


@settings(max_examples=100, deadline=None)
@given(windows_of_a_class, st.integers(2, 6), st.integers(0, 100))
def test_no_combination_of_windows_isolates_a_part_of_a_group(
    windows: list[tuple[set[int], int | None]], min_group: int, seed: int
) -> None:
    """While groups last, everybody in a group has the same weight in every sum anyone can form."""
    groups, sums, known = make_groups(min_group, seed), list[list[float]](), frozenset[frozenset[str]]()
    names = [str(number) for number in range(20)]
    for number, (analysed, _) in enumerate(windows):
        at_s = number * WINDOW_S
        present = [str(who) for who in analysed]
        groups.add(present, at_s)
        if known - frozenset(groups.members):
            return  # a group was dissolved: five quiet minutes lie in between
        known = frozenset(groups.members)
        shown_names = {who for group in groups.publish(present, at_s) for who in group}
        if shown_names:
            sums.append([float(name in shown_names) for name in names])
    if not sums:
        return
    rank = np.linalg.matrix_rank(np.array(sums))
    for members in known:
        for part in (sorted(members)[:1], sorted(members)[:-1]):
            row = [float(name in part) for name in names]
            assert np.linalg.matrix_rank(np.vstack([sums, row])) > rank
