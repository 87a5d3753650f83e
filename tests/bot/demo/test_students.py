"""Drawn students in a real embedded room, over UDP on this machine; also as the demo's own process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.config import PrivacySettings, Settings
from bot.demo.story import tell_story
from bot.demo.students import run_students
from bot.frames import RawFrame
from bot.rooms.companion.adapter import Adapter
from bot.rooms.contract import Joined, Left, Pulse, Room, RoomEvent, TrackAdded, TrackRemoved
from bot.rooms.registry import RoomContext
from inference.detector import BlazeFace
from reports.summary.windows import PulseKind
from tests.cameras import needs_network

pytestmark = pytest.mark.real_time

CODE = "drawn-class"


class RecordingServer:
    """A server with an embedded room. It records the requests and the events, and can fail requests."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        app = web.Application(middlewares=[self._record])
        app.add_routes(self.adapter.routes())
        self.test_server = TestServer(app)
        self.events: list[RoomEvent] = []
        self.requests: list[str] = []
        self.tokens: list[str] = []
        self.requests_to_fail = 0
        self.requested = asyncio.Event()
        self._new_event = asyncio.Event()

    @property
    def url(self) -> str:
        return str(self.test_server.make_url("/"))

    @web.middleware
    async def _record(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(request.path.rsplit("/", 1)[1])
        self.requested.set()
        if self.requests_to_fail:
            self.requests_to_fail -= 1
            raise web.HTTPServiceUnavailable
        answer: web.Response = await handler(request)
        if self.requests[-1] == "offer" and answer.status == 200:
            self.tokens.append(json.loads(answer.text or "")["token"])
        return answer

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Room]:
        async with self.adapter.open(f"companion:{CODE}?synthetic=1") as room:
            recording = asyncio.create_task(self._record_events(room))
            yield room
        await recording

    async def _record_events(self, room: Room) -> None:
        async for event in room.events():
            self.events.append(event)
            self._new_event.set()

    async def wait_for(self, kind: type, count: int, within_s: float = 15.0) -> list[Any]:
        """Wait until the room has published ``count`` events of a kind, and return all of that kind."""
        async with asyncio.timeout(within_s):
            while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
                self._new_event.clear()
                await self._new_event.wait()
        return found


@pytest.fixture
def adapter() -> Adapter:
    return Adapter(RoomContext(Settings()))  # reads files, so not on the loop


@pytest.fixture(scope="module")
def detector() -> BlazeFace:
    return BlazeFace()


@pytest.fixture
async def server(adapter: Adapter) -> AsyncIterator[RecordingServer]:
    server = RecordingServer(adapter)
    async with server.test_server:
        yield server


@asynccontextmanager
async def attending(server: RecordingServer, count: int, begin_s: float = 0.0) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_students(server.url, CODE, count, 1, stop, begin_s=begin_s))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await task


async def receive_frame(added: TrackAdded) -> RawFrame:
    async with asyncio.timeout(10):
        return await added.track.recv()


@needs_network
async def test_students_join_show_their_faces_and_leave(server: RecordingServer, detector: BlazeFace) -> None:
    async with server.room():
        async with attending(server, 2):
            added = await server.wait_for(TrackAdded, 2)
            for event in added:
                frame = await receive_frame(event)
                faces = detector.detect(np.ascontiguousarray(frame.luma()))
                assert (frame.av_frame.width, frame.av_frame.height) == (320, 180)
                assert len(faces) == 1
                assert faces.scores[0] >= 0.75
        left = await server.wait_for(Left, 2, within_s=1.0)
    joined = [event for event in server.events if isinstance(event, Joined)]
    assert sorted(event.name or "" for event in joined) == ["Student 1", "Student 2"]
    assert all(event.consented and not event.individual for event in joined)
    assert {event.participant_id for event in left} == {event.participant_id for event in joined}
    assert server.requests.count("leave") == 2


@needs_network
async def test_the_offer_has_the_consent_prefers_vp8_and_reveals_nothing_of_the_story() -> None:
    offers: list[dict[str, Any]] = []
    offered = asyncio.Event()

    async def refuse(request: web.Request) -> web.Response:
        offers.append(await request.json())
        offered.set()
        return web.Response(status=503)

    app = web.Application()
    app.router.add_post("/api/companion/{code}/offer", refuse)
    stop = asyncio.Event()
    async with TestServer(app) as server:
        task = asyncio.create_task(run_students(str(server.make_url("/")), CODE, 1, 1, stop))
        async with asyncio.timeout(5):
            await offered.wait()
            stop.set()
            await task
    sdp = offers[0].pop("sdp")
    assert offers[0] == {"type": "offer", "name": "Student 1", "consent": True, "individual": False}
    assert sdp.count("m=video") == 1
    assert "a=sendonly" in sdp
    assert 0 < sdp.index("VP8/90000") < sdp.index("H264/90000")


@needs_network
async def test_students_try_again_after_a_refusal(server: RecordingServer) -> None:
    server.requests_to_fail = 2
    async with server.room(), attending(server, 1):
        await server.wait_for(TrackAdded, 1)
    assert server.requests.count("offer") == 3


@needs_network
async def test_students_wait_for_a_class_that_opens_later(server: RecordingServer) -> None:
    async with attending(server, 1):
        await server.requested.wait()
        async with server.room():
            await server.wait_for(TrackAdded, 1)


@needs_network
async def test_a_student_who_joins_again_is_the_same_participant(server: RecordingServer) -> None:
    async with server.room(), aiohttp.ClientSession() as http, attending(server, 1):
        await server.wait_for(TrackAdded, 1)
        # The room closes the connection, as if it had been lost.
        leave = server.test_server.make_url(f"/api/companion/{CODE}/leave")
        async with http.post(leave, json={"token": server.tokens[0]}) as response:
            assert response.status == 200
        first, second = await server.wait_for(TrackAdded, 2)
    assert first.track.participant_id == second.track.participant_id
    assert server.tokens[1] == server.tokens[0]


@needs_network
async def test_students_join_again_when_the_class_is_opened_again(server: RecordingServer) -> None:
    async with attending(server, 1):
        async with server.room():
            await server.wait_for(TrackAdded, 1)
        server.events.clear()
        async with server.room():
            await server.wait_for(TrackAdded, 1)


async def test_students_who_could_not_join_stop_at_once() -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(run_students("http://127.0.0.1:9", CODE, 3, 1, stop))
    await asyncio.sleep(0.5)
    assert not task.done()
    stop.set()
    async with asyncio.timeout(2):
        await task


@needs_network
async def test_pulses_follow_the_story(server: RecordingServer) -> None:
    lost = tell_story(1, 1)[0]
    at_s, kind = next(tap for tap in lost.taps if tap[1] is PulseKind.LOST)
    async with server.room(), attending(server, 1, begin_s=at_s - 3):
        (pulse,) = await server.wait_for(Pulse, 1)
    (joined,) = await server.wait_for(Joined, 1)
    assert pulse == Pulse(joined.participant_id, kind)


@needs_network
async def test_students_take_part_in_a_class_that_receives_no_cameras() -> None:
    settings = Settings(privacy=PrivacySettings(jurisdiction="eu-education"))
    server = RecordingServer(await asyncio.to_thread(Adapter, RoomContext(settings)))
    lost = tell_story(1, 1)[0]
    at_s, kind = next(tap for tap in lost.taps if tap[1] is PulseKind.LOST)
    async with server.test_server, server.room():
        async with attending(server, 1, begin_s=at_s - 3):
            (pulse,) = await server.wait_for(Pulse, 1)
        (left,) = await server.wait_for(Left, 1)
    (joined,) = await server.wait_for(Joined, 1)
    assert pulse == Pulse(joined.participant_id, kind)
    assert left == Left(joined.participant_id)
    assert "camera" in server.requests, "otherwise the room would remove the student after a while"
    assert not any(isinstance(event, TrackAdded) for event in server.events)


@needs_network
@pytest.mark.parametrize("how", ["terminated", "standard input closed"])
async def test_the_process_ends_within_three_seconds(server: RecordingServer, how: str) -> None:
    arguments = ["--server", server.url, "--code", CODE, "--students", "1", "--seed", "3"]
    async with server.room():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.demo.students", *arguments, stdin=asyncio.subprocess.PIPE
        )
        try:
            await server.wait_for(TrackAdded, 1, within_s=20)
            assert process.stdin is not None
            if how == "terminated":
                process.terminate()
            else:
                process.stdin.close()
            async with asyncio.timeout(3):
                assert await process.wait() == 0
            await server.wait_for(TrackRemoved, 1, within_s=1)
            await server.wait_for(Left, 1, within_s=1)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
