"""A session on a real Janus: a handle whose requester was cancelled is detached."""

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


async def handle_count(server: JanusServer) -> int:
    (session,) = (await server.administer({"janus": "list_sessions"}))["sessions"]
    return len((await server.administer({"janus": "list_handles", "session_id": session}))["handles"])


def ignore(reply: Reply) -> None:
    """Ignore an event."""


async def test_a_handle_is_detached_if_its_requester_was_cancelled(tmp_path: Path) -> None:
    async with JanusServer(tmp_path) as server, JanusSession(server.url, 5.0) as session:
        used = await session.attach(PLUGIN, ignore)
        assert await handle_count(server) == 1
        for iterations in range(8):  # cancel after more and more iterations of the event loop
            attaching = asyncio.create_task(session.attach(PLUGIN, ignore))
            for _ in range(iterations):
                await asyncio.sleep(0)
            attaching.cancel()
            await asyncio.wait([attaching])
            if not attaching.cancelled():
                await session.detach(attaching.result())
        until_s = time.monotonic() + 10
        remaining = await handle_count(server)
        while remaining > 1 and time.monotonic() < until_s:
            await asyncio.sleep(0.05)
            remaining = await handle_count(server)
        assert remaining == 1
        assert (await session.request(used, {"request": "list"})).data["videoroom"] == "success"
