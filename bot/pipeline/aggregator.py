"""From observations of persons to windows about the class: the only way out of the pipeline.

Comes in: who is there, observations, pulses. Goes out: ``WindowSummary``. Pure: no clock, no I/O; times
are seconds since the class began.

Rules:

* A participant counts in a window who is there at its end, or was observed in it before leaving, or opted out
  and left in it: so that the report says that someone left the figures, and not who.
* Everyone counted is either analysed, or has exactly one reason why not: what stands against analysis
  (opted out, codec, camera off), else the commonest reason of the samples, else ``no_frames``.
* Probabilities are averaged within a participant first, then across participants, so that a camera
  sampled often weighs no more than one sampled seldom.
* With fewer analysed than the minimum group the expressions are withheld; with more, they rest on as many
  as may be published without giving one person away, whatever else is published (``bot.pipeline.cohorts``).
* A participant has one vote, what they tapped last, and only for ``VOTE_S`` seconds: whoever taps often
  weighs no more than the others. It stands when its owner goes: one that ended then would tell whose it was.
* The share turned to the screen is averaged likewise, over those of them whose face was large enough to
  tell. They are a group of their own, held to the same two rules by cohorts of their own.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

import numpy as np

from bot.pipeline.cohorts import Cohorts
from bot.pipeline.observation import Observation
from inference.arrays import Floats
from inference.emotions import EMOTIONS
from reports.summary.windows import VOTE_S, NotAnalysed, PulseKind, WindowSummary

_Votes = dict[Hashable, tuple[float, PulseKind]]
"""When and what a participant tapped last."""

_SHORTEST_S: Final = 0.001
"""Length of a window that was only begun, seconds: what is given out has three places."""


@dataclass(slots=True, eq=False)
class _Presence:
    """A participant's stay."""

    joined_s: float
    left_s: float | None = None
    standing: NotAnalysed | None = None


@dataclass(slots=True, eq=False)
class _Seen:
    """What a window has of one participant: ``facing`` of ``told`` samples were turned to the screen."""

    total: Floats = field(default_factory=lambda: np.zeros(len(EMOTIONS), np.float32))
    read: int = 0
    facing: int = 0
    told: int = 0
    reasons: Counter[NotAnalysed] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class _Window:
    """An open window."""

    seen: defaultdict[str, _Seen] = field(default_factory=lambda: defaultdict(_Seen))
    pulses: Counter[PulseKind] = field(default_factory=Counter)
    votes: _Votes = field(default_factory=dict)


class WindowAggregator:
    """Windows of one class."""

    def __init__(self, class_id: str, length_s: float, min_group: int) -> None:
        """Begin at second 0.

        Args:
            class_id: The class.
            length_s: Length of a window, seconds.
            min_group: Fewest analysed participants whose expressions are given out.
        """
        self._class_id, self._length_s = class_id, length_s
        self._cohorts, self._facing_cohorts = Cohorts(min_group), Cohorts(min_group)
        self._present: dict[str, _Presence] = {}
        self._opted_out: set[str] = set()
        self._windows: defaultdict[int, _Window] = defaultdict(_Window)
        self._votes: _Votes = {}
        self._next = 0
        self._away_s: tuple[float, float] | None = None  # the last stretch out of reach

    @property
    def next_end_s(self) -> float:
        """End of the earliest open window, seconds since the class began."""
        return (self._next + 1) * self._length_s

    def arrive(self, participant_id: str, at_s: float) -> None:
        """A participant came, or came back."""
        standing = NotAnalysed.OPTED_OUT if participant_id in self._opted_out else None
        presence = self._present.setdefault(participant_id, _Presence(at_s, standing=standing))
        presence.left_s = None

    def depart(self, participant_id: str, at_s: float) -> None:
        """A participant went."""
        if participant_id in self._present:
            self._present[participant_id].left_s = at_s

    def stand(self, participant_id: str, reason: NotAnalysed | None) -> None:
        """Something stands against analysing a participant, or (None) no longer does.

        An opt-out stands for good.
        """
        presence = self._present.get(participant_id)
        if presence is not None and presence.standing is not NotAnalysed.OPTED_OUT:
            presence.standing = reason

    def erase(self, participant_id: str) -> None:
        """A participant opted out, for good: open windows forget what they have of them, but for taps."""
        self._opted_out.add(participant_id)
        self.stand(participant_id, NotAnalysed.OPTED_OUT)
        self._votes.pop(participant_id, None)
        for window in self._windows.values():
            window.seen.pop(participant_id, None)
            window.votes.pop(participant_id, None)

    def add(self, observation: Observation) -> None:
        """Take in an observation; one of a closed window or of nobody present is dropped."""
        presence = self._present.get(observation.participant_id)
        index = self._index(observation.at_s)
        if presence is None or index < self._next or presence.standing is NotAnalysed.OPTED_OUT:
            return
        seen = self._windows[index].seen[observation.participant_id]
        if observation.probs is not None:
            seen.total += observation.probs
            seen.read += 1
            if observation.facing is not None:
                seen.told += 1
                seen.facing += observation.facing
        elif observation.reason is not None:
            seen.reasons[observation.reason] += 1

    def pulse(self, participant_id: str, kind: PulseKind, at_s: float) -> None:
        """A participant tapped a button."""
        window = self._windows[max(self._next, self._index(at_s))]
        window.pulses[kind] += 1
        window.votes[participant_id] = (at_s, kind)

    def pause(self, at_s: float) -> None:
        """The room is out of reach: windows in which nothing is seen are left out, not made up."""
        self._away_s = (at_s, math.inf)

    def resume(self, at_s: float) -> None:
        """The room is back."""
        if self._away_s is not None:
            self._away_s = (self._away_s[0], at_s)

    def close_until(self, now_s: float) -> list[WindowSummary]:
        """Close every window that has ended by ``now_s``, in order."""
        closed = []
        while self.next_end_s <= now_s:
            window = self._windows.pop(self._next, _Window())
            away = self._was_away(self._next * self._length_s, self.next_end_s)
            if not away or window.seen or window.pulses:
                closed.append(self._summary(window, self._next * self._length_s, self._length_s))
            self._next += 1
            self._forget()
        return closed

    def close_last(self, now_s: float) -> list[WindowSummary]:
        """Close everything at the class's end; the last window is as long as it came to be.

        A rest of under a second in which nobody tapped is dropped.
        """
        closed = self.close_until(now_s)
        start_s = self._next * self._length_s
        rest_s = now_s - start_s
        window = self._windows.pop(self._next, _Window())
        if window.pulses or (rest_s >= 1.0 and (not self._was_away(start_s, now_s) or window.seen)):
            closed.append(self._summary(window, start_s, max(rest_s, _SHORTEST_S)))
        self._next = max(self._next + 1, self._index(now_s) + 1)
        self._windows.clear()
        return closed

    def _was_away(self, from_s: float, until_s: float) -> bool:
        """Whether the room was out of reach for some of a time."""
        return self._away_s is not None and self._away_s[0] < until_s and self._away_s[1] > from_s

    def _index(self, at_s: float) -> int:
        return max(0, math.floor(at_s / self._length_s))

    def _counts(self, participant_id: str, window: _Window, start_s: float, end_s: float) -> bool:
        presence = self._present[participant_id]
        if participant_id in window.seen:
            return True
        stays_until_s = start_s if presence.standing is NotAnalysed.OPTED_OUT else end_s
        return presence.joined_s < end_s and (presence.left_s is None or presence.left_s >= stays_until_s)

    def _summary(self, window: _Window, start_s: float, length_s: float) -> WindowSummary:
        reasons = Counter(dict.fromkeys(NotAnalysed, 0))
        means: dict[str, Floats] = {}
        for participant_id, presence in self._present.items():
            if not self._counts(participant_id, window, start_s, start_s + length_s):
                continue
            seen = window.seen.get(participant_id, _Seen())
            if seen.read:
                means[participant_id] = seen.total / seen.total.sum()
            else:
                reasons[_reason(presence, seen)] += 1
        analysed, missed = len(means), reasons.total()
        shown = self._cohorts.publish(means.keys())
        facing = {who: one.facing / one.told for who in shown or () if (one := window.seen[who]).told}
        facing_shown = self._facing_cohorts.publish(facing.keys()) if shown else None
        return WindowSummary(
            class_id=self._class_id,
            start_s=start_s,
            length_s=length_s,
            participants=analysed + missed,
            # Of those who opted out it is not looked at whether a camera is on.
            cameras_on=analysed + missed - reasons[NotAnalysed.CAMERA_OFF] - reasons[NotAnalysed.OPTED_OUT],
            analysed=analysed,
            not_analysed={reason.value: reasons[reason] for reason in NotAnalysed},
            expressions=None if shown is None else _shares([means[who] for who in sorted(shown)]),
            facing=None if facing_shown is None else fmean(facing[who] for who in sorted(facing_shown)),
            pulses={kind.value: window.pulses[kind] for kind in PulseKind},
            votes=self._said(window, start_s + length_s),
        )

    def _said(self, window: _Window, end_s: float) -> dict[str, int]:
        """How many say what at the end of a window."""
        self._votes |= window.votes
        self._votes = {who: one for who, one in self._votes.items() if one[0] > end_s - VOTE_S}
        counted = Counter(kind for _, kind in self._votes.values())
        return {kind.value: counted[kind] for kind in PulseKind}

    def _forget(self) -> None:
        """Drop participants who left before the earliest open window."""
        start_s = self._next * self._length_s
        gone = [
            participant_id
            for participant_id, presence in self._present.items()
            if presence.left_s is not None
            and presence.left_s < start_s
            and not any(participant_id in window.seen for window in self._windows.values())
        ]
        for participant_id in gone:
            del self._present[participant_id]


def _reason(presence: _Presence, seen: _Seen) -> NotAnalysed:
    if presence.standing is not None:
        return presence.standing
    return seen.reasons.most_common(1)[0][0] if seen.reasons else NotAnalysed.NO_FRAMES


def _shares(means: list[Floats]) -> dict[str, float]:
    average = np.stack(means).astype(np.float64).mean(axis=0)
    return dict(zip(EMOTIONS, average.tolist(), strict=True))
