"""Simulated students in a real Janus come, go, mute; nobody is shown for somebody else."""

import asyncio
import time
from pathlib import Path

import pytest

from benchmarks.outage import Watcher
from benchmarks.simulation.janus_class import JanusClass
from bot.config import WebrtcSettings
from bot.janus.room import JanusRoom
from bot.rooms.janus import parse_address
from tests.cameras import needs_network
from tests.janus_server import OPEN_ROOM, JanusServer, needs_janus

STUDENTS = 4

pytestmark = [needs_network, needs_janus, pytest.mark.slow]


async def test_nobody_is_shown_for_somebody_else_through_a_janus(tmp_path: Path) -> None:
    async with JanusServer(tmp_path) as server, JanusClass(server.url, OPEN_ROOM, STUDENTS) as students:
        room = JanusRoom(parse_address(server.room_url()), WebrtcSettings(), samples_per_s=2.0)
        async with room:
            watcher = Watcher(room)
            watching = asyncio.create_task(watcher.watch())
            assert await watcher.until(lambda seen: len(seen.fresh_s) == STUDENTS)
            for leaver in (1, 3):
                await students.tell(leaver, "leave")
            await students.tell(2, "mute")
            for comer in (3, 1):  # each on the port the other one had
                await students.tell(comer, "join")
            await students.tell(2, "unmute")
            again_s = time.monotonic()
            assert await watcher.until(lambda seen: min(seen.fresh_s.values()) > again_s)
            await asyncio.sleep(2)
        await watching
    assert watcher.seen.wrong == 0
    assert watcher.seen.pictures > 4 * STUDENTS
    assert set(watcher.seen.people.values()) == set(range(STUDENTS))
    assert len(watcher.seen.people) == STUDENTS  # those who came back are who they were
