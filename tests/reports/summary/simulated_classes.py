"""Simulated windows of classes: each student has usual shares with noise, and the class can shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference.emotions import EMOTIONS
from reports.summary.shares import LIVELY, TENSE
from reports.summary.windows import VOTE_S, PulseKind, WindowSummary
from tests.reports import builders

KINDS = tuple(kind.value for kind in PulseKind)


def a_window(
    start_s: float,
    tense: float = 0.2,
    lively: float = 0.3,
    *,
    analysed: int = 14,
    camera_off: int = 4,
    length_s: float = 5.0,
    shown: bool = True,
    facing: float | None = None,
    **pulses: int,
) -> WindowSummary:
    """A window with this tension and liveliness; the rest is neutral. ``pulses`` are its taps and votes."""
    shares = dict.fromkeys(EMOTIONS, 0.0)
    shares |= {label: tense / len(TENSE) for label in TENSE}
    shares |= {label: lively / len(LIVELY) for label in LIVELY}
    shares["neutral"] = 1 - tense - lively
    return builders.a_window(
        start_s,
        analysed=analysed,
        camera_off=camera_off,
        length_s=length_s,
        expressions=shares if shown else None,
        facing=facing,
        pulses=dict.fromkeys(KINDS, 0) | pulses,
        votes=dict.fromkeys(KINDS, 0) | pulses,
        weights=dict.fromkeys(KINDS, 0.0) | pulses,
    )


def with_votes_from_taps(windows: Sequence[WindowSummary]) -> list[WindowSummary]:
    """The same windows with votes, as if every tap of the last minute came from another student."""
    return [
        replace(
            window,
            weights={},
            votes={
                kind: sum(
                    other.pulses[kind]
                    for other in windows
                    if window.end_s - VOTE_S < other.end_s <= window.end_s
                )
                for kind in KINDS
            },
        )
        for window in windows
    ]


def simulate(
    seed: int,
    minutes: float,
    *,
    students: int = 14,
    noise: float = 0.1,
    memory_s: float = 10.0,
    shifts: Sequence[tuple[float, float, float]] = (),
    length_s: float = 5.0,
) -> list[WindowSummary]:
    """The windows of a simulated class.

    Args:
        seed: Seed of the noise.
        minutes: Length of the class, minutes.
        students: Number of students who are analysed.
        noise: Standard deviation of one student's share in one window around their usual share.
        memory_s: Time constant of the noise, seconds; 0 for independent windows.
        shifts: (from_s, tension, liveliness): from ``from_s`` on, half the students show this much more.
        length_s: Length of a window, seconds.
    """
    rng = np.random.default_rng(seed)
    count = round(minutes * 60 / length_s)
    usual = np.stack([rng.uniform(0.1, 0.25, students), rng.uniform(0.3, 0.45, students)])
    persistence = np.exp(-length_s / memory_s) if memory_s else 0.0
    state = rng.normal(0, noise, (2, students))
    facing = np.random.default_rng(seed + 1000).binomial(students, 0.9, count) / students
    windows = []
    for index in range(count):
        state = persistence * state + np.sqrt(1 - persistence**2) * rng.normal(0, noise, (2, students))
        shares = usual + state
        for from_s, tense, lively in shifts:
            if index * length_s >= from_s:
                shares[:, : students // 2] += np.array([[tense], [lively]])
        tense_share, lively_share = np.clip(shares, 0, 0.5).mean(axis=1)
        windows.append(
            a_window(
                index * length_s,
                float(tense_share),
                float(lively_share),
                analysed=students,
                camera_off=students // 3,
                length_s=length_s,
                facing=float(facing[index]),
            )
        )
    return windows
