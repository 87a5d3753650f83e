"""An attacker who sees everything a class publishes cannot compute one person's share.

Two classes are held in which the same people come, go and are seen, and every single person's expressions are
others: each moved by as much as their weight (``bot.pipeline.cohorts``). If every byte that leaves the bot
(windows, events, CSV, JSON, report, comparison with the next class) is the same, no calculation whatever on
them tells one class from the other, and so nobody's share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from bot.pipeline.cohorts import Cohorts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.observation import Observation
from inference.arrays import Floats
from inference.emotions import EMOTIONS
from reports.document.class_report import build_report
from reports.document.comparison import session
from reports.document.csv_table import to_csv
from reports.document.rendering import to_html, to_json
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.indicators import Indicators
from reports.summary.records import Marker, PulseRecord
from reports.summary.windows import NotAnalysed, PulseKind, WindowSummary

PEOPLE = "abcdefghij"
_GRAIN = 64
"""Shares are multiples of 1/64, which floating point adds up exactly: sums are the same or they are not."""

_FROM, _TO = EMOTIONS.index("neutral"), EMOTIONS.index("angry")


@dataclass(frozen=True)
class Step:
    """One window: who is seen (by how many pictures), who is there unseen, who goes, who is erased."""

    seen: frozenset[str]
    pictures: int
    going: frozenset[str]
    erased: str | None
    pulse: PulseKind | None


steps = st.builds(
    Step,
    seen=st.frozensets(st.sampled_from(PEOPLE), min_size=2),
    pictures=st.integers(1, 3),
    going=st.frozensets(st.sampled_from(PEOPLE), max_size=2),
    erased=st.none() | st.sampled_from(PEOPLE),
    pulse=st.none() | st.sampled_from(list(PulseKind)),
)


def own_shares(seed: int) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    parts = {who: 3 + rng.multinomial(_GRAIN - 21, np.full(7, 1 / 7)) for who in PEOPLE}
    return {who: (counts / _GRAIN).astype(np.float32) for who, counts in parts.items()}


def moved(shares: Mapping[str, Floats], weights: Mapping[str, int]) -> dict[str, Floats]:
    """Everyone's shares moved by their weight; of whom nothing is published, by something."""
    found = {}
    for who, own in shares.items():
        other, by = own.copy(), np.float32(weights.get(who, 1) / _GRAIN)
        other[_FROM] -= by
        other[_TO] += by
        found[who] = other
    return found


def hold(plan: list[Step], least: int, shares: Mapping[str, Floats]) -> list[WindowSummary]:
    aggregator, windows = WindowAggregator("c", 5.0, least), []
    for number, step in enumerate(plan):
        began_s = 5.0 * number
        for who in sorted(step.seen):
            aggregator.arrive(who, began_s)
            for picture in range(step.pictures):
                aggregator.add(Observation(who, began_s + 1 + picture, 1, shares[who], None))
        for who in step.going:
            aggregator.depart(who, began_s + 4)
        if step.erased is not None:
            aggregator.erase(step.erased)
        if step.pulse is not None:
            aggregator.pulse("somebody", step.pulse, began_s + 2)
        windows += aggregator.close_until(began_s + 5.0)
    return windows


def everything_published(windows: list[WindowSummary], plan: list[Step], least: int) -> list[str]:
    """The bytes an attacker gets to see."""
    indicators, events = Indicators(), []
    for window in windows:
        indicator, alert = indicators.add(window)
        events += [window.to_json(), indicator.to_json(), None if alert is None else alert.to_json()]
    pulses = [
        PulseRecord("c", 5.0 * number + 2, step.pulse)
        for number, step in enumerate(plan)
        if step.pulse is not None
    ]
    markers = [Marker("c", 5.0 * number, f"part {number}") for number in range(0, len(plan), 2)]
    began = datetime(2026, 1, 1, tzinfo=UTC)
    info = ClassInfo("c", "T", "r", ClassState.ENDED, "", None, None, began, began, least)
    report = build_report(info, windows, markers, pulses, None)
    after = build_report(info, windows, [], pulses, None, earlier=[session(info, windows)])
    return [json.dumps(events), to_csv(report), to_json(report), to_html(report), to_html(after)]


def weights_of(plan: list[Step], least: int) -> Mapping[str, int]:
    """Who weighs what, from who was seen alone."""
    cohorts = Cohorts(least)
    gone: set[str] = set()
    for step in plan:
        if step.erased is not None:
            gone.add(step.erased)
        cohorts.publish(step.seen - gone)
    return cohorts.weights


def plain(*seen: str) -> list[Step]:
    return [Step(frozenset(who), 1, frozenset(), None, None) for who in seen]


@settings(max_examples=120, deadline=None)
@given(st.lists(steps, min_size=1, max_size=14), st.integers(3, 5), st.integers(0, 2**16))
@example(plain("abcdef", "abcdefg", "abcdef"), 5, 1)  # one comes and goes
@example(plain("abcdefgh", "abcdefg", "abcdefgh"), 5, 1)  # one face is lost for a moment
@example(plain("abcdefgh", "abcdefij", "abcdegi", "abcdehij"), 3, 1)  # what pairs of windows do not show
def test_two_classes_in_which_everyone_differs_publish_the_same(
    plan: list[Step], least: int, seed: int
) -> None:
    shares = own_shares(seed)
    others = moved(shares, weights_of(plan, least))
    assert all((shares[who] != others[who]).any() for who in PEOPLE)
    here, there = hold(plan, least, shares), hold(plan, least, others)
    assert everything_published(here, plan, least) == everything_published(there, plan, least)


def test_what_is_published_does_depend_on_what_is_seen() -> None:
    """Or the test above would hold of a program that publishes nothing."""
    plan = plain("abcdefgh", "abcdefgh", "abcdefgh")
    one, other = (hold(plan, 5, own_shares(seed)) for seed in (1, 2))
    assert all(not window.suppressed for window in one)
    assert everything_published(one, plan, 5) != everything_published(other, plan, 5)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=1, max_size=14), st.integers(0, 2**16))
def test_everyone_is_still_counted(plan: list[Step], seed: int) -> None:
    for window in hold(plan, 5, own_shares(seed)):
        assert set(window.not_analysed) == {reason.value for reason in NotAnalysed}
        assert window.participants == window.analysed + sum(window.not_analysed.values())
        assert not (window.expressions is not None and window.analysed < 5)
