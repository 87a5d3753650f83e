"""Follows a room of a simulated Janus class, looks at every picture and keeps what it learns.

Comes in: a room whose students are a ``JanusClass``. Goes out: ``Seen``, to ``outage``, ``receive_janus`` and
tests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from benchmarks.simulation.clips import read_identity, read_number
from benchmarks.simulation.janus_class import age_s, picture_of, student_called
from bot.frames import RawFrame
from bot.rooms.contract import Disconnected, Joined, Reconnected, RoomEvent, TrackAdded
from bot.rooms.janus.room import JanusRoom
from bot.tracks import TrackEnded, VideoTrack

_FRESH_S: Final = 2.0
_PATIENCE_S: Final = 60.0


@dataclass(slots=True)
class Seen:
    """What was seen of the class.

    Attributes:
        fresh_s: When each student's newest picture that was not old came, monotonic seconds.
        oldest_s: Age of the oldest picture shown.
        pictures: Pictures shown.
        shown: Which of each student's were shown, as ``picture_of`` counts them, and when; in order.
        wrong: Of them, those of somebody else.
        people: Who has been told to be there, by their identifier.
        tracks: Tracks there were so far.
        lost_s: When losses were told.
        back_s: When the way back was told.
    """

    fresh_s: dict[int, float] = field(default_factory=dict)
    oldest_s: float = 0.0
    pictures: int = 0
    shown: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    wrong: int = 0
    people: dict[str, int] = field(default_factory=dict)
    tracks: int = 0
    lost_s: list[float] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)


class Watcher:
    """Follows a room and looks at every picture."""

    def __init__(self, room: JanusRoom) -> None:
        self.seen = Seen()
        self._room = room
        self._news = asyncio.Event()

    async def watch(self) -> None:
        """Until the room is left."""
        async with asyncio.TaskGroup() as group:
            async for event in self._room.events():
                if isinstance(event, TrackAdded):
                    self.seen.tracks += 1
                    group.create_task(self._look(event.track))
                else:
                    self._note(event)

    async def until(self, true: Callable[[Seen], bool]) -> bool:
        """Wait until it is so; False if it does not become so."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not true(self.seen):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _note(self, event: RoomEvent) -> None:
        now_s = time.monotonic()
        match event:
            case Joined(participant_id, name):
                student = student_called(name)
                if student is not None:
                    self.seen.people[participant_id] = student
            case Disconnected():
                self.seen.lost_s.append(now_s)
            case Reconnected():
                self.seen.back_s.append(now_s)
        self._news.set()

    async def _look(self, track: VideoTrack) -> None:
        try:
            while True:
                self._judge(track, await track.recv())
        except TrackEnded:
            return

    def _judge(self, track: VideoTrack, frame: RawFrame) -> None:
        luma, now_s, seen = frame.luma(), time.monotonic(), self.seen
        student = read_identity(luma)
        seen.pictures += 1
        if student != seen.people.get(track.participant_id):
            seen.wrong += 1
            return
        number = read_number(luma)
        seen.shown.setdefault(student, []).append((picture_of(student, number, now_s), now_s))
        old_s = age_s(student, number, now_s)
        seen.oldest_s = max(seen.oldest_s, old_s)
        if old_s < _FRESH_S:
            seen.fresh_s[student] = now_s
            self._news.set()
