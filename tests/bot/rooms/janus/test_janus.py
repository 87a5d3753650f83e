"""The Janus adapter against a real Janus: joining, leaving and cameras."""

import asyncio
import threading
from pathlib import Path

import pytest

from bot.config import PrivacySettings, Settings
from bot.rooms.common.names import BOT_NAME
from bot.rooms.contract import Joined, Left, Muted, TrackAdded, TrackRemoved
from bot.rooms.janus.adapter import Adapter
from bot.rooms.registry import RoomContext
from tests.bot.rooms.janus.janus_rooms import FAST_SETTINGS, participants, record
from tests.cameras import HEIGHT, WIDTH, needs_network
from tests.janus_server import JanusServer, needs_janus
from tests.janus_students import ChatStudent, JanusStudent
from tests.room_recorder import unfinished_tasks

pytestmark = [pytest.mark.real_time, needs_janus, needs_network]


async def test_a_student_joins_stops_and_restarts_the_camera_and_leaves(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, JanusStudent(server.url, " Ada ") as ada:
        await ada.publish()
        added = await recorder.wait_for_kind(TrackAdded)
        joined = await recorder.wait_for_kind(Joined)
        assert (joined.name, joined.consented, joined.individual) == ("Ada", False, False)
        assert added.track.participant_id == joined.participant_id
        async with asyncio.timeout(20):
            assert (await added.track.recv()).luma().shape == (HEIGHT, WIDTH)

        mark = len(recorder.events)
        await ada.unpublish()
        off = await recorder.wait_for(lambda event: event == Muted(joined.participant_id, True), mark)
        removed = await recorder.wait_for_kind(TrackRemoved, mark)
        assert removed == TrackRemoved(added.track.track_id, joined.participant_id)
        await recorder.wait_for_track_end()

        await ada.publish()
        await recorder.wait_for(lambda event: event == Muted(joined.participant_id, False), off)
        again = await recorder.wait_for_kind(TrackAdded, off)
        assert again.track.participant_id == joined.participant_id
        assert again.track.track_id != added.track.track_id
        async with asyncio.timeout(20):
            await again.track.recv()

        await ada.leave()
        assert await recorder.wait_for_kind(Left) == Left(joined.participant_id)
        await recorder.wait_for_track_end(1)
        assert sum(isinstance(event, Joined) for event in recorder.events) == 1


async def test_participants_already_present_are_reported_and_see_that_the_bot_publishes_nothing(
    server: JanusServer,
) -> None:
    async with JanusStudent(server.url, "Ada") as ada, JanusStudent(server.url, "Bea") as bea:
        await ada.publish()
        await ada.wait_until_published()
        async with record(server.room_url(query="?name=Class%20bot")) as recorder:
            await recorder.wait_for_kind(TrackAdded)
            # Bea has no camera: Janus lists her only on request.
            await recorder.wait_for(lambda event: isinstance(event, Joined) and event.name == "Bea")
            joined = {event.name: event for event in recorder.events if isinstance(event, Joined)}
            assert set(joined) == {"Ada", "Bea"}
            assert Muted(joined["Bea"].participant_id, True) in recorder.events
            assert Muted(joined["Ada"].participant_id, True) not in recorder.events
            listed = await participants(bea)
            publishes = {one["display"]: one["publisher"] for one in listed.values()}
            assert publishes == {"Class bot": False, "Ada": True, "Bea": False}
            await bea.leave()
            assert await recorder.wait_for_kind(Left) == Left(joined["Bea"].participant_id)
        (bot,) = [feed for feed, one in listed.items() if one["display"] == "Class bot"]
        await ada.wait_until_left(bot)


async def test_the_default_name_of_the_bot_says_what_it_does(server: JanusServer) -> None:
    async with JanusStudent(server.url, "Ada") as ada, record(server.room_url()):
        assert BOT_NAME in [person["display"] for person in (await participants(ada)).values()]


async def test_no_task_or_thread_remains_after_leaving(server: JanusServer) -> None:
    async def stay() -> None:
        async with record(server.room_url()) as recorder:
            await recorder.room.announce("A bot is here.")
            added = await recorder.wait_for_kind(TrackAdded)
            await added.track.recv()

    async with JanusStudent(server.url, "Ada") as ada, ChatStudent(server.url, "Ada"):
        await ada.publish()
        await stay()  # the first stay starts all tasks of the students
        tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
        await stay()
        assert await unfinished_tasks(tasks, 10.0) == []
        for thread in set(threading.enumerate()) - threads:
            if "decode" in thread.name:
                await asyncio.to_thread(thread.join, 10.0)  # the room does not wait for its threads
                assert not thread.is_alive()


async def test_leaving_right_after_joining_removes_the_bot_from_the_room(server: JanusServer) -> None:
    async with JanusStudent(server.url, "Ada") as ada:
        tasks = asyncio.all_tasks()
        async with Adapter(RoomContext(FAST_SETTINGS)).open(server.room_url()):
            (bot,) = [feed for feed, one in (await participants(ada)).items() if one["display"] == BOT_NAME]
        async with Adapter(RoomContext(FAST_SETTINGS)).open(server.room_url()):
            pass  # leave at once
        assert not {task.get_name() for task in asyncio.all_tasks() - tasks if "janus" in task.get_name()}
        await ada.wait_until_left(bot)
        async with asyncio.timeout(20):
            await ada.wait_until_alone()


async def test_a_camera_that_sends_nothing_counts_as_off_until_its_first_frame(
    server: JanusServer,
) -> None:
    async with record(server.room_url()) as recorder, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        added = await recorder.wait_for_kind(TrackAdded)
        await added.track.recv()
        participant_id, mark = added.track.participant_id, len(recorder.events)
        ada.camera.running.clear()  # like replaceTrack(null): the connection stays, no packet arrives
        off = await recorder.wait_for(lambda event: event == Muted(participant_id, True), mark)
        assert not any(isinstance(event, Left) for event in recorder.events)
        ada.camera.running.set()
        await recorder.wait_for(lambda event: event == Muted(participant_id, False), off)
        newest = [event for event in recorder.events if isinstance(event, TrackAdded)][-1]
        async with asyncio.timeout(20):
            await newest.track.recv()


async def test_cameras_are_received_from_a_server_with_full_trickle(tmp_path: Path) -> None:
    async with (
        JanusServer(tmp_path, full_trickle=True) as server,
        record(server.room_url()) as recorder,
        JanusStudent(server.url, "Ada") as ada,
    ):
        assert await recorder.room.announce("A bot is here.") is True
        await ada.publish()
        added = await recorder.wait_for_kind(TrackAdded)
        async with asyncio.timeout(20):
            await added.track.recv()


async def test_an_h264_camera_is_received(tmp_path: Path) -> None:
    async with (
        JanusServer(tmp_path, videocodec="h264,vp8") as server,
        record(server.room_url()) as recorder,
        JanusStudent(server.url, "Ada") as ada,
    ):
        await ada.publish("video/H264")
        added = await recorder.wait_for_kind(TrackAdded)
        async with asyncio.timeout(20):
            assert (await added.track.recv()).luma().shape == (HEIGHT, WIDTH)


async def test_no_camera_is_received_where_face_analysis_is_prohibited(server: JanusServer) -> None:
    settings = Settings(webrtc=FAST_SETTINGS.webrtc, privacy=PrivacySettings(jurisdiction="eu-education"))
    async with record(server.room_url(), settings) as recorder, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        joined = await recorder.wait_for_kind(Joined)
        on = await recorder.wait_for(lambda event: event == Muted(joined.participant_id, False))
        await ada.unpublish()
        await recorder.wait_for(lambda event: event == Muted(joined.participant_id, True), on)
        assert not any(isinstance(event, TrackAdded) for event in recorder.events)
