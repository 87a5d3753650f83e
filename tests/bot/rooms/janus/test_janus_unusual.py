"""Unusual rooms and participants of a real Janus: named rooms, moderators, screens, renamed students."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.rooms.common.names import BOT_NAME
from bot.rooms.contract import (
    Disconnected,
    Joined,
    Left,
    Muted,
    OptedOut,
    Reconnected,
    TrackAdded,
    TrackRemoved,
)
from tests.bot.rooms.janus.janus_rooms import record
from tests.cameras import SyntheticCamera, needs_network
from tests.janus_server import OPEN_ROOM, SECRET, JanusServer, needs_janus
from tests.janus_students import ChatStudent, JanusStudent
from tests.room_recorder import RoomRecorder

pytestmark = [pytest.mark.real_time, pytest.mark.slow, needs_janus, needs_network]

LONG_NAME = "Ada " * 500


async def next_frame(recorder: RoomRecorder, after: int = 0) -> tuple[TrackAdded, float]:
    """Wait for the next camera, and return its event and the median brightness of a frame."""
    added = await recorder.wait_for_kind(TrackAdded, after)
    async with asyncio.timeout(20):
        return added, float(np.median((await added.track.recv()).luma()))


@asynccontextmanager
async def with_camera(
    recorder: RoomRecorder, url: str, display: str | None
) -> AsyncIterator[tuple[JanusStudent, str]]:
    """Join a student with a camera; yield the student and their participant identifier."""
    mark = len(recorder.events)
    async with JanusStudent(url, display) as student:
        await student.publish()
        added = await recorder.wait_for_kind(TrackAdded, mark)
        yield student, added.track.participant_id


async def moderate(student: JanusStudent, mid: str, mute: bool) -> None:
    request = {"request": "moderate", "room": OPEN_ROOM, "secret": SECRET, "id": student.feed}
    await student.request({**request, "mid": mid, "mute": mute})


async def test_a_room_and_its_chat_are_joined_if_their_name_is_written_in_digits(tmp_path: Path) -> None:
    room = str(OPEN_ROOM)
    async with (
        JanusServer(tmp_path, string_ids=True) as server,
        record(server.room_url()) as recorder,
        JanusStudent(server.url, "Ada", room) as ada,
        ChatStudent(server.url, "Ada", room) as chat,
    ):
        assert isinstance(ada.feed, str)
        assert await recorder.room.announce("A bot is here.")
        await ada.publish()
        added, _ = await next_frame(recorder)
        await chat.next_message()
        await chat.send("/optout")
        assert await recorder.wait_for_kind(OptedOut) == OptedOut(added.track.participant_id)
        mark = len(recorder.events)
        await ada.leave()
        assert await recorder.wait_for_kind(Left, mark) == Left(added.track.participant_id)


@pytest.mark.parametrize(
    "room_options",
    [{"require_pvtid": True}, {"notify_joining": True}, {"pin": "a+b&c#d %ü🔑", "require_pvtid": True}],
)
async def test_cameras_are_received_in_a_room_with_special_options(
    server: JanusServer, room_options: dict[str, Any]
) -> None:
    room, pin = 4005, room_options.get("pin")
    query = "" if pin is None else "?pin=a+b%26c%23d%20%25%C3%BC🔑"
    async with (
        JanusStudent(server.url, "Ada", room, pin, room_options=room_options) as ada,
        record(server.room_url(room, query)) as recorder,
    ):
        await ada.publish()
        added, _ = await next_frame(recorder)
        assert Joined(added.track.participant_id, "Ada") in recorder.events
        async with JanusStudent(server.url, "Bea", room, pin):
            await recorder.wait_for(lambda event: isinstance(event, Joined) and event.name == "Bea")
        await recorder.wait_for_kind(Left)


async def test_a_camera_muted_by_a_moderator_counts_as_off_until_it_is_unmuted(
    server: JanusServer,
) -> None:
    async with (
        record(server.room_url()) as recorder,
        with_camera(recorder, server.url, "Ada") as (ada, participant_id),
    ):
        mark = len(recorder.events)
        await moderate(ada, "0", True)
        removed = await recorder.wait_for_kind(TrackRemoved, mark)
        assert removed.participant_id == participant_id
        assert Muted(participant_id, True) in recorder.events[mark:]
        async with record(
            server.room_url(query="?name=Late")
        ) as late:  # reads from the list that she is muted
            joined = await late.wait_for_kind(Joined)
            await late.wait_for(lambda event: event == Muted(joined.participant_id, True))
            assert not any(isinstance(event, Muted) and not event.muted for event in late.events)
            mark = len(recorder.events)
            await moderate(ada, "0", False)
            for one, after in ((recorder, mark), (late, 0)):
                added, _ = await next_frame(one, after)
                assert Muted(added.track.participant_id, False) in one.events[after:]


async def test_a_camera_is_received_rather_than_a_shared_screen(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, JanusStudent(server.url, "Ada", grey=70) as ada:
        await ada.publish(screen=SyntheticCamera(grey=220))
        added, grey = await next_frame(recorder)
        assert abs(grey - 70) < 12
        mark = len(recorder.events)
        await moderate(ada, "0", True)  # mutes the screen, not the camera
        await moderate(ada, "0", False)
        await asyncio.sleep(0.5)
        assert not recorder.events[mark:]
        await ada.leave()
        assert await recorder.wait_for_kind(Left) == Left(added.track.participant_id)


async def test_a_camera_republished_with_another_codec_is_received(tmp_path: Path) -> None:
    async with (
        JanusServer(tmp_path, videocodec="vp8,h264") as server,
        record(server.room_url()) as recorder,
        JanusStudent(server.url, "Ada") as ada,
    ):
        mark, participant_ids = 0, set()
        for codec in ("video/VP8", "video/H264", "video/VP8"):
            await ada.publish(codec)
            added, _ = await next_frame(recorder, mark)
            participant_ids.add(added.track.participant_id)
            mark = len(recorder.events)
            await ada.unpublish()
            await recorder.wait_for_kind(TrackRemoved, mark)
        assert len(participant_ids) == 1


async def test_a_renamed_student_stays_opted_out_under_both_names(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "Bea") as chat:
        await recorder.room.announce("A bot is here.")
        await chat.next_message()
        async with with_camera(recorder, server.url, "Ada") as (ada, participant_id):
            await ada.request({"request": "configure", "display": "Bea"})
            await chat.send("/optout")
            assert await recorder.wait_for_kind(OptedOut) == OptedOut(participant_id)
            await recorder.wait_for_track_end()
        for name in ("Ada", "Bea"):
            mark = len(recorder.events)
            async with JanusStudent(server.url, name):
                await recorder.wait_for(lambda event: event == OptedOut(participant_id), mark)
                assert Joined(participant_id, name) in recorder.events[mark:]


@pytest.mark.parametrize(
    ("camera_name", "chat_name", "reported_name"),
    [
        ("Zoë 👩\u200d🏫", unicodedata.normalize("NFD", "ZOË 👩\u200d🏫"), "Zoë 👩\u200d🏫"),
        (LONG_NAME, LONG_NAME, LONG_NAME[:200].strip()),
        ("Ａｄａ  B", "ada b", "Ａｄａ  B"),
    ],
)
async def test_opting_out_works_for_long_names_any_script_and_different_spellings(
    server: JanusServer, camera_name: str, chat_name: str, reported_name: str
) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, chat_name) as chat:
        await recorder.room.announce("A bot is here.")
        await chat.next_message()
        async with (
            with_camera(recorder, server.url, camera_name) as (_, first_id),
            with_camera(recorder, server.url, camera_name) as (_, second_id),
        ):
            assert second_id != first_id, "two students with the same name are kept apart"
            assert Joined(first_id, reported_name) in recorder.events
            await chat.send("/optout")
            for one in (first_id, second_id):
                await recorder.wait_for(lambda event, one=one: event == OptedOut(one))  # type: ignore[misc]


async def test_a_student_who_returns_at_once_keeps_the_identifier(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder:
        mark, participant_ids = 0, []
        for _ in range(3):
            async with with_camera(recorder, server.url, "Ada") as (_, participant_id):
                participant_ids.append(participant_id)
                await next_frame(recorder, mark)
                mark = len(recorder.events)
            assert await recorder.wait_for_kind(Left, mark) == Left(participant_id)
        assert len(set(participant_ids)) == 1


async def handle_count(server: JanusServer, session: int) -> int:
    return len((await server.administer({"janus": "list_handles", "session_id": session}))["handles"])


async def test_students_who_join_and_leave_leave_no_handle_or_task_behind(server: JanusServer) -> None:
    """The students leave while the bot is attaching, subscribing, connecting or receiving."""
    async with record(server.room_url()) as recorder:
        (session,) = (await server.administer({"janus": "list_sessions"}))["sessions"]
        assert await recorder.room.announce("A bot is here.")
        before = await handle_count(server, session)
        tasks = asyncio.all_tasks()

        async def join_and_leave(number: int) -> None:
            async with JanusStudent(server.url, f"Student {number}") as student:
                await student.publish()
                await student.wait_until_published()
                await asyncio.sleep(number * 0.05)

        await asyncio.gather(*(join_and_leave(number) for number in range(12)))
        wanted = 12
        while wanted > sum(isinstance(event, Left) for event in recorder.events):
            await recorder.wait_for_kind(Left, len(recorder.events))
        async with asyncio.timeout(20):
            for _ in range(200):
                if await handle_count(server, session) == before:
                    break
                await asyncio.sleep(0.1)
        assert await handle_count(server, session) == before
        left = {task.get_name() for task in asyncio.all_tasks() - tasks}
        assert not {name for name in left if name.startswith(("janus-camera", "janus-request", "peer"))}


async def handle_of(server: JanusServer, display: str) -> dict[str, int]:
    """Return the session and handle of the participant with this name, from the admin API."""
    for session in (await server.administer({"janus": "list_sessions"}))["sessions"]:
        for handle in (await server.administer({"janus": "list_handles", "session_id": session}))["handles"]:
            handle_ids = {"session_id": session, "handle_id": handle}
            info = await server.administer({"janus": "handle_info", **handle_ids})
            if info["info"].get("plugin_specific", {}).get("display") == display:
                return handle_ids
    raise AssertionError(f"{display} is not in the room")


async def test_the_bot_rejoins_after_the_server_detached_it(server: JanusServer) -> None:
    async with (
        record(server.room_url()) as recorder,
        with_camera(recorder, server.url, "Ada") as (ada, participant_id),
    ):
        mark = len(recorder.events)
        await server.administer({"janus": "detach_handle", **await handle_of(server, BOT_NAME)})
        lost = await recorder.wait_for_kind(Disconnected, mark)
        assert lost.reason == "The Janus server detached the bot: reconnecting."
        await recorder.wait_for_kind(Reconnected, mark)
        added, _ = await next_frame(recorder, mark)
        assert added.track.participant_id == participant_id
        joined_or_left = [event for event in recorder.events[mark:] if isinstance(event, Joined | Left)]
        assert joined_or_left == [Joined(participant_id, "Ada")]
        assert ada.feed


async def test_a_message_too_long_for_the_chat_fails_without_breaking_it(server: JanusServer) -> None:
    async with ChatStudent(server.url, "Ada") as ada, ChatStudent(server.url, "Bea") as bea:
        assert await ada.whisper("hello", "u" * 70_000) is False
        assert await ada.whisper("hello", bea.username) is True
        assert (await bea.next_message()).text == "hello"
