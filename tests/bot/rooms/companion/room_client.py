"""An embedded room on a test server, with a client that calls its routes and records its events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from bot.config import Settings, WebrtcSettings
from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.contract import OptedOut, RoomEvent, TrackAdded
from bot.rooms.registry import RoomContext
from bot.tracks import VideoTrack
from tests.cameras import Sender

CODE = "test-room"


class RoomClient:
    """A client of an open room, and the events that the room has published."""

    def __init__(self, http: TestClient[Any, Any], room: CompanionRoom) -> None:
        self.http, self.room = http, room
        self.events: list[RoomEvent] = []
        self.senders: list[Sender] = []
        self.ended = False
        self.confirms_erasures = True
        self._new_event = asyncio.Event()

    async def record_events(self) -> None:
        async for event in self.room.events():
            if isinstance(event, OptedOut) and self.confirms_erasures:
                event.on_erased()
            self.events.append(event)
            self._new_event.set()
        self.ended = True

    async def wait_until(self, condition: Callable[[list[RoomEvent]], bool], within_s: float = 20.0) -> None:
        """Wait until the condition is true for the events published so far."""
        async with asyncio.timeout(within_s):
            while not condition(self.events):
                self._new_event.clear()
                await self._new_event.wait()

    async def wait_for_track(self, number: int = 0) -> VideoTrack:
        await self.wait_until(lambda events: len(self.added_tracks()) > number)
        return self.added_tracks()[number]

    def added_tracks(self) -> list[VideoTrack]:
        return [event.track for event in self.events if isinstance(event, TrackAdded)]

    async def post(self, path: str, **fields: Any) -> ClientResponse:
        return await self.http.post(f"/api/companion/{CODE}/{path}", json=fields)

    async def erase(self, token: str) -> ClientResponse:
        return await self.http.delete(f"/api/companion/{CODE}/me", json={"token": token})

    async def join(self, **fields: Any) -> dict[str, Any]:
        """Join with a synthetic camera that sends over WebRTC."""
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
async def serve_room(settings: Settings) -> AsyncIterator[RoomClient]:
    """Open a room and serve its routes."""
    adapter = Adapter(RoomContext(settings))
    app = web.Application()
    app.add_routes(adapter.routes())
    async with TestClient(TestServer(app)) as http:
        room = adapter.open(f"companion:{CODE}")
        assert isinstance(room, CompanionRoom)
        async with room:
            client = RoomClient(http, room)
            recording = asyncio.create_task(client.record_events())
            yield client
            await asyncio.gather(*(sender.close() for sender in client.senders))
        await asyncio.wait_for(recording, 10)
        assert client.ended


def kinds(events: list[RoomEvent]) -> list[str]:
    """The class names of the events."""
    return [type(event).__name__ for event in events]
