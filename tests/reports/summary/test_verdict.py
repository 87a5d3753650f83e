"""The verdict of the votes: enough of them, newer ones first, and OK only from half of the class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.summary.verdict import needed_votes, verdict
from reports.summary.windows import FRESH_S, VOTE_S, PulseKind, WindowSummary, vote_weight
from tests.reports.builders import a_window

LOST, OK, FAST, SLOW = PulseKind.LOST, PulseKind.OK, PulseKind.TOO_FAST, PulseKind.TOO_SLOW


def voted(votes: dict[PulseKind, int], weight: float = 1.0) -> WindowSummary:
    """A window whose votes all have the same weight."""
    return a_window(votes=votes, weights={kind: weight * count for kind, count in votes.items()})


def test_a_verdict_needs_fifteen_percent_but_at_least_three_or_all() -> None:
    assert [needed_votes(students) for students in (0, 1, 2, 3, 20, 21, 30)] == [1, 1, 2, 3, 3, 4, 5]
    assert verdict(voted({LOST: 2}), 18, None) is None
    assert verdict(voted({LOST: 3}), 18, None) is LOST
    assert verdict(voted({FAST: 3}), 18, None) is FAST
    assert verdict(voted({LOST: 1}), 1, None) is LOST


def test_ok_overrules_a_trouble_with_less_than_half_its_weight() -> None:
    assert verdict(voted({LOST: 5, OK: 10}), 18, None) is LOST
    assert verdict(voted({LOST: 4, OK: 10}), 18, None) is OK
    assert verdict(voted({LOST: 3, OK: 8}), 18, None) is None, "not half of the class says OK"


def test_a_verdict_holds_until_its_votes_have_faded_below_half() -> None:
    assert verdict(voted({SLOW: 2}), 18, SLOW) is SLOW
    assert verdict(voted({SLOW: 2}), 18, None) is None
    assert verdict(voted({LOST: 3}, weight=0.5), 18, LOST) is LOST
    assert verdict(voted({LOST: 3}, weight=0.4), 18, LOST) is None
    assert verdict(voted({LOST: 3}, weight=0.4), 18, None) is None


def test_newer_votes_outweigh_older_ones() -> None:
    faded = a_window(votes={LOST: 6, FAST: 4}, weights={LOST: 3.0, FAST: 4.0})
    assert verdict(faded, 20, LOST) is FAST
    relieved = a_window(votes={LOST: 6, OK: 10}, weights={LOST: 3.0, OK: 10.0})
    assert verdict(relieved, 20, LOST) is OK


def test_windows_without_weights_count_their_votes_fully() -> None:
    assert verdict(a_window(votes={LOST: 3}, weights={}), 18, None) is LOST


@pytest.mark.parametrize(("age_s", "weight"), [(0, 1), (FRESH_S, 1), (40, 0.5), (VOTE_S, 0), (100, 0)])
def test_a_vote_fades(age_s: float, weight: float) -> None:
    assert vote_weight(age_s) == weight


@given(st.dictionaries(st.sampled_from(PulseKind), st.integers(0, 30)), st.integers(0, 60))
def test_a_verdict_is_supported_by_enough_votes(votes: dict[PulseKind, int], participants: int) -> None:
    found = verdict(voted(votes), participants, None)
    if found is OK:
        assert votes[OK] >= participants / 2
    elif found is not None:
        assert 2 * votes[found] >= votes.get(OK, 0)
        assert votes[found] >= max(1, 0.15 * participants)
