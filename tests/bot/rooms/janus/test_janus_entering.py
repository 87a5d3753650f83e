"""What happens while the bot is still entering a Janus room, and answers that never come: by a script."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bot.config import Settings
from bot.rooms.contract import Disconnected, Joined, Muted
from bot.rooms.janus.adapter import Adapter
from bot.rooms.registry import RoomContext
from tests.room_recorder import RoomRecorder

ADA = {"id": 5, "display": "Ada"}
CAMERA = {"streams": [{"type": "video", "mindex": 0, "mid": "0", "codec": "vp8"}]}


class Janus:
    """Answers as Janus does; tells of Ada's camera before it tells who is there; answers no subscriber.

    There is a chat, which cannot be set up.
    """

    def __init__(self) -> None:
        self.subscribed, self.set_up = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("janus-protocol",))
        await socket.prepare(request)

        async def event(**data: Any) -> None:
            told = {"videoroom": "event", "room": 5, **data}
            await socket.send_json({"janus": "event", "sender": 7, "plugindata": {"data": told}})

        async for message in socket:
            asked = json.loads(message.data)
            body, data = asked.get("body", {}), {}
            match body.get("request"):
                case "join" if body["ptype"] == "subscriber":
                    self.subscribed.release()
                    continue
                case "join":
                    data = {"videoroom": "joined", "id": 9, "private_id": 1, "publishers": []}
                case "listparticipants":
                    await event(publishers=[ADA | CAMERA])
                    data = {"videoroom": "participants", "participants": [ADA | {"publisher": True}]}
                case "exists":
                    data = {"textroom": "success", "exists": True}
                case "setup":
                    self.set_up.release()
                    data = {"textroom": "event", "error_code": 499}
            answer = {"janus": "success", "transaction": asked["transaction"], "data": {"id": 7}}
            if body:
                answer |= {"janus": "event", "sender": 7, "plugindata": {"data": data}}
            await socket.send_json(answer)
        return socket


@asynccontextmanager
async def entered(janus: Janus) -> AsyncIterator[RoomRecorder]:
    app = web.Application()
    app.router.add_get("/{tail:.*}", janus.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"janus+ws://127.0.0.1:{runner.addresses[0][1]}/5"
    async with RoomRecorder(Adapter(RoomContext(Settings())).open(url)) as recorder:
        yield recorder
    await runner.cleanup()


async def test_a_camera_that_starts_while_the_bot_enters_is_received() -> None:
    janus = Janus()
    async with entered(janus) as recorder:
        async with asyncio.timeout(10):
            await janus.subscribed.acquire()
        joined = [event for event in recorder.events if isinstance(event, Joined)]
        assert [event.name for event in joined] == ["Ada"]
        muted = [event.muted for event in recorder.events if isinstance(event, Muted)]
        assert muted[-1] is False


@pytest.mark.slow
async def test_a_camera_whose_request_is_never_answered_is_asked_for_again() -> None:
    janus = Janus()
    async with entered(janus) as recorder, asyncio.timeout(40):
        await janus.subscribed.acquire()
        await janus.subscribed.acquire()
        assert not any(isinstance(event, Disconnected) for event in recorder.events)


@pytest.mark.slow
async def test_a_chat_that_cannot_be_had_at_first_is_tried_again() -> None:
    janus = Janus()
    async with entered(janus) as recorder, asyncio.timeout(40):
        assert await recorder.room.announce("A bot is here.") is False
        await janus.set_up.acquire()
        await janus.set_up.acquire()
