"""Remembers the privacy groups of rooms for a day: starting a class again must not draw new groups at once.

In memory only: a restart of the program forgets them.
"""

from __future__ import annotations

import random
from typing import Final

from bot.pipeline.privacy_groups import PrivacyGroups

REMEMBERED_S: Final = 86_400.0
"""How long the groups of a room are remembered after its last class began, seconds."""

_MAX_ROOMS: Final = 10_000
"""Rooms remembered; beyond it those used longest ago are forgotten."""


class RoomGroups:
    """The privacy groups of recent rooms."""

    def __init__(self, min_group: int) -> None:
        """Start without rooms; ``min_group`` is the fewest members of a group."""
        self._min_group = min_group
        self._rooms: dict[str, tuple[float, PrivacyGroups]] = {}  # the least recently used first

    def begin(self, room: str, now_s: float) -> PrivacyGroups:
        """The groups for a class that begins now.

        Args:
            room: What identifies the room, see ``Room.key``.
            now_s: Begin of the class on the clock that the groups are used with.
        """
        oldest_s = now_s - REMEMBERED_S
        recent = {key: entry for key, entry in self._rooms.items() if entry[0] > oldest_s}
        _, groups = recent.pop(room, (now_s, None))
        self._rooms = dict(list(recent.items())[-_MAX_ROOMS + 1 :])
        if groups is None:
            groups = PrivacyGroups(self._min_group, random.SystemRandom())
        else:
            groups.resume(now_s)
        self._rooms[room] = (now_s, groups)
        return groups
