"""An attacker who sees everything a class publishes cannot compute one person's share.

Two classes are held in which the same people come, go and are seen, but everyone's expressions differ: within
each privacy group by amounts that add up to zero. If every byte that leaves the bot (windows, events, CSV,
JSON, report, comparison with the next class) is the same, then no calculation on them can tell the two
classes apart, nor compute anybody's share.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.observation import Observation
from bot.pipeline.privacy_groups import PrivacyGroups
from inference.arrays import Floats
from inference.emotions import EMOTIONS
from reports.document.class_report import build_report
from reports.document.comparison import compared_class
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
    """One window: who is seen, in how many frames, who leaves, who is erased, and what is tapped."""

    seen: frozenset[str]
    frames: int
    going: frozenset[str]
    erased: str | None
    pulse: PulseKind | None


steps = st.builds(
    Step,
    seen=st.frozensets(st.sampled_from(PEOPLE), min_size=2),
    frames=st.integers(1, 3),
    going=st.frozensets(st.sampled_from(PEOPLE), max_size=2),
    erased=st.none() | st.sampled_from(PEOPLE),
    pulse=st.none() | st.sampled_from(list(PulseKind)),
)


def own_shares(seed: int) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    parts = {who: 3 + rng.multinomial(_GRAIN - 21, np.full(7, 1 / 7)) for who in PEOPLE}
    return {who: (counts / _GRAIN).astype(np.float32) for who, counts in parts.items()}


def moved(shares: Mapping[str, Floats], groups: Iterable[frozenset[str]]) -> dict[str, Floats]:
    """Everyone's shares, moved by amounts that add up to zero in each group."""
    amounts = dict.fromkeys(shares, 1)
    for group in groups:
        members = sorted(group)
        pattern = [1, -1] * (len(members) // 2) if len(members) % 2 == 0 else [2, -1, -1]
        amounts |= dict(zip(members, pattern + [1, -1] * len(members), strict=False))
    found = {}
    for who, own in shares.items():
        other, amount = own.copy(), np.float32(amounts[who] / _GRAIN)
        other[_FROM] -= amount
        other[_TO] += amount
        found[who] = other
    return found


def hold(
    plan: list[Step], least: int, shares: Mapping[str, Floats]
) -> tuple[list[WindowSummary], set[frozenset[str]]]:
    """The windows of a class, and all its groups. It is too short for a second group of the same person."""
    groups, windows = PrivacyGroups(least, random.Random(1)), list[WindowSummary]()
    aggregator, all_groups = WindowAggregator("c", 5.0, groups), set[frozenset[str]]()
    for number, step in enumerate(plan):
        began_s = 5.0 * number
        for who in sorted(step.seen):
            aggregator.join(who, began_s, who)
            for frame in range(step.frames):
                aggregator.add(Observation(who, began_s + 1 + frame, 1, shares[who], None))
        for who in step.going:
            aggregator.leave(who, began_s + 4)
        if step.erased is not None:
            aggregator.opt_out(step.erased)
        if step.pulse is not None:
            aggregator.pulse("somebody", step.pulse, began_s + 2)
        windows += aggregator.close_until(began_s + 5.0)
        all_groups.update(groups.members)
    return windows, all_groups


def everything_published(windows: list[WindowSummary], plan: list[Step], least: int) -> list[str]:
    """The bytes an attacker gets to see."""
    indicators, events = Indicators(), []
    for window in windows:
        indicator, alerts = indicators.add(window)
        events += [window.to_json(), indicator.to_json(), *(alert.to_json() for alert in alerts)]
    pulses = [
        PulseRecord("c", 5.0 * number + 2, step.pulse)
        for number, step in enumerate(plan)
        if step.pulse is not None
    ]
    markers = [Marker("c", 5.0 * number, f"part {number}") for number in range(0, len(plan), 2)]
    began = datetime(2026, 1, 1, tzinfo=UTC)
    info = ClassInfo("c", "T", "r", ClassState.ENDED, "", None, None, began, began, least)
    report = build_report(info, windows, markers, pulses, None)
    after = build_report(info, windows, [], pulses, None, earlier=[compared_class(info, windows)])
    return [json.dumps(events), to_csv(report), to_json(report), to_html(report), to_html(after)]


def plain(*seen: str) -> list[Step]:
    return [Step(frozenset(who), 1, frozenset(), None, None) for who in seen]


@settings(max_examples=120, deadline=None)
@given(st.lists(steps, min_size=1, max_size=14), st.integers(2, 5), st.integers(0, 2**16))
@example(plain(*["abcdef"] * 4, "abcdefg", "abcdef"), 5, 1)  # one comes and goes
@example(plain(*["abcdefghij"] * 4, "abcdefghi", "abcdefghij"), 5, 1)  # one face is lost for a moment
@example(plain(*["abcdefgh"] * 4, "abcdefij", "abcdegi", "abcdehij"), 3, 1)
def test_two_classes_in_which_everyone_differs_publish_the_same(
    plan: list[Step], least: int, seed: int
) -> None:
    shares = own_shares(seed)
    here, groups = hold(plan, least, shares)
    others = moved(shares, groups)
    assert all((shares[who] != others[who]).any() for who in PEOPLE)
    there, _ = hold(plan, least, others)
    assert everything_published(here, plan, least) == everything_published(there, plan, least)


def test_what_is_published_does_depend_on_what_is_seen() -> None:
    """Or the test above would hold of a program that publishes nothing."""
    plan = plain(*["abcdefgh"] * 6)
    one, other = (hold(plan, 5, own_shares(seed))[0] for seed in (1, 2))
    assert [window.shown for window in one] == [0, 0, 0, 8, 8, 8]
    assert everything_published(one, plan, 5) != everything_published(other, plan, 5)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=1, max_size=14), st.integers(0, 2**16))
def test_everyone_is_still_counted(plan: list[Step], seed: int) -> None:
    for window in hold(plan, 5, own_shares(seed))[0]:
        assert set(window.not_analysed) == {reason.value for reason in NotAnalysed}
        assert window.participants == window.analysed + sum(window.not_analysed.values())
        assert window.shown == 0 or window.shown >= 5
        assert window.suppressed is (window.shown == 0)
