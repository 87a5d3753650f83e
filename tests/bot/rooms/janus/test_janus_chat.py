"""The chat beside a real Janus room: the notice, opting out; the host who leaves somebody out."""

import asyncio

import pytest

from bot.rooms.contract import Joined, Left, OptedOut, RoomDenied, TrackAdded
from bot.rooms.janus.adapter import DEFAULT_NAME, parse_address
from bot.rooms.janus.reconnect import ReconnectTimeouts
from bot.rooms.janus.room import JanusRoom
from tests.bot.rooms.janus.janus_rooms import FAST_SETTINGS, record
from tests.cameras import needs_network
from tests.janus_server import PIN, PIN_ROOM, SILENT_ROOM, JanusServer, needs_janus
from tests.janus_students import ChatStudent, JanusStudent
from tests.room_recorder import RoomRecorder

pytestmark = [pytest.mark.real_time, needs_janus, needs_network]


async def test_the_chat_hears_the_notice_and_those_who_come_later_too(server: JanusServer) -> None:
    url = server.room_url(PIN_ROOM, f"?pin={PIN}")
    async with ChatStudent(server.url, "Ada", PIN_ROOM, PIN) as ada, record(url) as recorder:
        assert await recorder.room.announce("A bot is here.") is True
        heard = await ada.hears()
        assert heard.display == DEFAULT_NAME
        assert heard.text == "A bot is here. To opt out, write /optout here."
        async with ChatStudent(server.url, "Bea", PIN_ROOM, PIN) as bea:
            assert (await bea.hears()).text == heard.text
        assert ada.heard.empty()


async def test_a_room_without_a_chat_cannot_be_told(server: JanusServer) -> None:
    async with record(server.room_url(SILENT_ROOM)) as recorder:
        assert await recorder.room.announce("A bot is here.") is False


@pytest.mark.parametrize("word", ["stop", " /OptOut "])
async def test_who_opts_out_by_chat_is_received_no_more_and_stays_out_after_a_reload(
    server: JanusServer, word: str
) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "ada") as chat:
        await recorder.room.announce("A bot is here.")
        await chat.hears()
        async with JanusStudent(server.url, "Ada") as ada, JanusStudent(server.url, "Bea") as bea:
            await ada.publish()
            added = await recorder.wait_for_kind(TrackAdded)
            pid = added.track.participant_id
            await chat.send("please stop talking")
            await chat.send(word)
            assert "You have opted out" in (await chat.hears()).text
            assert await recorder.wait_for_kind(OptedOut) == OptedOut(pid)
            await recorder.wait_for_track_end()
            mark = len(recorder.events)
            await ada.go()
            await recorder.wait_for(lambda event: event == Left(pid), mark)
        mark = len(recorder.events)
        async with JanusStudent(server.url, "Ada") as ada, JanusStudent(server.url, "Bea") as bea:
            await ada.publish()
            await bea.publish()
            bea_track = (await recorder.wait_for_kind(TrackAdded, mark)).track
            assert Joined(pid, "Ada") in recorder.events[mark:]
            assert OptedOut(pid) in recorder.events[mark:]
            assert bea_track.participant_id != pid


async def test_the_host_has_somebody_left_out_by_their_name_in_the_call(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        added = await recorder.wait_for_kind(TrackAdded)
        assert await recorder.room.leave_out("Bea") == 0
        assert await recorder.room.leave_out(" ada ") == 1
        assert await recorder.wait_for_kind(OptedOut) == OptedOut(added.track.participant_id)
        await recorder.wait_for_track_end()


async def test_an_opt_out_of_nobody_known_is_answered(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "Zoe") as chat:
        await recorder.room.announce("A bot is here.")
        await chat.hears()
        await chat.send("/optout")
        assert "no camera has your chat name" in (await chat.hears()).text
        assert not any(isinstance(event, OptedOut) for event in recorder.events)


def where_all_must_be_told(server: JanusServer, chat_s: float) -> RoomRecorder:
    address = parse_address(server.room_url())
    timeouts = ReconnectTimeouts(chat_s=chat_s)
    return RoomRecorder(
        JanusRoom(address, FAST_SETTINGS.webrtc, samples_per_s=2.0, must_announce=True, timeouts=timeouts)
    )


@pytest.mark.slow
async def test_where_all_must_be_told_nobody_new_is_looked_at_until_the_lost_chat_is_back(
    server: JanusServer,
) -> None:
    async with (
        where_all_must_be_told(server, 60.0) as recorder,
        ChatStudent(server.url, "Ada") as chat,
        JanusStudent(server.url, "Ada") as ada,
        JanusStudent(server.url, "Bea") as bea,
    ):
        assert await recorder.room.announce("A bot is here.")
        await ada.publish()
        first = await recorder.wait_for_kind(TrackAdded)
        mark = len(recorder.events)
        await chat.moderate("destroy")
        await asyncio.sleep(0.5)  # the bot has heard of it by then
        await bea.publish()
        await bea.published()
        await asyncio.sleep(2.0)
        assert not any(isinstance(event, TrackAdded) for event in recorder.events[mark:])
        await first.track.recv()  # who has been told is looked at as before
        await chat.moderate("create")
        second = await recorder.wait_for_kind(TrackAdded, mark)
        assert second.track.participant_id != first.track.participant_id


@pytest.mark.slow
async def test_where_all_must_be_told_a_chat_that_stays_away_ends_the_class(server: JanusServer) -> None:
    async with where_all_must_be_told(server, 1.0) as recorder, ChatStudent(server.url, "Ada") as chat:
        assert await recorder.room.announce("A bot is here.")
        await chat.moderate("destroy")
        error = await recorder.wait_for_error()
        assert isinstance(error, RoomDenied)
        assert str(error).startswith("the chat no longer reaches everybody, and ClassMood must")


@pytest.mark.slow
async def test_where_nobody_must_be_told_a_lost_chat_changes_nothing(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "Ada") as chat:
        assert await recorder.room.announce("A bot is here.")
        await chat.moderate("destroy")
        await asyncio.sleep(0.5)
        async with JanusStudent(server.url, "Bea") as bea:
            await bea.publish()
            await recorder.wait_for_kind(TrackAdded)
        assert recorder.error is None
