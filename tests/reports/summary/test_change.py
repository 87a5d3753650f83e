"""Change detection: noise of the fast mean, baseline, limit and hysteresis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.summary.change import EFFECT, LEARN_S, Change, ewma_sd


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.85])
def test_the_noise_of_the_fast_mean_matches_a_simulation(correlation: float) -> None:
    rng = np.random.default_rng(1)
    value = mean = 0.0
    means = []
    for step in range(60_000):
        value = correlation * value + rng.normal(0, np.sqrt(1 - correlation**2))
        mean += 0.15 * (value - mean)
        if step > 200:
            means.append(mean)
    assert ewma_sd(1.0, correlation, 0.15) == pytest.approx(np.std(means), rel=0.08)


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(0.01, 1))
def test_a_mean_is_never_noisier_than_its_values(
    variance: float, correlation: float, smoothing: float
) -> None:
    assert 0 <= ewma_sd(variance, correlation, smoothing) <= np.sqrt(variance) + 1e-9


def learnt_change(level: float = 0.3) -> tuple[Change, float]:
    """A change that has just learnt its baseline, and the time."""
    change, at_s = Change(), 0.0
    while not change.learnt:
        change.add(at_s, 5.0, level)
        at_s += 5
    assert at_s == LEARN_S
    return change, at_s


def feed(change: Change, at_s: float, seconds: float, share: float) -> float:
    """Add windows with the same share for some seconds; returns the time after them."""
    for _ in range(round(seconds / 5)):
        change.add(at_s, 5.0, share)
        at_s += 5
    return at_s


def test_nothing_moves_while_the_baseline_is_learnt() -> None:
    change = Change()
    feed(change, 0.0, LEARN_S - 5, 0.9)
    assert (change.learnt, change.moved, change.deviation) == (False, 0, 0.0)


@pytest.mark.parametrize(("share", "moved"), [(0.5, 1), (0.1, -1), (0.3 + EFFECT / 2, 0)])
def test_a_lasting_shift_counts_and_a_small_one_does_not(share: float, moved: int) -> None:
    change, at_s = learnt_change()
    feed(change, at_s, 120, share)
    assert change.moved == moved


def test_a_move_ends_only_below_half_the_limit() -> None:
    change, at_s = learnt_change()
    at_s = feed(change, at_s, 90, 0.5)
    seen = []
    for _ in range(60):
        change.add(at_s, 5.0, 0.3)
        at_s += 5
        seen.append((abs(change.deviation) / change.limit, change.moved))
    assert any(ratio < 1 and moved for ratio, moved in seen), (
        "it still counts between half the limit and the limit"
    )
    assert all(bool(moved) == (ratio >= 0.5) for ratio, moved in seen)
    assert seen[-1][1] == 0


def test_a_shift_to_the_other_side_starts_a_new_deviation() -> None:
    change, at_s = learnt_change(0.5)
    at_s = feed(change, at_s, 90, 0.9)
    assert change.moved == 1
    change.add(at_s, 60.0, 0.0)
    assert change.since_s == at_s
    change.add(at_s + 60, 60.0, 0.0)
    assert change.moved == -1


def test_a_lasting_shift_becomes_the_baseline() -> None:
    change, at_s = learnt_change()
    feed(change, at_s, 2 * 3600, 0.5)
    assert change.moved == 0
    assert abs(change.deviation) < 0.01


def test_after_a_gap_the_fast_mean_restarts_at_the_baseline() -> None:
    change, at_s = learnt_change()
    at_s = feed(change, at_s, 90, 0.5)
    change.add(at_s + 300, 5.0, 0.3)
    assert change.moved == 0
    assert abs(change.deviation) < 0.02


@given(st.lists(st.tuples(st.sampled_from([1.0, 5.0, 60.0]), st.floats(0, 1)), max_size=300))
def test_all_figures_stay_within_bounds_for_any_series(series: list[tuple[float, float]]) -> None:
    change, at_s = Change(), 0.0
    for length_s, share in series:
        change.add(at_s, length_s, share)
        at_s += length_s
        assert -1 <= change.deviation <= 1
        assert change.limit >= EFFECT
        assert change.moved in (-1, 0, 1)
        if change.moved:
            assert change.deviation * change.moved >= change.limit / 2
            assert change.since_s is not None
            assert change.since_s < at_s
