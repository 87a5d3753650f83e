"""What happens in a Janus room while the bot is still entering it, by a server that says it just then."""

import asyncio
import json
from typing import Any

from aiohttp import web

from bot.config import Settings
from bot.room import Joined, Muted
from bot.rooms import RoomContext
from bot.rooms.janus import Adapter
from tests.followed import Followed

ADA = {"id": 5, "display": "Ada"}
CAMERA = {"streams": [{"type": "video", "mindex": 0, "mid": "0", "codec": "vp8"}]}


async def test_a_camera_that_starts_while_the_bot_enters_is_received() -> None:
    subscribed = asyncio.Event()

    async def janus(request: web.Request) -> web.WebSocketResponse:
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
                    subscribed.set()
                case "join":
                    data = {"videoroom": "joined", "id": 9, "private_id": 1, "publishers": []}
                case "listparticipants":
                    await event(publishers=[ADA | CAMERA])  # before the answer
                    data = {"videoroom": "participants", "participants": [ADA | {"publisher": True}]}
            answer = {"janus": "success", "transaction": asked["transaction"], "data": {"id": 7}}
            if body:
                answer |= {"janus": "event", "sender": 7, "plugindata": {"data": data}}
            await socket.send_json(answer)
        return socket

    app = web.Application()
    app.router.add_get("/{tail:.*}", janus)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"janus+ws://127.0.0.1:{runner.addresses[0][1]}/5"
    async with Followed(Adapter(RoomContext(Settings())).open(url)) as followed:
        async with asyncio.timeout(10):
            await subscribed.wait()
        joined = [event for event in followed.events if isinstance(event, Joined)]
        assert [event.name for event in joined] == ["Ada"]
        muted = [event.muted for event in followed.events if isinstance(event, Muted)]
        assert muted[-1] is False
    await runner.cleanup()
