"""Rooms and people a real Janus allows and few classes have: named rooms, moderators, screens, renames."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
from bot.rooms.janus.adapter import DEFAULT_NAME
from tests.bot.rooms.janus.janus_rooms import record
from tests.cameras import SyntheticCamera, needs_network
from tests.janus_server import OPEN_ROOM, SECRET, JanusServer, needs_janus
from tests.janus_students import ChatStudent, JanusStudent
from tests.room_recorder import RoomRecorder

pytestmark = [pytest.mark.real_time, pytest.mark.slow, needs_janus, needs_network]

LONG_NAME = "Ada " * 500


async def picture(recorder: RoomRecorder, after: int = 0) -> tuple[TrackAdded, float]:
    """The next camera that can be received, and how bright its picture is."""
    added = await recorder.wait_for_kind(TrackAdded, after)
    async with asyncio.timeout(20):
        return added, float(np.median((await added.track.recv()).luma()))


@asynccontextmanager
async def named(
    recorder: RoomRecorder, url: str, display: str | None
) -> AsyncIterator[tuple[JanusStudent, str]]:
    """A student with a camera, and their identifier."""
    mark = len(recorder.events)
    async with JanusStudent(url, display) as student:
        await student.publish()
        added = await recorder.wait_for_kind(TrackAdded, mark)
        yield student, added.track.participant_id


async def moderate(student: JanusStudent, mid: str, mute: bool) -> None:
    request = {"request": "moderate", "room": OPEN_ROOM, "secret": SECRET, "id": student.feed}
    await student.ask({**request, "mid": mid, "mute": mute})


async def test_a_server_whose_rooms_have_names_of_digits_is_joined_with_its_chat(tmp_path: Path) -> None:
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
        added, _ = await picture(recorder)
        await chat.hears()
        await chat.send("/optout")
        assert await recorder.wait_for_kind(OptedOut) == OptedOut(added.track.participant_id)
        mark = len(recorder.events)
        await ada.go()
        assert await recorder.wait_for_kind(Left, mark) == Left(added.track.participant_id)


@pytest.mark.parametrize(
    "opens",
    [{"require_pvtid": True}, {"notify_joining": True}, {"pin": "a+b&c#d %ü🔑", "require_pvtid": True}],
)
async def test_a_room_of_its_own_kind_is_received_from(server: JanusServer, opens: dict[str, Any]) -> None:
    room, pin = 4005, opens.get("pin")
    query = "" if pin is None else "?pin=a+b%26c%23d%20%25%C3%BC🔑"
    async with (
        JanusStudent(server.url, "Ada", room, pin, opens=opens) as ada,
        record(server.room_url(room, query)) as recorder,
    ):
        await ada.publish()
        added, _ = await picture(recorder)
        assert Joined(added.track.participant_id, "Ada") in recorder.events
        async with JanusStudent(server.url, "Bea", room, pin):
            await recorder.wait_for(lambda event: isinstance(event, Joined) and event.name == "Bea")
        await recorder.wait_for_kind(Left)


async def test_a_camera_a_moderator_switches_off_counts_as_off_until_it_is_on_again(
    server: JanusServer,
) -> None:
    async with record(server.room_url()) as recorder, named(recorder, server.url, "Ada") as (ada, pid):
        mark = len(recorder.events)
        await moderate(ada, "0", True)
        removed = await recorder.wait_for_kind(TrackRemoved, mark)
        assert removed.participant_id == pid
        assert Muted(pid, True) in recorder.events[mark:]
        async with record(server.room_url(query="?name=Late")) as late:  # who comes now is told with the list
            joined = await late.wait_for_kind(Joined)
            await late.wait_for(lambda event: event == Muted(joined.participant_id, True))
            assert not any(isinstance(event, Muted) and not event.muted for event in late.events)
            mark = len(recorder.events)
            await moderate(ada, "0", False)
            for one, after in ((recorder, mark), (late, 0)):
                added, _ = await picture(one, after)
                assert Muted(added.track.participant_id, False) in one.events[after:]


async def test_the_camera_is_received_and_not_the_screen_beside_it(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, JanusStudent(server.url, "Ada", grey=70) as ada:
        await ada.publish(screen=SyntheticCamera(grey=220))
        added, grey = await picture(recorder)
        assert abs(grey - 70) < 12
        mark = len(recorder.events)
        await moderate(ada, "0", True)  # of the screen, which is nobody's camera
        await moderate(ada, "0", False)
        await asyncio.sleep(0.5)
        assert not recorder.events[mark:]
        await ada.go()
        assert await recorder.wait_for_kind(Left) == Left(added.track.participant_id)


async def test_a_camera_published_again_in_another_codec_is_received_again(tmp_path: Path) -> None:
    async with (
        JanusServer(tmp_path, videocodec="vp8,h264") as server,
        record(server.room_url()) as recorder,
        JanusStudent(server.url, "Ada") as ada,
    ):
        mark, people = 0, set()
        for codec in ("video/VP8", "video/H264", "video/VP8"):
            await ada.publish(codec)
            added, _ = await picture(recorder, mark)
            people.add(added.track.participant_id)
            mark = len(recorder.events)
            await ada.unpublish()
            await recorder.wait_for_kind(TrackRemoved, mark)
        assert len(people) == 1


async def test_who_takes_another_name_stays_left_out_under_either(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "Bea") as chat:
        await recorder.room.announce("A bot is here.")
        await chat.hears()
        async with named(recorder, server.url, "Ada") as (ada, pid):
            await ada.ask({"request": "configure", "display": "Bea"})
            await chat.send("/optout")
            assert await recorder.wait_for_kind(OptedOut) == OptedOut(pid)
            await recorder.wait_for_track_end()
        for name in ("Ada", "Bea"):
            mark = len(recorder.events)
            async with JanusStudent(server.url, name):
                await recorder.wait_for(lambda event: event == OptedOut(pid), mark)
                assert Joined(pid, name) in recorder.events[mark:]


@pytest.mark.parametrize(
    ("camera", "chat", "told"),
    [
        ("Zoë 👩\u200d🏫", unicodedata.normalize("NFD", "ZOË 👩\u200d🏫"), "Zoë 👩\u200d🏫"),
        (LONG_NAME, LONG_NAME, LONG_NAME[:200].strip()),
        ("Ａｄａ  B", "ada b", "Ａｄａ  B"),
    ],
)
async def test_names_of_any_script_and_length_opt_out_however_they_are_spelled(
    server: JanusServer, camera: str, chat: str, told: str
) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, chat) as talking:
        await recorder.room.announce("A bot is here.")
        await talking.hears()
        async with (
            named(recorder, server.url, camera) as (_, pid),
            named(recorder, server.url, camera) as two,
        ):
            assert two[1] != pid, "two of one name are two"
            assert Joined(pid, told) in recorder.events
            await talking.send("/optout")
            for one in (pid, two[1]):
                await recorder.wait_for(lambda event, one=one: event == OptedOut(one))  # type: ignore[misc]


async def test_who_goes_and_comes_back_at_once_is_the_same_and_received(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder:
        mark, pids = 0, []
        for _ in range(3):
            async with named(recorder, server.url, "Ada") as (_, pid):
                pids.append(pid)
                await picture(recorder, mark)
                mark = len(recorder.events)
            assert await recorder.wait_for_kind(Left, mark) == Left(pid)
        assert len(set(pids)) == 1


async def handles(server: JanusServer, session: int) -> int:
    return len((await server.administer({"janus": "list_handles", "session_id": session}))["handles"])


async def test_students_who_come_and_go_leave_nothing_behind(server: JanusServer) -> None:
    """Whatever the bot was about when they went: attaching, subscribing, connecting, receiving."""
    async with record(server.room_url()) as recorder:
        (session,) = (await server.administer({"janus": "list_sessions"}))["sessions"]
        assert await recorder.room.announce("A bot is here.")
        before = await handles(server, session)
        tasks = asyncio.all_tasks()

        async def come_and_go(number: int) -> None:
            async with JanusStudent(server.url, f"Student {number}") as student:
                await student.publish()
                await student.published()
                await asyncio.sleep(number * 0.05)

        await asyncio.gather(*(come_and_go(number) for number in range(12)))
        wanted = 12
        while wanted > sum(isinstance(event, Left) for event in recorder.events):
            await recorder.wait_for_kind(Left, len(recorder.events))
        async with asyncio.timeout(20):
            for _ in range(200):
                if await handles(server, session) == before:
                    break
                await asyncio.sleep(0.1)
        assert await handles(server, session) == before
        left = {task.get_name() for task in asyncio.all_tasks() - tasks}
        assert not {name for name in left if name.startswith(("janus-camera", "janus-request", "peer"))}


async def handle_of(server: JanusServer, display: str) -> dict[str, int]:
    """Where somebody of that name has joined, to whoever runs the server."""
    for session in (await server.administer({"janus": "list_sessions"}))["sessions"]:
        for handle in (await server.administer({"janus": "list_handles", "session_id": session}))["handles"]:
            where = {"session_id": session, "handle_id": handle}
            info = await server.administer({"janus": "handle_info", **where})
            if info["info"].get("plugin_specific", {}).get("display") == display:
                return where
    raise AssertionError("nobody of that name")


async def test_where_the_server_lets_go_of_the_bot_it_joins_again(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, named(recorder, server.url, "Ada") as (ada, pid):
        mark = len(recorder.events)
        await server.administer({"janus": "detach_handle", **await handle_of(server, DEFAULT_NAME)})
        lost = await recorder.wait_for_kind(Disconnected, mark)
        assert lost.reason == "The Janus server detached the bot: reconnecting."
        await recorder.wait_for_kind(Reconnected, mark)
        added, _ = await picture(recorder, mark)
        assert added.track.participant_id == pid
        again = [event for event in recorder.events[mark:] if isinstance(event, Joined | Left)]
        assert again == [Joined(pid, "Ada")]
        assert ada.feed


async def test_a_line_too_long_for_the_chat_is_not_passed_on_and_breaks_nothing(server: JanusServer) -> None:
    async with ChatStudent(server.url, "Ada") as ada, ChatStudent(server.url, "Bea") as bea:
        assert await ada.whisper("hello", "u" * 70_000) is False
        assert await ada.whisper("hello", bea.username) is True
        assert (await bea.hears()).text == "hello"
