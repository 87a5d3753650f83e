"""Setup of a LiveKit room: a real server on this machine, and a student with LiveKit's own library."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.simulation.livekit_students import LiveKitStudents
from bot.rooms.registry import RoomAdapter
from tests.livekit_server import LiveKitServer, make_token

ROOM = "contract"


class RoomSetup:
    """The bot is let in by a token in the URL."""

    def __init__(self, adapter: RoomAdapter, folder: Path) -> None:
        self._server = LiveKitServer(folder)
        self.secret = make_token(ROOM, "bot", canPublish=False)
        self.url = self._server.room_url(ROOM, f"?token={self.secret}")
        self.bad_urls = (
            "livekit:",
            "livekit:contract",  # there is no server in the settings
            f"livekit+http://127.0.0.1/contract?token={self.secret}",
            f"livekit+ws://127.0.0.1:7880/?token={self.secret}",
            f"livekit+ws:///contract?token={self.secret}",
            f"livekit+ws://127.0.0.1:port/contract?token={self.secret}",
            f"livekit+ws://127.0.0.1:7880/another?token={self.secret}",
            f"livekit+ws://127.0.0.1:7880/contract?token={self.secret}&name=",
            f"livekit+ws://127.0.0.1:7880/contract?token={self.secret}&token=1",
            "livekit+ws://127.0.0.1:7880/contract?token=1",
            "livekit+ws://127.0.0.1:7880/contract?pin=1",
            "livekit+ws://127.0.0.1:7880/contract",  # there is no key in the settings
            f"livekit+ws://me:1@127.0.0.1:7880/contract?token={self.secret}",
        )
        self._students = LiveKitStudents(self._server.url, ROOM)

    async def __aenter__(self) -> Self:
        await self._server.start()
        await self._students.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._students.__aexit__(None, None, None)
        await self._server.kill()

    async def participant_joins(self) -> None:
        await self._students.join(0)

    async def participant_leaves(self) -> None:
        await self._students.command("leave", 0)
