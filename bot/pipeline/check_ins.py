"""Who may need a word: only of participants who opted in to individual check-ins.

Comes in: observations and taps of everyone, of which those of others are dropped at the door. Goes out: at
most one ``CheckIn`` a participant in ``REPEAT_S``. What is known of a participant is held in memory, and
forgotten when they withdraw, are erased, or the class ends. Pure: no clock, no I/O.

* *tension*: a ``Change`` of the participant's own tension (angry + disgust + fear + sad), against their own
  baseline, has been risen for ``LASTING_S`` seconds; formulas and limits stand in ``reports.summary.change``.
* *lost*: ``TAPS`` taps of *lost* within ``TAPS_S`` seconds, not all in one minute.

Nobody is ranked: there is no score, and presence or a camera that is off is never a reason.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bot.pipeline.observation import Observation
from inference.arrays import Floats
from inference.emotions import EMOTIONS
from reports.summary.change import Change
from reports.summary.records import CheckIn, CheckInKind
from reports.summary.shares import tension
from reports.summary.windows import PulseKind

LASTING_S: Final = 180.0
"""How long tension must have been risen, seconds."""

TAPS: Final = 3
TAPS_S: Final = 600.0
_SPREAD_S: Final = 60.0

REPEAT_S: Final = 1200.0
"""Least time between two check-ins of one participant, seconds."""


@dataclass(slots=True, eq=False)
class _Person:
    """What is known of a participant who opted in."""

    change: Change = field(default_factory=Change)
    total: Floats = field(default_factory=lambda: np.zeros(len(EMOTIONS), np.float32))
    taps_s: deque[float] = field(default_factory=deque)
    next_s: float = 0.0


class CheckIns:
    """Follows those participants of one class who opted in."""

    def __init__(self, class_id: str) -> None:
        """Nobody has opted in."""
        self._class_id = class_id
        self._people: dict[str, _Person] = {}

    def agree(self, participant_id: str, individual: bool) -> None:
        """A participant opted in, or (False) did not or no longer does."""
        if individual:
            self._people.setdefault(participant_id, _Person())
        else:
            self._people.pop(participant_id, None)

    def add(self, observation: Observation) -> None:
        """Take in an observation since the last ``close``."""
        person = self._people.get(observation.participant_id)
        if person is not None and observation.probs is not None:
            person.total = person.total + observation.probs

    def pulse(self, participant_id: str, kind: PulseKind, at_s: float) -> None:
        """Take in a tap."""
        person = self._people.get(participant_id)
        if person is not None and kind is PulseKind.LOST:
            person.taps_s.append(at_s)

    def close(self, start_s: float, length_s: float) -> list[CheckIn]:
        """A window has ended: the check-ins it gives rise to."""
        found = []
        for participant_id, person in self._people.items():
            kind_and_reason = self._judge(person, start_s, length_s)
            if kind_and_reason is not None and start_s + length_s >= person.next_s:
                person.next_s = start_s + length_s + REPEAT_S
                found.append(CheckIn(self._class_id, participant_id, start_s + length_s, *kind_and_reason))
        return found

    def _judge(self, person: _Person, start_s: float, length_s: float) -> tuple[CheckInKind, str] | None:
        end_s = start_s + length_s
        weight = float(person.total.sum())
        if weight > 0:
            shares = dict(zip(EMOTIONS, (person.total / weight).tolist(), strict=True))
            person.change.add(start_s, length_s, tension(shares))
            person.total = np.zeros(len(EMOTIONS), np.float32)
        while person.taps_s and person.taps_s[0] < end_s - TAPS_S:
            person.taps_s.popleft()
        taps = person.taps_s
        if len(taps) >= TAPS and taps[-1] - taps[0] >= _SPREAD_S:
            return CheckInKind.LOST, f"tapped lost {len(taps)} times in {TAPS_S / 60:.0f} min"
        change = person.change
        if weight > 0 and change.moved > 0 and change.since_s is not None:
            lasting_s = end_s - change.since_s
            if lasting_s >= LASTING_S:
                points = f"{100 * change.deviation:+.0f} points"
                return (
                    CheckInKind.TENSION,
                    f"tension {points} over their own baseline for {lasting_s / 60:.0f} min",
                )
        return None
