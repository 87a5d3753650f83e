"""Drawn students in the real embedded room, over UDP on this machine; and as the process the demo starts."""

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


class Lesson:
    """The server of an embedded room and what the room tells."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        app = web.Application(middlewares=[self._front])
        app.add_routes(self.adapter.routes())
        self.server = TestServer(app)
        self.told: list[RoomEvent] = []
        self.posts: list[str] = []
        self.tokens: list[str] = []
        self.failing = 0
        self.posted = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        return str(self.server.make_url("/"))

    @web.middleware
    async def _front(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.posts.append(request.path.rsplit("/", 1)[1])
        self.posted.set()
        if self.failing:
            self.failing -= 1
            raise web.HTTPServiceUnavailable
        answer: web.Response = await handler(request)
        if self.posts[-1] == "offer" and answer.status == 200:
            self.tokens.append(json.loads(answer.text or "")["token"])
        return answer

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Room]:
        async with self.adapter.open(f"companion:{CODE}?synthetic=1") as room:
            listening = asyncio.create_task(self._listen(room))
            yield room
        await listening

    async def _listen(self, room: Room) -> None:
        async for event in room.events():
            self.told.append(event)
            self._news.set()

    async def until(self, kind: type, times: int, within_s: float = 15.0) -> list[Any]:
        """Wait until a kind of event has been told so many times."""
        async with asyncio.timeout(within_s):
            while len(found := [event for event in self.told if isinstance(event, kind)]) < times:
                self._news.clear()
                await self._news.wait()
        return found


@pytest.fixture
def adapter() -> Adapter:
    return Adapter(RoomContext(Settings()))  # reads files, so not on the loop


@pytest.fixture(scope="module")
def detector() -> BlazeFace:
    return BlazeFace()


@pytest.fixture
async def lesson(adapter: Adapter) -> AsyncIterator[Lesson]:
    lesson = Lesson(adapter)
    async with lesson.server:
        yield lesson


@asynccontextmanager
async def attending(lesson: Lesson, count: int, begin_s: float = 0.0) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_students(lesson.url, CODE, count, 1, stop, begin_s=begin_s))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await task


async def a_frame(added: TrackAdded) -> RawFrame:
    async with asyncio.timeout(10):
        return await added.track.recv()


@needs_network
async def test_students_join_show_faces_and_leave(lesson: Lesson, detector: BlazeFace) -> None:
    async with lesson.room():
        async with attending(lesson, 2):
            added = await lesson.until(TrackAdded, 2)
            for each in added:
                frame = await a_frame(each)
                faces = detector.detect(np.ascontiguousarray(frame.luma()))
                assert (frame.av_frame.width, frame.av_frame.height) == (320, 180)
                assert len(faces) == 1
                assert faces.scores[0] >= 0.75
        left = await lesson.until(Left, 2, within_s=1.0)
    joined = [event for event in lesson.told if isinstance(event, Joined)]
    assert sorted(event.name or "" for event in joined) == ["Student 1", "Student 2"]
    assert all(event.consented and not event.individual for event in joined)
    assert {event.participant_id for event in left} == {event.participant_id for event in joined}
    assert lesson.posts.count("leave") == 2


@needs_network
async def test_offer_carries_consent_and_vp8_first_and_no_word_of_the_story() -> None:
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
async def test_refused_students_try_again(lesson: Lesson) -> None:
    lesson.failing = 2
    async with lesson.room(), attending(lesson, 1):
        await lesson.until(TrackAdded, 1)
    assert lesson.posts.count("offer") == 3


@needs_network
async def test_a_class_that_opens_late_is_waited_for(lesson: Lesson) -> None:
    async with attending(lesson, 1):
        await lesson.posted.wait()
        async with lesson.room():
            await lesson.until(TrackAdded, 1)


@needs_network
async def test_a_student_who_comes_back_is_the_same(lesson: Lesson) -> None:
    async with lesson.room(), aiohttp.ClientSession() as http, attending(lesson, 1):
        await lesson.until(TrackAdded, 1)
        # The room closes the connection, as if it had been lost.
        leave = lesson.server.make_url(f"/api/companion/{CODE}/leave")
        async with http.post(leave, json={"token": lesson.tokens[0]}) as response:
            assert response.status == 200
        first, second = await lesson.until(TrackAdded, 2)
    assert first.track.participant_id == second.track.participant_id
    assert lesson.tokens[1] == lesson.tokens[0]


@needs_network
async def test_students_come_back_when_the_connection_breaks(lesson: Lesson) -> None:
    async with attending(lesson, 1):
        async with lesson.room():
            await lesson.until(TrackAdded, 1)
        lesson.told.clear()
        async with lesson.room():
            await lesson.until(TrackAdded, 1)


async def test_students_who_never_got_in_stop_at_once() -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(run_students("http://127.0.0.1:9", CODE, 3, 1, stop))
    await asyncio.sleep(0.5)
    assert not task.done()
    stop.set()
    async with asyncio.timeout(2):
        await task


@needs_network
async def test_pulses_are_tapped_as_the_story_has_it(lesson: Lesson) -> None:
    lost = tell_story(1, 1)[0]
    at_s, kind = next(tap for tap in lost.taps if tap[1] is PulseKind.LOST)
    async with lesson.room(), attending(lesson, 1, begin_s=at_s - 3):
        (pulse,) = await lesson.until(Pulse, 1)
    (joined,) = await lesson.until(Joined, 1)
    assert pulse == Pulse(joined.participant_id, kind)


@needs_network
async def test_where_no_camera_is_received_students_take_part_all_the_same() -> None:
    settings = Settings(privacy=PrivacySettings(jurisdiction="eu-education"))
    lesson = Lesson(await asyncio.to_thread(Adapter, RoomContext(settings)))
    lost = tell_story(1, 1)[0]
    at_s, kind = next(tap for tap in lost.taps if tap[1] is PulseKind.LOST)
    async with lesson.server, lesson.room():
        async with attending(lesson, 1, begin_s=at_s - 3):
            (pulse,) = await lesson.until(Pulse, 1)
        (left,) = await lesson.until(Left, 1)
    (joined,) = await lesson.until(Joined, 1)
    assert pulse == Pulse(joined.participant_id, kind)
    assert left == Left(joined.participant_id)
    assert "camera" in lesson.posts, "else the room would miss the student after a while"
    assert not any(isinstance(event, TrackAdded) for event in lesson.told)


@needs_network
@pytest.mark.parametrize("how", ["terminated", "orphaned"])
async def test_process_leaves_within_three_seconds(lesson: Lesson, how: str) -> None:
    arguments = ["--server", lesson.url, "--code", CODE, "--students", "1", "--seed", "3"]
    async with lesson.room():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.demo.students", *arguments, stdin=asyncio.subprocess.PIPE
        )
        try:
            await lesson.until(TrackAdded, 1, within_s=20)
            assert process.stdin is not None
            if how == "terminated":
                process.terminate()
            else:
                process.stdin.close()
            async with asyncio.timeout(3):
                assert await process.wait() == 0
            await lesson.until(TrackRemoved, 1, within_s=1)
            await lesson.until(Left, 1, within_s=1)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
