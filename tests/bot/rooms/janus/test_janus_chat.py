"""The chat of a real Janus room: the notice, and opting out by the student or the host."""

import asyncio

import pytest

from bot.rooms.common.names import BOT_NAME
from bot.rooms.contract import Answered, Joined, Left, OptedOut, RoomDenied, TrackAdded
from bot.rooms.janus.adapter import parse_address
from bot.rooms.janus.reconnect import ReconnectTimeouts
from bot.rooms.janus.room import JanusRoom
from reports.summary.asks import ASK_S, USUAL_ANSWERS, Ask
from tests.bot.rooms.janus.janus_rooms import FAST_SETTINGS, record
from tests.cameras import needs_network
from tests.janus_server import PIN, PIN_ROOM, SILENT_ROOM, JanusServer, needs_janus
from tests.janus_students import ChatStudent, JanusStudent
from tests.room_recorder import RoomRecorder

pytestmark = [pytest.mark.real_time, needs_janus, needs_network]


async def test_the_chat_gets_the_notice_and_so_does_everybody_who_joins_later(server: JanusServer) -> None:
    url = server.room_url(PIN_ROOM, f"?pin={PIN}")
    async with ChatStudent(server.url, "Ada", PIN_ROOM, PIN) as ada, record(url) as recorder:
        assert await recorder.room.announce("A bot is here.") is True
        heard = await ada.next_message()
        assert heard.display == BOT_NAME
        assert heard.text == "A bot is here. To opt out, write /optout here."
        async with ChatStudent(server.url, "Bea", PIN_ROOM, PIN) as bea:
            assert (await bea.next_message()).text == heard.text
        assert ada.messages.empty()


async def test_announcing_fails_in_a_room_without_a_chat(server: JanusServer) -> None:
    async with record(server.room_url(SILENT_ROOM)) as recorder:
        assert await recorder.room.announce("A bot is here.") is False


@pytest.mark.parametrize("command", ["stop", " /OptOut "])
async def test_a_student_who_opts_out_by_chat_is_no_longer_received_even_after_a_reload(
    server: JanusServer, command: str
) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "ada") as chat:
        await recorder.room.announce("A bot is here.")
        await chat.next_message()
        async with JanusStudent(server.url, "Ada") as ada, JanusStudent(server.url, "Bea") as bea:
            await ada.publish()
            added = await recorder.wait_for_kind(TrackAdded)
            participant_id = added.track.participant_id
            await chat.send("please stop talking")
            await chat.send(command)
            assert "You have opted out" in (await chat.next_message()).text
            assert await recorder.wait_for_kind(OptedOut) == OptedOut(participant_id)
            await recorder.wait_for_track_end()
            mark = len(recorder.events)
            await ada.leave()
            await recorder.wait_for(lambda event: event == Left(participant_id), mark)
        mark = len(recorder.events)
        async with JanusStudent(server.url, "Ada") as ada, JanusStudent(server.url, "Bea") as bea:
            await ada.publish()
            await bea.publish()
            bea_track = (await recorder.wait_for_kind(TrackAdded, mark)).track
            assert Joined(participant_id, "Ada") in recorder.events[mark:]
            assert OptedOut(participant_id) in recorder.events[mark:]
            assert bea_track.participant_id != participant_id


async def test_the_host_opts_a_student_out_by_their_display_name(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        added = await recorder.wait_for_kind(TrackAdded)
        assert await recorder.room.leave_out("Bea") == 0
        assert await recorder.room.leave_out(" ada ") == 1
        assert await recorder.wait_for_kind(OptedOut) == OptedOut(added.track.participant_id)
        await recorder.wait_for_track_end()


async def test_an_opt_out_under_a_name_without_a_camera_gets_a_reply(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "Zoe") as chat:
        await recorder.room.announce("A bot is here.")
        await chat.next_message()
        await chat.send("/optout")
        assert "no camera has your chat name" in (await chat.next_message()).text
        assert not any(isinstance(event, OptedOut) for event in recorder.events)


def record_announcing(server: JanusServer, chat_s: float) -> RoomRecorder:
    address = parse_address(server.room_url())
    timeouts = ReconnectTimeouts(chat_s=chat_s)
    return RoomRecorder(
        JanusRoom(address, FAST_SETTINGS.webrtc, samples_per_s=2.0, must_announce=True, timeouts=timeouts)
    )


@pytest.mark.slow
async def test_with_required_announcement_no_new_camera_is_received_until_the_lost_chat_is_back(
    server: JanusServer,
) -> None:
    async with (
        record_announcing(server, 60.0) as recorder,
        ChatStudent(server.url, "Ada") as chat,
        JanusStudent(server.url, "Ada") as ada,
        JanusStudent(server.url, "Bea") as bea,
    ):
        assert await recorder.room.announce("A bot is here.")
        await ada.publish()
        first = await recorder.wait_for_kind(TrackAdded)
        mark = len(recorder.events)
        await chat.request("destroy")
        await asyncio.sleep(0.5)  # time for the bot to notice
        await bea.publish()
        await bea.wait_until_published()
        await asyncio.sleep(2.0)
        assert not any(isinstance(event, TrackAdded) for event in recorder.events[mark:])
        await first.track.recv()  # cameras of informed students are still received
        await chat.request("create")
        second = await recorder.wait_for_kind(TrackAdded, mark)
        assert second.track.participant_id != first.track.participant_id


@pytest.mark.slow
async def test_with_required_announcement_a_chat_that_stays_lost_ends_the_class(server: JanusServer) -> None:
    async with (
        record_announcing(server, 1.0) as recorder,
        ChatStudent(server.url, "Ada") as chat,
    ):
        assert await recorder.room.announce("A bot is here.")
        await chat.request("destroy")
        error = await recorder.wait_for_error()
        assert isinstance(error, RoomDenied)
        assert str(error).startswith("the chat no longer reaches everybody, and ClassMood must")


@pytest.mark.slow
async def test_without_required_announcement_a_lost_chat_changes_nothing(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "Ada") as chat:
        assert await recorder.room.announce("A bot is here.")
        await chat.request("destroy")
        await asyncio.sleep(0.5)
        async with JanusStudent(server.url, "Bea") as bea:
            await bea.publish()
            await recorder.wait_for_kind(TrackAdded)
        assert recorder.error is None


async def test_a_question_is_said_in_the_chat_and_answered_by_a_digit(server: JanusServer) -> None:
    question = Ask("a1", "c", 0.0, ASK_S, "", tuple(USUAL_ANSWERS), open=True)
    async with record(server.room_url()) as recorder, ChatStudent(server.url, "ada") as chat:
        async with JanusStudent(server.url, "Ada") as ada:
            await ada.publish()
            joined = await recorder.wait_for_kind(Joined)
            assert await recorder.room.ask(question) is True
            heard = (await chat.next_message()).text
            assert heard == "Are you with me? Answer with a digit: 1 with me, 2 lost, 3 too fast, 4 too slow."
            for message in ("I am lost", "22", "9", " 2 "):
                await chat.send(message)
            answered = await recorder.wait_for_kind(Answered)
            assert answered == Answered(joined.participant_id, 2, by_chat=True)
        assert [event for event in recorder.events if isinstance(event, Answered)] == [answered]
        assert await recorder.room.ask(None) is False


async def test_a_room_without_a_chat_cannot_ask(server: JanusServer) -> None:
    async with record(server.room_url(SILENT_ROOM)) as recorder:
        assert await recorder.room.ask(Ask("a1", "c", 0.0, ASK_S, "", tuple(USUAL_ANSWERS))) is False
