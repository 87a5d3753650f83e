"""Follows a room with simulated students, checks every frame, and records what was seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from benchmarks.simulation.clips import read_identity, read_number
from benchmarks.simulation.frame_times import age_s, frame_index, student_of_name
from bot.frames import RawFrame
from bot.rooms.contract import Disconnected, Joined, Reconnected, Room, RoomEvent, TrackAdded
from bot.tracks import TrackEnded, VideoTrack

_FRESH_S: Final = 2.0
"""A frame that is younger is fresh."""

_TIMEOUT_S: Final = 60.0


@dataclass(slots=True)
class Seen:
    """What a watcher has seen of the class.

    Attributes:
        fresh_s: When the newest fresh frame of each student arrived, monotonic seconds.
        oldest_s: Age of the oldest frame shown.
        frames: Number of frames shown.
        shown: For each student, the index (``frame_index``) and time of arrival of each frame, in order.
        wrong: Number of frames that show another student.
        participants: The student behind each participant identifier.
        tracks: Number of tracks so far.
        lost_s: When the room reported that the connection was lost.
        reconnected_s: When the room reported that it was connected again.
    """

    fresh_s: dict[int, float] = field(default_factory=dict)
    oldest_s: float = 0.0
    frames: int = 0
    shown: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    wrong: int = 0
    participants: dict[str, int] = field(default_factory=dict)
    tracks: int = 0
    lost_s: list[float] = field(default_factory=list)
    reconnected_s: list[float] = field(default_factory=list)


class Watcher:
    """Follows a room and checks every frame.

    Attributes:
        seen: What was seen.
        checking: Set to False to only count the frames, so that checking them costs no CPU time.
    """

    def __init__(self, room: Room) -> None:
        self.seen = Seen()
        self.checking = True
        self._room = room
        self._changed = asyncio.Event()

    async def watch(self) -> None:
        """Follow the room until it is left."""
        async with asyncio.TaskGroup() as group:
            async for event in self._room.events():
                if isinstance(event, TrackAdded):
                    self.seen.tracks += 1
                    group.create_task(self._watch_track(event.track))
                else:
                    self._record(event)

    async def wait_until(self, condition: Callable[[Seen], bool]) -> bool:
        """Wait until a condition holds; False if it does not within a minute."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                while not condition(self.seen):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _record(self, event: RoomEvent) -> None:
        now_s = time.monotonic()
        match event:
            case Joined(participant_id, name):
                student = student_of_name(name)
                if student is not None:
                    self.seen.participants[participant_id] = student
            case Disconnected():
                self.seen.lost_s.append(now_s)
            case Reconnected():
                self.seen.reconnected_s.append(now_s)
        self._changed.set()

    async def _watch_track(self, track: VideoTrack) -> None:
        try:
            while True:
                self._check_frame(track, await track.recv())
        except TrackEnded:
            return

    def _check_frame(self, track: VideoTrack, frame: RawFrame) -> None:
        self.seen.frames += 1
        if not self.checking:
            return
        luma, now_s, seen = frame.luma(), time.monotonic(), self.seen
        student = read_identity(luma)
        if student != seen.participants.get(track.participant_id):
            seen.wrong += 1
            return
        number = read_number(luma)
        seen.shown.setdefault(student, []).append((frame_index(student, number, now_s), now_s))
        age = age_s(student, number, now_s)
        seen.oldest_s = max(seen.oldest_s, age)
        if age < _FRESH_S:
            seen.fresh_s[student] = now_s
            self._changed.set()
