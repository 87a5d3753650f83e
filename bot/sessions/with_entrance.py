"""A room together with an entrance: the page with the buttons, for a class that takes place elsewhere.

To the pipeline they are one room. Students of the entrance do not count as present, because the room itself
counts them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType

from bot.rooms.contract import Room, RoomEvent
from reports.summary.asks import Ask


class WithEntrance:
    """A room whose students find buttons and questions on a page of their own.

    Attributes:
        code: Code of the entrance.
        public_url: As the room's; likewise ``key`` and ``synthetic``.
    """

    def __init__(self, room: Room, entrance: Room) -> None:
        """Combine two rooms that have not been joined."""
        self._room, self._entrance = room, entrance
        self.code = entrance.code
        self.public_url, self.key, self.synthetic = room.public_url, room.key, room.synthetic
        self._joined = AsyncExitStack()
        self._events: asyncio.Queue[RoomEvent | Exception | None] = asyncio.Queue()

    async def __aenter__(self) -> WithEntrance:
        """Join the room, then open the entrance.

        Raises:
            RoomError: as the room.
        """
        async with AsyncExitStack() as joined:
            await joined.enter_async_context(self._room)
            await joined.enter_async_context(self._entrance)
            for source, decides in ((self._room, True), (self._entrance, False)):
                forwarding = asyncio.create_task(self._forward(source, decides), name="entrance-events")
                joined.push_async_callback(_cancel, forwarding)
            self._joined = joined.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the entrance and leave the room; events that are left can still be read."""
        await self._joined.aclose()
        self._events.put_nowait(None)

    async def events(self) -> AsyncIterator[RoomEvent]:
        """The events of both, in the order in which they came, until the room's end.

        Raises:
            RoomError: the room raised it.
        """
        while (event := await self._events.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event
        self._events.put_nowait(None)  # so that another iteration ends too

    async def announce(self, text: str) -> bool:
        """Announce in the room; the page of the entrance has a notice of its own."""
        return await self._room.announce(text)

    async def ask(self, question: Ask | None) -> bool:
        """Ask on the page of the entrance, and in the room if it can ask."""
        asked = await self._entrance.ask(question)
        return await self._room.ask(question) or asked

    async def leave_out(self, who: str) -> int:
        """Opt out whoever matches, in both."""
        return await self._room.leave_out(who) + await self._entrance.leave_out(who)

    async def _forward(self, source: Room, decides: bool) -> None:
        """Queue the events of one of the two; if it ``decides``, its end and its error are those of both."""
        end: Exception | None = None
        try:
            async for event in source.events():
                self._events.put_nowait(event)
        except Exception as exc:  # noqa: BLE001  # raised by ``events``, as the room itself would
            end = exc
        if decides:
            self._events.put_nowait(end)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
