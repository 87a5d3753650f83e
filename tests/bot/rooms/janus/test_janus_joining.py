"""Events while the bot is joining a Janus room, and requests without an answer, against a scripted server."""

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


class ScriptedJanus:
    """Answers like Janus, with faults.

    It reports Ada's camera before it lists the participants, never answers a subscriber, and has a chat that
    cannot be set up.

    Attributes:
        subscribe_requests: Released with each request for a camera.
        chat_requests: Released with each request to set up the chat.
    """

    def __init__(self) -> None:
        self.subscribe_requests, self.chat_requests = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def serve(self, upgrade: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("janus-protocol",))
        await socket.prepare(upgrade)

        async def send_event(**data: Any) -> None:
            event = {"videoroom": "event", "room": 5, **data}
            await socket.send_json({"janus": "event", "sender": 7, "plugindata": {"data": event}})

        async for message in socket:
            request = json.loads(message.data)
            body, data = request.get("body", {}), {}
            match body.get("request"):
                case "join" if body["ptype"] == "subscriber":
                    self.subscribe_requests.release()
                    continue
                case "join":
                    data = {"videoroom": "joined", "id": 9, "private_id": 1, "publishers": []}
                case "listparticipants":
                    await send_event(publishers=[ADA | CAMERA])
                    data = {"videoroom": "participants", "participants": [ADA | {"publisher": True}]}
                case "exists":
                    data = {"textroom": "success", "exists": True}
                case "setup":
                    self.chat_requests.release()
                    data = {"textroom": "event", "error_code": 499}
            answer = {"janus": "success", "transaction": request["transaction"], "data": {"id": 7}}
            if body:
                answer |= {"janus": "event", "sender": 7, "plugindata": {"data": data}}
            await socket.send_json(answer)
        return socket


@asynccontextmanager
async def join_room(janus: ScriptedJanus) -> AsyncIterator[RoomRecorder]:
    app = web.Application()
    app.router.add_get("/{tail:.*}", janus.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"janus+ws://127.0.0.1:{runner.addresses[0][1]}/5"
    async with RoomRecorder(Adapter(RoomContext(Settings())).open(url)) as recorder:
        yield recorder
    await runner.cleanup()


async def test_a_camera_published_while_the_bot_joins_is_received() -> None:
    janus = ScriptedJanus()
    async with join_room(janus) as recorder:
        async with asyncio.timeout(10):
            await janus.subscribe_requests.acquire()
        joined = [event for event in recorder.events if isinstance(event, Joined)]
        assert [event.name for event in joined] == ["Ada"]
        muted = [event.muted for event in recorder.events if isinstance(event, Muted)]
        assert muted[-1] is False


@pytest.mark.slow
async def test_an_unanswered_request_for_a_camera_is_repeated() -> None:
    janus = ScriptedJanus()
    async with join_room(janus) as recorder, asyncio.timeout(40):
        await janus.subscribe_requests.acquire()
        await janus.subscribe_requests.acquire()
        assert not any(isinstance(event, Disconnected) for event in recorder.events)


@pytest.mark.slow
async def test_joining_the_chat_is_retried_after_a_failure() -> None:
    janus = ScriptedJanus()
    async with join_room(janus) as recorder, asyncio.timeout(40):
        assert await recorder.room.announce("A bot is here.") is False
        await janus.chat_requests.acquire()
        await janus.chat_requests.acquire()
