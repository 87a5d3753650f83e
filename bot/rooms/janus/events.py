"""Room events on their way to the class: in order, boundedly many, and never untrue in the end.

Comes in: events as they happen; at the end nothing more, or an error. Goes out: the same, to one reader.
Nothing waits as long as the class keeps up. Where it does not, only the newest word on each subject is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

import structlog

from bot.rooms import contract
from bot.rooms.contract import RoomEvent, RoomUnavailable

_log = structlog.get_logger()

MOST_WAITING: Final = 10_000
"""Events; a class of fifty makes some 150 when it is entered, and three when somebody comes."""


class EventQueue:
    """Events for one reader.

    When ``most`` wait they are folded (``newest_words``): of each person the newest word on being there, on
    what stands against the camera, on an opt-out; of each camera whether it can be received; of the
    connection the last two. Who came and went unread is left out. So the reader may miss what passed
    meanwhile, which it could only have counted at the wrong time, and ends with the same people, cameras and
    opt-outs. Where folding does not halve them more people are in the room than can be followed, and the
    queue ends with an error.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        """Empty."""
        self._most = most
        self._waiting: deque[RoomEvent] = deque()
        self._known: set[str] = set()  # persons and tracks the reader has been told of and not told to forget
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    def put(self, event: RoomEvent) -> None:
        """Something happened; after the end it is nobody's business."""
        if self._ended:
            return
        self._waiting.append(event)
        if len(self._waiting) >= self._most:
            self._waiting = deque(newest_words(self._waiting, self._known))
            _log.warning("class does not keep up with its room", waiting=len(self._waiting))
            if len(self._waiting) > self._most // 2:
                self._waiting.clear()
                self.end(
                    RoomUnavailable(
                        "more people came and went than this machine could follow: "
                        "start a new class when it has less to do"
                    )
                )
        self._changed.set()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more comes; the first end counts.

        Args:
            error: Raised once all that waits has been read.
        """
        if not self._ended:
            self._ended, self._error = True, error
        self._changed.set()

    async def get(self) -> RoomEvent | None:
        """The next event; None at the end, as often as asked.

        Raises:
            Exception: the error it ended with.
        """
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        event = self._waiting.popleft()
        match event:
            case contract.Joined(participant_id):
                self._known.add(participant_id)
            case contract.Left(participant_id):
                self._known.discard(participant_id)
            case contract.TrackAdded(track):
                self._known.add(track.track_id)
            case contract.TrackRemoved(track_id):
                self._known.discard(track_id)
        return event


def newest_words(events: Iterable[RoomEvent], known: AbstractSet[str]) -> list[RoomEvent]:
    """The events without which a reader would end with something untrue, in order. Pure.

    Args:
        events: What waits.
        known: Participant and track ids the reader has been told of.
    """
    waiting = list(events)
    newest: dict[tuple[str, str], int] = {}  # by subject, its place
    others: list[int] = []
    for place, event in enumerate(waiting):
        match event:
            case contract.Joined(who) | contract.Left(who):
                newest["presence", who] = place
            case contract.Muted(who) | contract.UnsupportedCodec(who):
                newest["camera", who] = place
            case contract.OptedOut(who):
                newest["opt-out", who] = place
            case contract.TrackAdded(track):
                newest["track", track.track_id] = place
            case contract.TrackRemoved(track_id):
                newest["track", track_id] = place
            case _:
                others.append(place)
    gone = {who for (_, who), place in newest.items() if isinstance(waiting[place], contract.Left)}

    def needless(who: str, event: RoomEvent) -> bool:
        match event:
            case contract.Left() | contract.TrackRemoved():
                return who not in known
            case contract.Muted() | contract.UnsupportedCodec():
                return who in gone
            case contract.TrackAdded(track):  # its end is told after its owner's
                return track.participant_id in gone
        return False

    kept = [place for (_, who), place in newest.items() if not needless(who, waiting[place])]
    turns = [
        place for place in others if isinstance(waiting[place], contract.Disconnected | contract.Reconnected)
    ]
    rest = set(others) - set(turns[:-2])
    return [waiting[place] for place in sorted({*kept, *rest})]
