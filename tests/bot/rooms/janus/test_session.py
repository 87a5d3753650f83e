"""A session of a real Janus: what is given up half-way is let go of there too."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from bot.rooms.janus.messages import Reply
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.videoroom import PLUGIN
from tests.janus_server import JanusServer, needs_janus

pytestmark = [pytest.mark.real_time, needs_janus]


async def handles(server: JanusServer) -> int:
    (session,) = (await server.administer({"janus": "list_sessions"}))["sessions"]
    return len((await server.administer({"janus": "list_handles", "session_id": session}))["handles"])


def nothing(reply: Reply) -> None:
    """Not of interest."""


async def test_a_handle_given_up_before_it_came_is_detached(tmp_path: Path) -> None:
    async with JanusServer(tmp_path) as server, JanusSession(server.url, 5.0) as session:
        kept = await session.attach(PLUGIN, nothing)
        assert await handles(server) == 1
        for turns in range(8):
            attaching = asyncio.create_task(session.attach(PLUGIN, nothing))
            for _ in range(turns):
                await asyncio.sleep(0)
            attaching.cancel()
            await asyncio.wait([attaching])
            if not attaching.cancelled():
                await session.detach(attaching.result())
        until_s = time.monotonic() + 10
        left = await handles(server)
        while left > 1 and time.monotonic() < until_s:
            await asyncio.sleep(0.05)
            left = await handles(server)
        assert left == 1
        assert (await session.request(kept, {"request": "list"})).data["videoroom"] == "success"
