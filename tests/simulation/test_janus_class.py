"""Simulated students in a real Janus, with faults: no student is shown as another one."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.receive_janus import delivered, receive
from benchmarks.simulation.clips import read_identity
from benchmarks.simulation.faults import Faults
from benchmarks.simulation.janus_class import JanusClass
from benchmarks.watcher import Watcher
from bot.config import WebrtcSettings
from bot.rooms.contract import TrackAdded
from bot.rooms.janus.adapter import parse_address
from bot.rooms.janus.room import JanusRoom
from tests.cameras import needs_network
from tests.janus_server import OPEN_ROOM, JanusServer, needs_janus

STUDENTS = 4
STALLED_FOR_S = 4.0

pytestmark = [pytest.mark.real_time, needs_network, needs_janus, pytest.mark.slow]


async def test_no_student_is_shown_as_another_one_through_a_janus(tmp_path: Path) -> None:
    async with JanusServer(tmp_path) as server, JanusClass(server.url, OPEN_ROOM, STUDENTS) as students:
        room = JanusRoom(parse_address(server.room_url()), WebrtcSettings(), samples_per_s=2.0)
        async with room:
            watcher = Watcher(room)
            watching = asyncio.create_task(watcher.watch())
            assert await watcher.wait_until(lambda seen: len(seen.fresh_s) == STUDENTS)
            for leaving in (1, 3):
                await students.command(leaving, "leave")
            await students.command(2, "mute")
            for returning in (3, 1):  # each gets the port that the other one had
                await students.command(returning, "join")
            await students.command(2, "unmute")
            rejoined_s = time.monotonic()
            assert await watcher.wait_until(lambda seen: min(seen.fresh_s.values()) > rejoined_s)
            await asyncio.sleep(2)
        await watching
    assert watcher.seen.wrong == 0
    assert watcher.seen.frames > 4 * STUDENTS
    assert set(watcher.seen.participants.values()) == set(range(STUDENTS))
    assert len(watcher.seen.participants) == STUDENTS  # students who rejoined kept their identifiers


async def test_janus_retransmits_packets_lost_after_it() -> None:
    """One packet in twenty is lost, including retransmissions, and one in fifty is reordered.

    The limits apply to shares of frames and to sending times, so they do not depend on this machine's speed.
    """
    found = await receive(STUDENTS, (320, 180), 12.0, Faults(0.05, 0.02, seed=3), wanted_fps=4.0)
    assert found["retransmissions"] > 0, found  # from Janus: the students do not retransmit
    assert found["datagrams"]["arrived"] < found["datagrams"]["sent"], found
    assert found["sent"] > 30 * STUDENTS, found
    assert found["fewest_share"] >= 0.85, found
    assert found["longest_gap_s"] <= 1.0, found
    assert found["wrong_student"] == 0, found


async def test_rotated_frames_are_set_upright_through_a_janus(tmp_path: Path) -> None:
    """Janus negotiates ``video-orientation`` with publishers and leaves the rotation to the receiver."""
    async with (
        JanusServer(tmp_path) as server,
        JanusClass(server.url, OPEN_ROOM, 1, size=(320, 180), rotation=3),
        JanusRoom(parse_address(server.room_url()), WebrtcSettings(), samples_per_s=2.0) as room,
    ):
        async with asyncio.timeout(60):
            track = await anext(event.track async for event in room.events() if isinstance(event, TrackAdded))
            frame = await track.recv()
    assert (frame.rotation, frame.luma().shape) == (3, (320, 180))
    assert read_identity(np.rot90(frame.luma(), 3)) == 0


async def test_a_stalled_student_does_not_affect_the_others(tmp_path: Path) -> None:
    stalled, others = 0, range(1, STUDENTS)
    async with JanusServer(tmp_path) as server, JanusClass(server.url, OPEN_ROOM, STUDENTS) as students:
        async with JanusRoom(parse_address(server.room_url()), WebrtcSettings(), samples_per_s=2.0) as room:
            watcher = Watcher(room)
            watching = asyncio.create_task(watcher.watch())
            seen = watcher.seen
            assert await watcher.wait_until(lambda seen: len(seen.fresh_s) == STUDENTS)
            await asyncio.sleep(2)
            stalled_s = time.monotonic()
            await students.command(stalled, "stall")
            await asyncio.sleep(STALLED_FOR_S)
            resumed_s = time.monotonic()
            last_seen_s = seen.fresh_s[stalled]
            await students.command(stalled, "resume")  # all delayed packets arrive at once
            assert await watcher.wait_until(lambda seen: seen.fresh_s[stalled] > resumed_s)
            await asyncio.sleep(2)
        await watching
    assert last_seen_s < resumed_s - 1.0  # the student really stalled
    found = delivered(seen, others, (stalled_s, resumed_s), layers=1)
    assert (found.silent, found.fewest_share >= 0.85, found.longest_gap_s <= 1.0) == (0, True, True), found
    assert seen.oldest_s < STALLED_FOR_S  # delayed frames are not shown
    assert seen.wrong == 0
