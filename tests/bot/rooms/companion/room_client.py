"""An embedded room with a client to its routes, for the tests of the room."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from bot.config import Settings, WebrtcSettings
from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.contract import RoomEvent, TrackAdded
from bot.rooms.registry import RoomContext
from bot.tracks import VideoTrack
from tests.cameras import Sender

CODE = "test-room"


class Class:
    """An entered room, a client to its routes, and what the room has told."""

    def __init__(self, client: TestClient[Any, Any], room: CompanionRoom) -> None:
        self.client, self.room = client, room
        self.told: list[RoomEvent] = []
        self.senders: list[Sender] = []
        self.ended = False
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async for event in self.room.events():
            self.told.append(event)
            self._news.set()
        self.ended = True

    async def until(self, true: Callable[[list[RoomEvent]], bool], within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while not true(self.told):
                self._news.clear()
                await self._news.wait()

    async def track(self, number: int = 0) -> VideoTrack:
        await self.until(lambda told: len(self.tracks()) > number)
        return self.tracks()[number]

    def tracks(self) -> list[VideoTrack]:
        return [event.track for event in self.told if isinstance(event, TrackAdded)]

    async def post(self, path: str, **fields: Any) -> ClientResponse:
        return await self.client.post(f"/api/companion/{CODE}/{path}", json=fields)

    async def erase(self, token: str) -> ClientResponse:
        return await self.client.delete(f"/api/companion/{CODE}/me", json={"token": token})

    async def join(self, **fields: Any) -> dict[str, Any]:
        """Join with a camera that really sends."""
        sender = Sender()
        self.senders.append(sender)
        response = await self.post("offer", sdp=await sender.offer(), type="offer", consent=True, **fields)
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        await sender.accept(answer["sdp"])
        return answer

    async def join_without_camera(self, **fields: Any) -> dict[str, Any]:
        response = await self.post("offer", sdp=None, type=None, consent=True, **fields)
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


QUICK = Settings(webrtc=WebrtcSettings(connect_timeout_s=15.0, silence_timeout_s=1.0, rejoin_s=0.5))


@asynccontextmanager
async def held(settings: Settings) -> AsyncIterator[Class]:
    """A class in an entered room, its routes served."""
    adapter = Adapter(RoomContext(settings))
    app = web.Application()
    app.add_routes(adapter.routes())
    async with TestClient(TestServer(app)) as client:
        room = adapter.open(f"companion:{CODE}")
        assert isinstance(room, CompanionRoom)
        async with room:
            holding = Class(client, room)
            listener = asyncio.create_task(holding.listen())
            yield holding
            await asyncio.gather(*(sender.close() for sender in holding.senders))
        await asyncio.wait_for(listener, 10)
        assert holding.ended


def kinds(told: list[RoomEvent]) -> list[str]:
    return [type(event).__name__ for event in told]
