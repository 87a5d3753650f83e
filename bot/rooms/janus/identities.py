"""Keeps a participant's identifier the same across lost connections and page reloads. Pure.

Janus gives every participant a new feed identifier at each join, and a restarted Janus gives new ones to
everybody. So participants are recognised by their display name: a newcomer with the current or a former name
of an absent participant gets that participant's identifier. Nobody is counted twice, and an opt-out survives
a reload. If several absent participants have the same name, those who opted out are matched first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.rooms.common.names import simplified
from bot.rooms.janus.videoroom import Camera, Feed, RoomMember

MAX_ABSENT: Final = 2000
"""How many absent participants are remembered; beyond that, those absent longest are forgotten.

Participants who opted out are never forgotten and do not count towards the limit.
"""

_MAX_FORMER_NAMES: Final = 8


@dataclass(slots=True, eq=False)
class Participant:
    """A participant of the class, present or absent.

    Attributes:
        participant_id: Random, for this class only.
        feed: Janus' most recent identifier.
        display: Display name.
        present: Whether they are in the room.
        opted_out: Whether they opted out of the analysis.
        camera: The camera they publish, if any.
        former_names: Their last few earlier display names.
        missed_lists: How many participant lists in a row they were missing from.
    """

    participant_id: str
    feed: Feed
    display: str | None
    present: bool = True
    opted_out: bool = False
    camera: Camera | None = None
    former_names: tuple[str | None, ...] = ()
    missed_lists: int = 0

    def has_or_had_name(self, display: str | None) -> bool:
        """Whether this is or was their display name."""
        return display == self.display or display in self.former_names


class Identities:
    """Everybody who is or was in the room."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """Start empty; ``new_id`` returns new participant identifiers."""
        self._new_id = new_id
        self._participants: list[Participant] = []  # the absent ones in the order in which they left

    @property
    def present(self) -> list[Participant]:
        """Everybody in the room."""
        return [participant for participant in self._participants if participant.present]

    def find(self, feed: Feed) -> Participant | None:
        """Return the present participant with this feed."""
        return next((participant for participant in self.present if participant.feed == feed), None)

    def add(self, member: RoomMember) -> tuple[Participant, bool]:
        """Mark a member as present; return the participant and whether they were absent before."""
        participant = self.find(member.feed)
        if participant is not None:
            if member.display is not None:
                self.rename(participant, member.display)
            return participant, False
        participant = self._match_absent(member)
        if participant is None:
            participant = Participant(self._new_id(), member.feed, member.display)
            self._participants.append(participant)
        participant.feed, participant.present = member.feed, True
        participant.camera, participant.missed_lists = None, 0
        self.rename(participant, member.display)
        return participant, True

    def rename(self, participant: Participant, display: str | None) -> None:
        """Change a display name and remember the former one."""
        if display != participant.display:
            names = dict.fromkeys((participant.display, *participant.former_names))
            former_names = [name for name in names if name != display]
            participant.former_names = tuple(former_names[:_MAX_FORMER_NAMES])
            participant.display = display

    def mark_absent(self, participant: Participant) -> None:
        """Record that a participant left."""
        participant.present, participant.camera = False, None
        self._participants.remove(participant)
        self._participants.append(participant)
        absent = [known for known in self._participants if not known.present and not known.opted_out]
        for forgotten in absent[:-MAX_ABSENT]:
            self._participants.remove(forgotten)

    def present_with_name(self, *names: str | None) -> list[Participant]:
        """Return the present participants with one of these display names.

        Capitals, character widths and spacing do not matter.
        """
        wanted = {simplified(name) for name in names if name} - {""}
        return [known for known in self.present if known.display and simplified(known.display) in wanted]

    def _match_absent(self, member: RoomMember) -> Participant | None:
        """Find the absent participant who came back as this member; without a name, compare only feeds."""
        # In order of importance: same feed, opted out, current (not former) name, left most recently.
        absent = [
            (known.feed == member.feed, known.opted_out, known.display == member.display, order, known)
            for order, known in enumerate(self._participants)
            if not known.present and known.has_or_had_name(member.display)
        ]
        matches = [entry for entry in absent if entry[0] or member.display is not None]
        return max(matches, key=lambda entry: entry[:4])[4] if matches else None
