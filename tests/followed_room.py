"""A joined room and everything it told, with waiting for what is still to come; tasks that stay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from bot.rooms.contract import Room, RoomError, RoomEvent

Kind = TypeVar("Kind", bound=RoomEvent)


class Followed:
    """``async with`` joins the room and listens; ``error`` is what its events ended with."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.told: list[tuple[float, RoomEvent]] = []
        self.error: RoomError | None = None
        self.error_s = 0.0
        self._listener: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def events(self) -> list[RoomEvent]:
        return [event for _, event in self.told]

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
                self.told.append((clock(), event))
                self._changed.set()
        except RoomError as exc:
            self.error, self.error_s = exc, clock()
        self._changed.set()

    async def until(self, wanted: Callable[[RoomEvent], bool], after: int = 0, within_s: float = 40) -> int:
        """Wait for an event that fits; its place in ``events``."""
        async with asyncio.timeout(within_s):
            while True:
                for place, event in enumerate(self.events[after:], after):
                    if wanted(event):
                        return place
                self._changed.clear()
                await self._changed.wait()

    async def until_kind(self, kind: type[Kind], after: int = 0, within_s: float = 40) -> Kind:
        """Wait for an event of a kind."""
        place = await self.until(lambda event: isinstance(event, kind), after, within_s)
        found = self.events[place]
        assert isinstance(found, kind)
        return found

    async def until_error(self, within_s: float = 40) -> RoomError:
        """Wait until the events end with an error."""
        async with asyncio.timeout(within_s):
            while self.error is None:
                self._changed.clear()
                await self._changed.wait()
        return self.error


async def left_since(before: set[asyncio.Task[object]], within_s: float) -> list[str]:
    """What runs in tasks that were not there before and do not end within a time, nor what they begin."""
    until_s = time.monotonic() + within_s
    while (new := asyncio.all_tasks() - before) and (left_s := until_s - time.monotonic()) > 0:
        await asyncio.wait(new, timeout=left_s)
    return [getattr(task.get_coro(), "__qualname__", "?") for task in new]
