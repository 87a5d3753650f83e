"""A bounded queue of room events that stays correct when its reader falls behind.

As long as the reader keeps up, it gets every event in order. If it does not, the queue drops events that a
later one replaces, so that the reader still ends with the right state.
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

MAX_QUEUED: Final = 10_000
"""Number of events. Joining a class of fifty adds about 150; each further participant adds three."""


class EventQueue:
    """Events for one reader.

    At ``limit`` events the queue is compacted (``compact_events``). It keeps for each participant the newest
    event about presence, about the camera, about opting out and about the answer; for each camera the newest
    event about its track; and the last two events about the connection. Participants who joined and left
    unread are dropped. So the reader may miss states that are already over, but it ends with the same
    participants, cameras and opt-outs. If compacting does not halve the queue, participants join and leave
    faster than the reader can follow, and the queue ends with an error.
    """

    def __init__(self, limit: int = MAX_QUEUED) -> None:
        """Start empty."""
        self._limit = limit
        self._queued: deque[RoomEvent] = deque()
        # Participants and tracks that the reader has seen added and not removed.
        self._known: set[str] = set()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    def put(self, event: RoomEvent) -> None:
        """Add an event; ignored after the end."""
        if self._ended:
            return
        self._queued.append(event)
        if len(self._queued) >= self._limit:
            self._queued = deque(compact_events(self._queued, self._known))
            _log.warning("the class cannot keep up with the events of its room", queued=len(self._queued))
            if len(self._queued) > self._limit // 2:
                self._queued.clear()
                self.end(
                    RoomUnavailable(
                        "more people joined and left than this machine could follow: "
                        "start a new class when it is less busy"
                    )
                )
        self._changed.set()

    def end(self, error: Exception | None = None) -> None:
        """End the queue; later calls have no effect.

        Args:
            error: Raised to the reader once all queued events have been read.
        """
        if not self._ended:
            self._ended, self._error = True, error
        self._changed.set()

    async def get(self) -> RoomEvent | None:
        """Wait for the next event and return it; after the end, every call returns None.

        Raises:
            Exception: the error that the queue ended with.
        """
        while not self._queued:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        event = self._queued.popleft()
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


def compact_events(events: Iterable[RoomEvent], known: AbstractSet[str]) -> list[RoomEvent]:
    """Return, in order, the events that the reader needs to end with the right state. Pure.

    Args:
        events: The queued events.
        known: Identifiers of the participants and tracks that the reader has seen added.
    """
    queued = list(events)
    newest: dict[tuple[str, str], int] = {}  # index of the newest event by kind and identifier
    others: list[int] = []
    for index, event in enumerate(queued):
        match event:
            case contract.Joined(participant_id) | contract.Left(participant_id):
                newest["presence", participant_id] = index
            case (
                contract.Muted(participant_id)
                | contract.UnsupportedCodec(participant_id)
                | contract.EncryptedCamera(participant_id)
            ):
                newest["camera", participant_id] = index
            case contract.OptedOut(participant_id):
                newest["opt-out", participant_id] = index
            case contract.Answered(participant_id):
                newest["answer", participant_id] = index
            case contract.TrackAdded(track):
                newest["track", track.track_id] = index
            case contract.TrackRemoved(track_id):
                newest["track", track_id] = index
            case _:
                others.append(index)
    left = {
        identifier for (_, identifier), index in newest.items() if isinstance(queued[index], contract.Left)
    }

    def obsolete(identifier: str, event: RoomEvent) -> bool:
        match event:
            case contract.Left() | contract.TrackRemoved():
                return identifier not in known  # the reader never saw it added
            case contract.Muted() | contract.UnsupportedCodec() | contract.EncryptedCamera():
                return identifier in left
            case contract.TrackAdded(track):  # a track's removal may be queued after its participant's Left
                return track.participant_id in left
        return False

    needed = [index for (_, identifier), index in newest.items() if not obsolete(identifier, queued[index])]
    connection_events = [
        index for index in others if isinstance(queued[index], contract.Disconnected | contract.Reconnected)
    ]
    rest = set(others) - set(connection_events[:-2])
    return [queued[index] for index in sorted({*needed, *rest})]
