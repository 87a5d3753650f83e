"""Check-ins: notes that a student may need a word, only about participants who agreed to them.

Observations and taps of other participants are ignored. A participant gets at most one check-in in
``REPEAT_S`` seconds. What is known about a participant is held in memory only. It is discarded when they
withdraw their consent, are erased, or the class ends. Pure: no clock, no I/O.

A check-in has one of two reasons:

* *tension*: the participant's own tension (angry + disgust + fear + sad) has been above their own baseline
  for ``LASTING_S`` seconds; ``reports.summary.change`` has the formulas and limits.
* *lost*: ``TAPS`` taps of *lost* within ``TAPS_S`` seconds, not all in one minute.

Participants are not ranked: there is no score. Absence or a camera that is off is never a reason.
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
"""How long tension must have been above the baseline, seconds."""

TAPS: Final = 3
TAPS_S: Final = 600.0
_SPREAD_S: Final = 60.0
"""Least time between the first and the last of these taps, seconds."""

REPEAT_S: Final = 1200.0
"""Least time between two check-ins about one participant, seconds."""


@dataclass(slots=True, eq=False)
class _Person:
    """What is known about a participant who agreed to check-ins.

    Attributes:
        change: Follows their tension against their baseline.
        total: (7,) sum of the probabilities since the last ``close``.
        taps_s: When they tapped *lost*, seconds since the class began.
        next_s: Earliest time of their next check-in, seconds since the class began.
    """

    change: Change = field(default_factory=Change)
    total: Floats = field(default_factory=lambda: np.zeros(len(EMOTIONS), np.float32))
    taps_s: deque[float] = field(default_factory=deque)
    next_s: float = 0.0


class CheckIns:
    """Follows the participants of one class who agreed to check-ins."""

    def __init__(self, class_id: str) -> None:
        """Start without participants."""
        self._class_id = class_id
        self._people: dict[str, _Person] = {}

    def set_consent(self, participant_id: str, individual: bool) -> None:
        """Start following a participant, or (False) discard everything known about them."""
        if individual:
            self._people.setdefault(participant_id, _Person())
        else:
            self._people.pop(participant_id, None)

    def add(self, observation: Observation) -> None:
        """Add an observation made since the last ``close``."""
        person = self._people.get(observation.participant_id)
        if person is not None and observation.probs is not None:
            person.total = person.total + observation.probs

    def pulse(self, participant_id: str, kind: PulseKind, at_s: float) -> None:
        """Add a tap."""
        person = self._people.get(participant_id)
        if person is not None and kind is PulseKind.LOST:
            person.taps_s.append(at_s)

    def close(self, start_s: float, length_s: float) -> list[CheckIn]:
        """The check-ins at the end of a window."""
        check_ins = []
        for participant_id, person in self._people.items():
            kind_and_reason = self._reason(person, start_s, length_s)
            if kind_and_reason is not None and start_s + length_s >= person.next_s:
                person.next_s = start_s + length_s + REPEAT_S
                check_ins.append(
                    CheckIn(self._class_id, participant_id, start_s + length_s, *kind_and_reason)
                )
        return check_ins

    def _reason(self, person: _Person, start_s: float, length_s: float) -> tuple[CheckInKind, str] | None:
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
