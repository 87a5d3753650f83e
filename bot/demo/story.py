"""The story of a drawn class: calm at first, then half of the students are lost, then relieved.

It gives each student's ``Expression`` and ``Pose`` at any moment, and their pulses. The same seed gives the
same story, which repeats every ``PERIOD_S``. The module is pure and has no clock.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from bot.demo.expressions import EXPRESSIONS, Expression
from bot.demo.faces import Pose
from reports.summary.asks import WITH_ME
from reports.summary.windows import PulseKind

PERIOD_S: Final = 240.0
"""The story repeats after this time; its middle third is the hard part of the lesson."""

BLEND_S: Final = 0.7
"""How long a face takes to change to the next expression."""

_BLINK_S: Final = 0.25
_HARD_FROM_S: Final = PERIOD_S / 3
_HARD_UNTIL_S: Final = 2 * PERIOD_S / 3
_CALM_TAPS: Final = 2
"""Taps of a student who only says OK."""

_Odds = Mapping[str, float]
"""How likely each expression is to be the next one."""

_CALM: Final[_Odds] = MappingProxyType({"neutral": 0.7, "happy": 0.3})
_LOST: Final[_Odds] = MappingProxyType({"sad": 0.35, "angry": 0.25, "surprise": 0.2, "neutral": 0.2})
_FOLLOWING: Final[_Odds] = MappingProxyType({"neutral": 0.85, "happy": 0.1, "surprise": 0.05})
_RELIEVED: Final[_Odds] = MappingProxyType({"neutral": 0.5, "happy": 0.5})


@dataclass(frozen=True, slots=True)
class Beat:
    """One expression held for a while.

    Attributes:
        start_s: When the face starts to change to it, seconds into the period.
        label: Name in ``EXPRESSIONS``.
        strength: 0 is neutral, 1 the full expression.
    """

    start_s: float
    label: str
    strength: float

    @property
    def expression(self) -> Expression:
        """The expression after the change."""
        return EXPRESSIONS["neutral"].towards(EXPRESSIONS[self.label], self.strength)


@dataclass(frozen=True, slots=True)
class StudentStory:
    """What one student shows and taps.

    Attributes:
        lost: Whether the student is lost in the hard part.
        beats: Expressions of a period, in order; the first starts at 0.
        blinks: When blinks start, seconds into the period, in order.
        taps: Pulses of a period, (seconds into the period, kind), in order.
        sway: Sine movements of x, y, tilt, turn and gaze: amplitude, angular speed in 1/s and phase of each.
    """

    lost: bool
    beats: tuple[Beat, ...]
    blinks: tuple[float, ...]
    taps: tuple[tuple[float, PulseKind], ...]
    sway: tuple[tuple[float, float, float], ...]

    def expression(self, at_s: float) -> Expression:
        """The expression at a time, seconds since the class began."""
        into_s = at_s % PERIOD_S
        index = bisect_right(self.beats, into_s, key=lambda beat: beat.start_s) - 1
        beat, before = self.beats[index], self.beats[index - 1]
        share = min(1.0, (into_s - beat.start_s) / BLEND_S)
        if share == 1.0:
            return beat.expression
        # Ease in and out.
        return before.expression.towards(beat.expression, share * share * (3 - 2 * share))

    def pose(self, at_s: float) -> Pose:
        """The pose of the head at a time, seconds since the class began."""
        into_s = at_s % PERIOD_S
        index = bisect_right(self.blinks, into_s) - 1
        since_s = into_s - self.blinks[index] if index >= 0 else _BLINK_S
        x, y, tilt, turn, gaze = (
            amplitude * float(np.sin(speed * at_s + phase)) for amplitude, speed, phase in self.sway
        )
        return Pose(
            x_px=x,
            y_px=y,
            tilt_deg=tilt,
            turn=turn,
            blink=max(0.0, 1 - abs(2 * since_s / _BLINK_S - 1)),
            gaze_x=gaze,
        )

    def answer(self, at_s: float) -> str:
        """What the student answers to the usual question at a time, seconds since the class began."""
        into_s = at_s % PERIOD_S
        if not _HARD_FROM_S <= into_s < _HARD_UNTIL_S:
            return WITH_ME
        return "lost" if self.lost else "too_slow" if len(self.taps) > _CALM_TAPS else WITH_ME

    def taps_after(self, begin_s: float) -> Iterator[tuple[float, PulseKind]]:
        """All pulses after a time, each as (seconds since the class began, kind).

        Without end, as the story repeats; nothing for a student who never taps.
        """
        if not self.taps:
            return
        for period in itertools.count(max(0, math.floor(begin_s / PERIOD_S))):
            for at_s, kind in self.taps:
                if (tap_s := period * PERIOD_S + at_s) > begin_s:
                    yield tap_s, kind


def tell_story(seed: int, count: int) -> tuple[StudentStory, ...]:
    """The stories of all students of a class. Half of them, rounded up, are lost in the middle third."""
    rng = np.random.default_rng([seed, count])
    lost = set(rng.permutation(count)[: (count + 1) // 2].tolist())
    return tuple(
        _student_story(np.random.default_rng([seed, count, index]), index in lost) for index in range(count)
    )


def _student_story(rng: np.random.Generator, lost: bool) -> StudentStory:
    sway = tuple(
        (limit * float(rng.uniform(0.5, 1)), float(rng.uniform(0.2, 0.7)), float(rng.uniform(0, 2 * np.pi)))
        for limit in (4.0, 2.0, 4.0, 0.5, 0.5)
    )
    return StudentStory(lost, _beats(rng, lost), _blinks(rng), _taps(rng, lost), sway)


def _beats(rng: np.random.Generator, lost: bool) -> tuple[Beat, ...]:
    beats = []
    at_s = 0.0
    while at_s < PERIOD_S - 2 * BLEND_S:
        if at_s < _HARD_FROM_S:
            odds = _CALM
        elif at_s < _HARD_UNTIL_S:
            odds = _LOST if lost else _FOLLOWING
        else:
            odds = _RELIEVED
        label = str(rng.choice(list(odds), p=list(odds.values())))
        beats.append(Beat(at_s, label, float(rng.uniform(0.88, 1.0))))
        at_s += float(rng.uniform(3.0, 8.0))
    return tuple(beats)


def _blinks(rng: np.random.Generator) -> tuple[float, ...]:
    gaps = rng.uniform(2.5, 6.0, round(PERIOD_S / 2.5))
    return tuple(at_s for at_s in np.cumsum(gaps).tolist() if at_s < PERIOD_S - _BLINK_S)


def _taps(rng: np.random.Generator, lost: bool) -> tuple[tuple[float, PulseKind], ...]:
    taps = [(float(rng.uniform(5, _HARD_FROM_S)), PulseKind.OK)]
    if lost:
        first = float(rng.uniform(_HARD_FROM_S + 5, _HARD_FROM_S + 30))
        taps += [(first, PulseKind.LOST), (first + float(rng.uniform(15, 40)), PulseKind.LOST)]
    elif rng.random() < 0.5:
        taps.append((float(rng.uniform(_HARD_FROM_S + 5, _HARD_UNTIL_S)), PulseKind.TOO_SLOW))
    taps.append((float(rng.uniform(_HARD_UNTIL_S + 10, PERIOD_S - 5)), PulseKind.OK))
    return tuple(taps)
