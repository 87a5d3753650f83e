"""The strongest attacker on published shares, and the one whom the privacy groups are meant to allow.

Students' shares are modelled as a personal level plus noise with a memory (an Ornstein-Uhlenbeck process),
so that what can be learnt from any number of published means is known exactly: the conditional distribution
of a Gaussian. The *attacker* sees every published mean of the class, knows who was in it, when each held
value was measured, and the shares of the puppets, students of their own. The *allowed observer* is given
the mean of the victim's group without the puppets, unrounded, for the same windows. The ratio of their
errors says what the attacker gains over the promise: 1 is nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.observation import Observation
from bot.pipeline.privacy_groups import PrivacyGroups
from inference.arrays import Floats

WINDOW_S: Final = 5.0
HOLD_S: Final = 30.0
_PERSONAL: Final = 0.5
"""Part of the variance that is a student's constant level."""

_MEMORY_S: Final = 60.0
_PROBS: Final = np.full(7, 1 / 7, np.float32)
_ROUNDING: Final = 0.01 / np.sqrt(12)
"""Standard deviation of rounding to whole hundredths, as a share; shares vary by about 1 here."""


@dataclass(frozen=True)
class Published:
    """One published mean.

    Attributes:
        window: Number of the window.
        measured: In which window each member's value was measured.
        groups: The groups it rests on.
    """

    window: int
    measured: Mapping[int, int]
    groups: Sequence[frozenset[int]]


@dataclass(frozen=True)
class Scenario:
    """A class with puppets.

    Attributes:
        students: Real students, numbered from 0.
        puppets: Students of the attacker, numbered after them.
        minutes: Length of the class.
        lost: Part of the time in which a student's face is not seen.
        lost_s: Mean length of such a time, seconds.
        toggle: Whether the puppets switch their cameras every ten seconds.
        late: A student and when they join, seconds; the puppets join after them.
        leaver: A student and when they opt out, seconds.
        restarts_s: When the host ends the class and begins another in the same room, seconds.
        recognised: Whether the room recognises the students in its next class.
    """

    students: int
    puppets: int
    minutes: float = 15.0
    lost: float = 0.07
    lost_s: float = 10.0
    toggle: bool = False
    late: tuple[int, float] | None = None
    leaver: tuple[int, float] | None = None
    restarts_s: float | None = None
    recognised: bool = False


def publish(scenario: Scenario, seed: int, min_group: int = 5) -> list[Published]:
    """Everything that the aggregator publishes of a class."""
    rng = np.random.default_rng(seed)
    groups = PrivacyGroups(min_group, random.Random(seed))
    began_s, published = 0.0, list[Published]()
    count = scenario.students + scenario.puppets
    away = rng.random(count) < scenario.lost
    end = WINDOW_S / scenario.lost_s
    begin = end * scenario.lost / (1 - scenario.lost)
    aggregator = WindowAggregator("c", WINDOW_S, groups, hold_s=HOLD_S)
    measured: dict[int, int] = {}
    class_no = 0
    for window in range(int(scenario.minutes * 60 / WINDOW_S)):
        at_s, chance = (window + 1) * WINDOW_S, rng.random(count)
        away = np.where(away, chance >= end, chance < begin)
        if scenario.restarts_s is not None and at_s - WINDOW_S == scenario.restarts_s:
            groups.resume(at_s - WINDOW_S)
            began_s, class_no = at_s - WINDOW_S, 1
            measured.clear()
            aggregator = WindowAggregator("d", WINDOW_S, groups, hold_s=HOLD_S, began_s=began_s)
        seen_s = at_s - WINDOW_S / 2 - began_s
        if scenario.leaver is not None and at_s - WINDOW_S < scenario.leaver[1] <= at_s:
            aggregator.opt_out(f"{class_no}-{scenario.leaver[0]}")
        for who in range(count):
            if _is_analysed(scenario, who, window, bool(away[who])):
                participant = f"{class_no}-{who}"
                aggregator.join(participant, seen_s, str(who) if scenario.recognised else None)
                aggregator.add(Observation(participant, seen_s, 1, _PROBS, None, None))
                measured[who] = window
        (summary,) = aggregator.close_until(at_s - began_s)
        if summary.expressions is not None:
            shown = [
                frozenset(int(name.rpartition("-")[2]) for name in group)
                for group in groups.members
                if all(_held(measured, name, window) for name in group)
                and (class_no == 0 or scenario.recognised or all(name[:2] == "1-" for name in group))
            ]
            assert summary.shown == sum(map(len, shown)), "only whole groups are shown"
            published.append(
                Published(window, {who: measured[who] for group in shown for who in group}, shown)
            )
    return published


def _held(measured: Mapping[int, int], name: str, window: int) -> bool:
    return (window - measured.get(int(name.rpartition("-")[2]), -math.inf)) * WINDOW_S <= HOLD_S


def _is_analysed(scenario: Scenario, who: int, window: int, away: bool) -> bool:
    at_s = (window + 1) * WINDOW_S
    if who >= scenario.students:
        joined_s = 0.0 if scenario.late is None else scenario.late[1] + WINDOW_S
        return at_s > joined_s and not (scenario.toggle and window // 2 % 2)
    if scenario.late is not None and who == scenario.late[0] and at_s <= scenario.late[1]:
        return False
    if scenario.leaver is not None and who == scenario.leaver[0] and at_s >= scenario.leaver[1]:
        return False
    return not away


def error_ratio(scenario: Scenario, published: Sequence[Published], victim: int) -> float | None:
    """The attacker's error over the allowed observer's; None for a victim who is never shown."""
    people, windows = range(scenario.students), [one.window for one in published if victim in one.measured]
    if not windows:
        return None
    attacker = [
        {who: (1 / len(one.measured), when) for who, when in one.measured.items() if who in people}
        for one in published
    ]
    allowed = []
    for one in published:
        for group in one.groups:
            if victim in group:
                others = [who for who in group if who in people]
                allowed.append({who: (1 / len(others), one.window) for who in others})
    return _error(attacker, victim, windows, _ROUNDING) / _error(allowed, victim, windows, 1e-6)


def _covariance(one: Floats, other: Floats) -> Floats:
    apart_s = np.abs(one[:, None] - other[None, :]) * WINDOW_S
    return np.asarray(_PERSONAL + (1 - _PERSONAL) * np.exp(-apart_s / _MEMORY_S))


def _error(
    sums: Sequence[Mapping[int, tuple[float, int]]], victim: int, windows: Iterable[int], noise: float
) -> float:
    """Root mean square error of the best estimate of the victim's shares, given sums of weighted shares."""
    asked = np.array(list(windows), float)
    known, shared = np.eye(len(sums)) * noise**2, np.zeros((len(asked), len(sums)))
    for who in {who for one in sums for who in one}:
        places = np.array([place for place, one in enumerate(sums) if who in one])
        weights = np.array([sums[place][who][0] for place in places])
        times = np.array([sums[place][who][1] for place in places], float)
        known[np.ix_(places, places)] += np.outer(weights, weights) * _covariance(times, times)
        if who == victim:
            shared[:, places] += weights * _covariance(asked, times)
    variance = 1.0 - np.sum(shared.T * np.linalg.solve(known, shared.T), axis=0)
    return float(np.sqrt(np.mean(np.clip(variance, 0.0, None))))
