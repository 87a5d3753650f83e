"""Setup of a Janus room: a real Janus on this machine, and a student with a synthetic camera."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from bot.rooms.registry import RoomAdapter
from tests.janus_server import PIN, PIN_ROOM, JanusServer
from tests.janus_students import JanusStudent


class RoomSetup:
    """A room with a PIN; the student leaves without notice, like a closed tab."""

    secret = PIN

    def __init__(self, adapter: RoomAdapter, folder: Path) -> None:
        self._server = JanusServer(folder)
        self.url = self._server.room_url(PIN_ROOM, f"?pin={PIN}")
        self.bad_urls = (
            "janus:",
            f"janus+http://127.0.0.1/1?pin={PIN}",
            "janus+ws://127.0.0.1:8188/",
            "janus+ws:///1",
            "janus+ws://127.0.0.1:port/1",
            "janus+ws://127.0.0.1:8188/1?pin",
            "janus+ws://127.0.0.1:8188/1?password=1",
            "janus+ws://127.0.0.1:8188/1?pin=1&pin=2",
            "janus+ws://127.0.0.1:8188/1?name=",
            "janus+ws://me:1@127.0.0.1:8188/1",
        )
        self._student = JanusStudent(self._server.url, "Ada", PIN_ROOM, PIN)

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._student.leave()
        await self._server.kill()

    async def participant_joins(self) -> None:
        await self._student.join()
        await self._student.publish()

    async def participant_leaves(self) -> None:
        await self._student.leave()
