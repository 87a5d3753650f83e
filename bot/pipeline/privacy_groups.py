"""Fixed privacy groups: shares are published over whole groups of participants, never over part of one.

Someone who knows who is in the class can subtract one published mean from another. Here every published sum
is a sum over whole groups, each at least as large as the minimum group, and none overlapping another. So
the finest sum that linear algebra can work out, from any number of windows, is the sum of one whole group.

* Forming: participants who were analysed wait for a group. Members are drawn at random, and a group never
  changes. The first groups are formed when enough wait and nobody new came for ``CALM_S`` seconds, or after
  ``LONGEST_START_S``, so that few are left over. Later ones are formed as soon as enough wait.
* Sizes: as many groups as the minimum group allows, as even as possible: 14 people with a minimum of 5 are
  two groups of 7.
* Holding: a member who is not analysed for up to ``hold_s`` seconds keeps the last value (``HeldValues``),
  so a face lost for a moment costs nothing. Away longer, the whole group is withheld until the member is
  back.
* Dissolving: when a member is gone for good (left, opted out, erased) the group is dissolved. Its members
  may be drawn into new groups only after ``QUIET_S`` seconds in which nothing of them is published: a sum
  over the old group and one over a new group are then too far apart in time to be subtracted usefully. A
  group that was withheld for as long is dissolved too, and its members need not wait again.
* The next class in the same room: the groups go on (``resume``). Participants whom the room does not
  recognise may be members of the old groups, so they wait until ``QUIET_S`` seconds after the last
  publication of the earlier class.
* A minimum group of 1 protects nobody: everyone analysed is published at once, without groups.

What it does not protect is in docs/privacy.md: a host who fills a group with students of their own learns
the mean of the others in it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

CALM_S: Final = 15.0
"""The first groups are formed when nobody new was analysed for this long, seconds."""

LONGEST_START_S: Final = 90.0
"""The first groups are formed this long after the first participant was analysed, seconds."""

QUIET_S: Final = 300.0
"""How long nothing is published of the members of a dissolved group, seconds."""

_Value = TypeVar("_Value")


@dataclass(slots=True, eq=False)
class _Group:
    """A privacy group.

    Attributes:
        members: Participant identifiers.
        published_s: When it was last published, or was formed.
    """

    members: frozenset[str]
    published_s: float


@dataclass(slots=True, eq=False)
class HeldValues(Generic[_Value]):
    """The last value of each participant, for ``hold_s`` seconds.

    Attributes:
        hold_s: How long a value may stand in for a newer one, seconds.
    """

    hold_s: float
    _values: dict[str, tuple[float, _Value]] = field(default_factory=dict)

    def update(self, values: Mapping[str, _Value], at_s: float) -> None:
        """Set the newest values, of a window that ended at ``at_s``."""
        self._values.update({participant_id: (at_s, value) for participant_id, value in values.items()})

    def forget(self, participant_id: str) -> None:
        """Drop the value of a participant who is gone."""
        self._values.pop(participant_id, None)

    def current(self, at_s: float) -> dict[str, _Value]:
        """Values not older than ``hold_s``, by participant."""
        self._values = {who: held for who, held in self._values.items() if at_s - held[0] <= self.hold_s}
        return {who: value for who, (_, value) in self._values.items()}


class PrivacyGroups:
    """The privacy groups of one room. Times are seconds on one clock, also from class to class.

    Attributes:
        min_group: Fewest members of a group.
    """

    def __init__(self, min_group: int, rng: random.Random) -> None:
        """Begin without groups.

        Args:
            min_group: Fewest members of a group.
            rng: Draws the members; ``random.SystemRandom`` outside tests.
        """
        self.min_group, self._rng = max(1, min_group), rng
        self._groups: list[_Group] = []
        self._waiting: set[str] = set()
        self._quiet_until_s: dict[str, float] = {}  # of members of dissolved groups, also of those who left
        self._strangers_quiet_until_s = -math.inf  # of participants the groups have not met
        self._published_s = -math.inf
        self._first_s: float | None = None
        self._newest_s = -math.inf
        self._started = False

    @property
    def members(self) -> tuple[frozenset[str], ...]:
        """The groups of now."""
        return tuple(group.members for group in self._groups)

    def resume(self, at_s: float) -> None:
        """Begin another class in the same room.

        Groups go on. They are dissolved ``QUIET_S`` seconds from now unless all their members return.

        Args:
            at_s: Begin of the class.
        """
        self._strangers_quiet_until_s = self._published_s + QUIET_S
        for group in self._groups:
            group.published_s = at_s
        self._first_s, self._newest_s, self._started = None, -math.inf, False

    def add(self, available: Collection[str], at_s: float) -> None:
        """Let new participants wait for a group, and form groups that are due.

        Args:
            available: Who has a value, be it a held one: a face lost for a moment misses no group.
            at_s: End of the window.
        """
        grouped = {member for group in self._groups for member in group.members}
        new = [who for who in available if who not in grouped and who not in self._waiting]
        if new:
            self._first_s = at_s if self._first_s is None else self._first_s
            self._newest_s = at_s
            self._waiting.update(new)
            for who in new:
                self._quiet_until_s.setdefault(who, self._strangers_quiet_until_s)
        self._form(set(available), at_s)

    def publish(self, available: Collection[str], at_s: float) -> list[frozenset[str]]:
        """The groups whose every member has a value.

        Args:
            available: Who has a value, be it a held one.
            at_s: End of the window.
        """
        if self.min_group == 1:
            return [frozenset((who,)) for who in sorted(available)]
        have, published = set(available), list[frozenset[str]]()
        for group in self._groups:
            if group.members <= have:
                group.published_s = self._published_s = at_s
                published.append(group.members)
        return published

    def remove(self, participant_id: str) -> None:
        """A participant is gone for good: their group is dissolved."""
        for group in [one for one in self._groups if participant_id in one.members]:
            self._dissolve(group)
        self._waiting.discard(participant_id)

    def _dissolve(self, group: _Group) -> None:
        self._groups.remove(group)
        self._waiting.update(group.members)
        self._quiet_until_s.update(dict.fromkeys(group.members, group.published_s + QUIET_S))

    def _form(self, available: set[str], at_s: float) -> None:
        for group in [one for one in self._groups if at_s - one.published_s >= QUIET_S]:
            self._dissolve(group)
        self._quiet_until_s = {who: until for who, until in self._quiet_until_s.items() if until > at_s}
        ready = sorted(self._waiting & available - self._quiet_until_s.keys())
        if len(ready) < self.min_group or not (self._started or self._calm(at_s)):
            return
        self._started = True
        self._rng.shuffle(ready)
        count = len(ready) // self.min_group
        for number in range(count):
            members = frozenset(ready[number::count])
            self._groups.append(_Group(members, at_s))
            self._waiting -= members

    def _calm(self, at_s: float) -> bool:
        first_s = at_s if self._first_s is None else self._first_s
        return at_s - self._newest_s >= CALM_S or at_s - first_s >= LONGEST_START_S
