"""Joins a room, records its events, and waits for events and for the end of tracks and tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from bot.rooms.contract import OptedOut, Room, RoomError, RoomEvent, TrackAdded
from bot.tracks import TrackEnded, VideoTrack

Kind = TypeVar("Kind", bound=RoomEvent)


class RoomRecorder:
    """Records the events of a room; ``async with`` joins it.

    Attributes:
        room: The room.
        timed_events: The events so far, each with the loop time at which it was received.
        error: The error with which the events ended, if any.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self.timed_events: list[tuple[float, RoomEvent]] = []
        self.error: RoomError | None = None
        self._listener: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def events(self) -> list[RoomEvent]:
        return [event for _, event in self.timed_events]

    async def __aenter__(self) -> Self:
        await self.room.__aenter__()
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.room.__aexit__(kind, exc, trace)
        assert self._listener is not None
        async with asyncio.timeout(5):
            await self._listener

    async def _listen(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            async for event in self.room.events():
                if isinstance(event, OptedOut):
                    event.on_erased()
                self.timed_events.append((clock(), event))
                self._changed.set()
        except RoomError as exc:
            self.error = exc
        self._changed.set()

    async def wait_for(
        self, matches: Callable[[RoomEvent], bool], after: int = 0, within_s: float = 40
    ) -> int:
        """Wait for a matching event from index ``after`` on, and return its index in ``events``."""
        async with asyncio.timeout(within_s):
            while True:
                for index, event in enumerate(self.events[after:], after):
                    if matches(event):
                        return index
                self._changed.clear()
                await self._changed.wait()

    async def wait_for_kind(self, kind: type[Kind], after: int = 0, within_s: float = 40) -> Kind:
        """Wait for an event of a kind from index ``after`` on, and return it."""
        index = await self.wait_for(lambda event: isinstance(event, kind), after, within_s)
        event = self.events[index]
        assert isinstance(event, kind)
        return event

    async def wait_for_error(self, within_s: float = 40) -> RoomError:
        """Wait until the events end with an error, and return it."""
        async with asyncio.timeout(within_s):
            while self.error is None:
                self._changed.clear()
                await self._changed.wait()
        return self.error

    async def wait_for_track_end(self, number: int = 0) -> None:
        """Wait until the track of the n-th ``TrackAdded`` has ended."""
        added = [event for event in self.events if isinstance(event, TrackAdded)][number]
        await wait_for_track_end(added.track)


async def wait_for_track_end(track: VideoTrack, within_s: float = 20) -> None:
    """Wait until a track has ended."""
    async with asyncio.timeout(within_s):
        try:
            while True:
                await track.recv()
        except TrackEnded:
            return


async def unfinished_tasks(before: set[asyncio.Task[object]], within_s: float) -> list[str]:
    """Wait for tasks that are not in ``before``; return the functions of those still running then."""
    until_s = time.monotonic() + within_s
    while (new := asyncio.all_tasks() - before) and (left_s := until_s - time.monotonic()) > 0:
        await asyncio.wait(new, timeout=left_s)
    return [getattr(task.get_coro(), "__qualname__", "?") for task in new]
