"""Attacks on the privacy groups: what a host with students of their own learns about one of the others.

Simulated in this process, with the aggregator and the groups of the server and the best linear attacker
(``tests/bot/pipeline/group_attacks.py``): no server could run the many classes that a figure needs.
"""

from __future__ import annotations

from typing import Final

from tests.attack.target import Result
from tests.bot.pipeline.group_attacks import Scenario, error_ratio, publish

_LEAST_RATIO: Final = 0.95
"""The attacker's error over that of someone who knows the mean of the victim's group without the puppets."""


def puppet_after_the_victim() -> Result:
    """The host's own student joins right after the victim."""
    return _attack(Scenario(8, 1, minutes=10.0, late=(7, 60.0)))


def puppet_that_toggles() -> Result:
    """The host's own student switches the camera every ten seconds."""
    return _attack(Scenario(8, 1, minutes=10.0, toggle=True))


def pair_that_arrives_together() -> Result:
    """The victim joins with two of the host's own students."""
    return _attack(Scenario(14, 2, minutes=10.0, late=(13, 200.0)))


def student_who_leaves() -> Result:
    """The victim opts out, and the others are regrouped."""
    return _attack(Scenario(13, 2, minutes=20.0, leaver=(12, 400.0)))


def class_started_again() -> Result:
    """The host ends the class and starts another in the same room."""
    return _attack(Scenario(8, 2, restarts_s=420.0))


def _attack(scenario: Scenario) -> Result:
    published = publish(scenario, seed=1)
    ratios = [error_ratio(scenario, published, victim) for victim in range(scenario.students)]
    known = [ratio for ratio in ratios if ratio is not None]
    shown = f"{len(known)} of {scenario.students} students shown"
    if not known:
        return Result(shown, False)
    return Result(
        f"error {min(known):.3f} of the allowed observer's for the weakest, {shown}",
        min(known) >= _LEAST_RATIO,
    )
