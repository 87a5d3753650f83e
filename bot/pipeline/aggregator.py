"""Combines observations of participants into windows about the class, which are all that leaves the pipeline.

Pure: no clock, no I/O. Times are seconds since the class began.

Rules:

* A participant counts in a window if they are present at its end, if they were observed in it before leaving,
  or if they opted out and left in it. The last rule lets the report say that someone opted out, but not who.
* Everyone counted is either analysed or has exactly one reason why not. A block reason (opted out, codec,
  camera off) comes first, then the most frequent reason of the samples, then ``no_frames``.
* Probabilities are averaged for each participant first, then across participants. A camera that is sampled
  often weighs no more than one that is sampled seldom.
* Shares are published over whole privacy groups only (``bot.pipeline.privacy_groups``). A member who is not
  analysed for a moment keeps the last value.
* A participant has one vote (``bot.pipeline.votes``). Votes end when the host asks the class or has dealt
  with what they say.
* The share facing the screen is averaged over the same groups, leaving out each group with a member whose
  face was too small to judge.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

import numpy as np

from bot.pipeline.observation import Observation
from bot.pipeline.privacy_groups import HeldValues, PrivacyGroups
from bot.pipeline.votes import Votes
from inference.arrays import Floats
from inference.emotions import EMOTIONS
from reports.summary.windows import NotAnalysed, PulseKind, WindowSummary

HOLD_S: Final = 30.0
"""How long a participant who is not analysed keeps the last value, seconds."""

_SHORTEST_S: Final = 0.001
"""Least length of a window, seconds: published lengths have three decimal places and must not be 0."""


@dataclass(slots=True, eq=False)
class _Presence:
    """When a participant joined and left, and what prevents analysis.

    Attributes:
        member: Under what key the privacy groups know them.
    """

    joined_s: float
    member: str
    left_s: float | None = None
    block_reason: NotAnalysed | None = None


@dataclass(slots=True, eq=False)
class _Samples:
    """The samples of one participant in one window.

    Attributes:
        total: (7,) sum of the probabilities.
        classified: Samples in ``total``.
        facing: Samples that faced the screen, of the ``facing_known`` in which that could be judged.
        reasons: Why the other samples were not classified.
    """

    total: Floats = field(default_factory=lambda: np.zeros(len(EMOTIONS), np.float32))
    classified: int = 0
    facing: int = 0
    facing_known: int = 0
    reasons: Counter[NotAnalysed] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Published:
    """The shares of a window, the number of participants they rest on, and the share facing the screen."""

    shown: int
    expressions: dict[str, float] | None
    facing: float | None


@dataclass(slots=True, eq=False)
class _Window:
    """An open window."""

    samples: defaultdict[str, _Samples] = field(default_factory=lambda: defaultdict(_Samples))
    pulses: Counter[PulseKind] = field(default_factory=Counter)


class WindowAggregator:
    """The windows of one class."""

    def __init__(
        self,
        class_id: str,
        length_s: float,
        groups: PrivacyGroups,
        *,
        hold_s: float = HOLD_S,
        began_s: float = 0.0,
    ) -> None:
        """Start at second 0 of a class.

        Args:
            class_id: The class.
            length_s: Length of a window, seconds.
            groups: The privacy groups of the room.
            hold_s: How long a participant who is not analysed keeps the last value, seconds. Without groups,
                at a minimum group of 1, nothing is held.
            began_s: Second 0 of the class on the clock of ``groups``.
        """
        self._class_id, self._length_s = class_id, length_s
        self._groups, self._began_s = groups, began_s
        self._hold_s = hold_s if groups.min_group > 1 else 0.0
        self._held, self._held_facing = HeldValues[Floats](self._hold_s), HeldValues[float](self._hold_s)
        self._present: dict[str, _Presence] = {}
        self._opted_out: set[str] = set()
        self._windows: defaultdict[int, _Window] = defaultdict(_Window)
        self._votes = Votes()
        self._next = 0
        self._outage_s: tuple[float, float] | None = None  # begin and end of the last one

    @property
    def next_end_s(self) -> float:
        """End of the first open window, seconds since the class began."""
        return (self._next + 1) * self._length_s

    def join(self, participant_id: str, at_s: float, person: str | None = None) -> None:
        """A participant joined or rejoined.

        Args:
            participant_id: The participant.
            at_s: When, seconds since the class began.
            person: By what the room recognises them with certainty, also in its next class; None if a
                return under this identifier may be somebody else, who must not take a place in a group.
        """
        presence = self._present.get(participant_id)
        if presence is None:
            block_reason = NotAnalysed.OPTED_OUT if participant_id in self._opted_out else None
            presence = _Presence(at_s, person or participant_id, block_reason=block_reason)
            self._present[participant_id] = presence
        elif presence.left_s is not None and person is None:
            self._remove_from_groups(presence.member)
        presence.left_s = None

    def leave(self, participant_id: str, at_s: float) -> None:
        """A participant left."""
        if participant_id in self._present:
            self._present[participant_id].left_s = at_s

    def block(self, participant_id: str, reason: NotAnalysed | None) -> None:
        """Set the reason that prevents the analysis of a participant; None if there is none.

        An opt-out is permanent.
        """
        presence = self._present.get(participant_id)
        if presence is not None and presence.block_reason is not NotAnalysed.OPTED_OUT:
            presence.block_reason = reason

    def opt_out(self, participant_id: str) -> None:
        """A participant opted out, for the rest of the class.

        Their samples in open windows and their vote are discarded. Their taps stay counted.
        """
        self._opted_out.add(participant_id)
        if participant_id in self._present:
            self._remove_from_groups(self._present[participant_id].member)
        self.block(participant_id, NotAnalysed.OPTED_OUT)
        self._votes.erase(participant_id)
        for window in self._windows.values():
            window.samples.pop(participant_id, None)

    def add(self, observation: Observation) -> None:
        """Add an observation; it is dropped if its window is closed or its participant is not present."""
        presence = self._present.get(observation.participant_id)
        index = self._index(observation.at_s)
        if presence is None or index < self._next or presence.block_reason is NotAnalysed.OPTED_OUT:
            return
        samples = self._windows[index].samples[observation.participant_id]
        if observation.probs is not None:
            samples.total += observation.probs
            samples.classified += 1
            if observation.facing is not None:
                samples.facing_known += 1
                samples.facing += observation.facing
        elif observation.reason is not None:
            samples.reasons[observation.reason] += 1

    def pulse(self, participant_id: str, kind: PulseKind, at_s: float) -> None:
        """A participant tapped a button."""
        self._windows[max(self._next, self._index(at_s))].pulses[kind] += 1
        self.vote(participant_id, kind, at_s)

    def vote(self, participant_id: str, kind: PulseKind, at_s: float) -> None:
        """A participant said something that is a vote but no tap: the answer to a question."""
        self._votes.add(participant_id, kind, at_s)

    def clear_votes(self) -> None:
        """Discard all votes so far; taps stay counted."""
        self._votes.clear()

    @property
    def present(self) -> set[str]:
        """Who is present and has not opted out."""
        return {
            one
            for one, presence in self._present.items()
            if presence.left_s is None and presence.block_reason is not NotAnalysed.OPTED_OUT
        }

    def pause(self, at_s: float) -> None:
        """The connection to the room broke: until it is back, windows without data are left out."""
        self._outage_s = (at_s, math.inf)

    def resume(self, at_s: float) -> None:
        """The connection to the room is back."""
        if self._outage_s is not None:
            self._outage_s = (self._outage_s[0], at_s)

    def close_until(self, now_s: float) -> list[WindowSummary]:
        """Close every window that has ended by ``now_s``, in order."""
        closed = []
        while self.next_end_s <= now_s:
            window = self._windows.pop(self._next, _Window())
            outage = self._in_outage(self._next * self._length_s, self.next_end_s)
            if not outage or window.samples or window.pulses:
                closed.append(self._summary(window, self._next * self._length_s, self._length_s))
            self._next += 1
            self._forget_absent()
        return closed

    def close_last(self, now_s: float) -> list[WindowSummary]:
        """Close all windows at the end of the class; the last one is shortened to the time that has passed.

        A last window of under a second is dropped if nobody tapped in it.
        """
        closed = self.close_until(now_s)
        start_s = self._next * self._length_s
        rest_s = now_s - start_s
        window = self._windows.pop(self._next, _Window())
        if window.pulses or (rest_s >= 1.0 and (not self._in_outage(start_s, now_s) or window.samples)):
            closed.append(self._summary(window, start_s, max(rest_s, _SHORTEST_S)))
        self._next = max(self._next + 1, self._index(now_s) + 1)
        self._windows.clear()
        return closed

    def _in_outage(self, from_s: float, until_s: float) -> bool:
        """Whether the last outage overlaps a time."""
        return self._outage_s is not None and self._outage_s[0] < until_s and self._outage_s[1] > from_s

    def _index(self, at_s: float) -> int:
        return max(0, math.floor(at_s / self._length_s))

    def _counts(self, participant_id: str, window: _Window, start_s: float, end_s: float) -> bool:
        """Whether a participant counts in a window; the first rule above."""
        presence = self._present[participant_id]
        if participant_id in window.samples:
            return True
        present_until_s = start_s if presence.block_reason is NotAnalysed.OPTED_OUT else end_s
        return presence.joined_s < end_s and (presence.left_s is None or presence.left_s >= present_until_s)

    def _summary(self, window: _Window, start_s: float, length_s: float) -> WindowSummary:
        end_s = start_s + length_s
        reasons = Counter(dict.fromkeys(NotAnalysed, 0))
        shares, facing = dict[str, Floats](), dict[str, float]()
        for participant_id, presence in self._present.items():
            if not self._counts(participant_id, window, start_s, end_s):
                continue
            samples = window.samples.get(participant_id, _Samples())
            if samples.classified:
                shares[presence.member] = samples.total / samples.total.sum()
                if samples.facing_known:
                    facing[presence.member] = samples.facing / samples.facing_known
            else:
                reasons[_reason(presence, samples)] += 1
        analysed, not_analysed = len(shares), reasons.total()
        votes, weights = self._votes.count(end_s)
        published = self._publish(shares, facing, self._began_s + end_s)
        return WindowSummary(
            class_id=self._class_id,
            start_s=start_s,
            length_s=length_s,
            participants=analysed + not_analysed,
            # Whether the camera is on is not known of those who opted out: it is no longer analysed.
            cameras_on=(
                analysed + not_analysed - reasons[NotAnalysed.CAMERA_OFF] - reasons[NotAnalysed.OPTED_OUT]
            ),
            analysed=analysed,
            not_analysed={reason.value: reasons[reason] for reason in NotAnalysed},
            expressions=published.expressions,
            shown=published.shown,
            facing=published.facing,
            pulses={kind.value: window.pulses[kind] for kind in PulseKind},
            votes=votes,
            weights=weights,
        )

    def _publish(self, shares: Mapping[str, Floats], facing: Mapping[str, float], at_s: float) -> _Published:
        """Average over whole privacy groups; ``at_s`` is the end of the window on the groups' clock."""
        self._held.update(shares, at_s)
        self._held_facing.update(facing, at_s)
        held, held_facing = self._held.current(at_s), self._held_facing.current(at_s)
        self._groups.add(held, at_s)
        groups = self._groups.publish(held, at_s) if shares else []
        if not groups:
            return _Published(0, None, None)
        members = [member for group in groups for member in sorted(group)]
        facing_members = [
            member for group in groups if group <= held_facing.keys() for member in sorted(group)
        ]
        return _Published(
            len(members),
            _shares([held[member] for member in members]),
            fmean(held_facing[member] for member in facing_members) if facing_members else None,
        )

    def _remove_from_groups(self, member: str) -> None:
        self._groups.remove(member)
        self._held.forget(member)
        self._held_facing.forget(member)

    def _forget_absent(self) -> None:
        """Forget participants who left before the first open window, and whose value is no longer held."""
        start_s = self._next * self._length_s - self._hold_s
        absent = [
            participant_id
            for participant_id, presence in self._present.items()
            if presence.left_s is not None
            and presence.left_s < start_s
            and not any(participant_id in window.samples for window in self._windows.values())
        ]
        for participant_id in absent:
            self._remove_from_groups(self._present.pop(participant_id).member)


def _reason(presence: _Presence, samples: _Samples) -> NotAnalysed:
    if presence.block_reason is not None:
        return presence.block_reason
    return samples.reasons.most_common(1)[0][0] if samples.reasons else NotAnalysed.NO_FRAMES


def _shares(means: list[Floats]) -> dict[str, float]:
    average = np.stack(means).astype(np.float64).mean(axis=0)
    return dict(zip(EMOTIONS, average.tolist(), strict=True))
