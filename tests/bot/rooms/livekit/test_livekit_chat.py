"""The notice, and opting out by each way, in a real LiveKit room."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.simulation.livekit_students import LiveKitStudents
from bot.rooms.common.chat_commands import HOW_TO_OPT_OUT, OPTED_OUT
from bot.rooms.contract import Joined, Notice, OptedOut, RoomDenied, TrackAdded, TrackRemoved
from bot.rooms.livekit.students import OPT_OUT_ATTRIBUTE
from tests.bot.rooms.livekit.livekit_rooms import ROOM, class_of, kinds, next_frame
from tests.cameras import needs_network
from tests.livekit_server import LiveKitServer, make_token, needs_livekit
from tests.room_recorder import RoomRecorder, wait_for_track_end

pytestmark = [pytest.mark.real_time, pytest.mark.slow, needs_network, needs_livekit]

NOTICE = f"The bot is here. {HOW_TO_OPT_OUT}"


async def texts_of(students: LiveKitStudents, student: int, count: int = 1) -> list[str]:
    heard: list[str] = []
    for _ in range(100):
        heard = await students.command("heard", student)
        if len(heard) >= count:
            break
        await asyncio.sleep(0.1)
    return heard


async def test_everybody_and_those_who_come_later_get_the_notice_once(livekit: LiveKitServer) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1)
        await recorder.wait_for_kind(TrackAdded)
        await asyncio.sleep(0.5)
        assert await recorder.room.announce("The bot is here.")
        assert await texts_of(students, 1) == [NOTICE]
        await students.join(2, publish=False)
        assert await texts_of(students, 2) == [NOTICE]
        await students.command("reload", 1)  # within a minute, the notice is not repeated
        await asyncio.sleep(2)
        assert await students.command("heard", 1) == [NOTICE]
        assert await students.command("heard", 2) == [NOTICE]


async def expect_opt_out(recorder: RoomRecorder, student: int) -> None:
    """The student's track ends, they are opted out, and the other student's track goes on."""
    joined = [event for event in recorder.events if isinstance(event, Joined)]
    (participant_id,) = [event.participant_id for event in joined if event.name == f"Student {student}"]
    await recorder.wait_for(lambda event: event == OptedOut(participant_id))
    tracks = [event.track for event in recorder.events if isinstance(event, TrackAdded)]
    for track in tracks:
        if track.participant_id == participant_id:
            await wait_for_track_end(track, within_s=2)
            assert TrackRemoved(track.track_id, participant_id) in recorder.events
        else:
            async with asyncio.timeout(5):
                await track.recv()
    assert len(kinds(recorder, OptedOut)) == 1


@pytest.mark.parametrize("way", ["chat", "long chat", "attribute", "permission", "host", "host by identity"])
async def test_each_way_to_opt_out_ends_the_analysis_of_that_student_only(
    livekit: LiveKitServer, way: str
) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1)
        await students.join(2)
        await recorder.wait_for(lambda _: len(kinds(recorder, TrackAdded)) == 2)
        match way:
            case "chat":
                await students.command("say", 1, {"text": "How are you?"})
                await students.command("say", 1, {"text": " /OptOut "})
            case "long chat":
                await students.command("say", 1, {"text": "/optout", "compress": False})
            case "attribute":
                await students.command("set_attributes", 1, {OPT_OUT_ATTRIBUTE: "yes"})
            case "permission":
                await students.command("forbid", 1)
            case "host":
                assert await recorder.room.leave_out("student 1") == 1
            case "host by identity":
                assert await recorder.room.leave_out("student-1") == 1
        await expect_opt_out(recorder, 1)
        if "chat" in way:
            assert await texts_of(students, 1) == [OPTED_OUT]
        at = len(recorder.events)
        await students.command("reload", 1)  # an opt-out survives it
        await asyncio.sleep(1.5)
        assert not any(isinstance(event, TrackAdded) for event in recorder.events[at:])
        if way == "chat":
            await students.command("leave", 1)
            await students.join(1)
            await recorder.wait_for(lambda event: isinstance(event, OptedOut), after=at)
            await asyncio.sleep(1)
            assert not any(isinstance(event, TrackAdded) for event in recorder.events[at:])


async def test_a_bot_that_may_not_write_tells_the_host(livekit: LiveKitServer) -> None:
    token = make_token(ROOM, "bot", canPublishData=False)
    async with class_of(livekit, f"?token={token}") as (recorder, students):
        await students.join(1)
        await next_frame(recorder)
        assert not await recorder.room.announce("The bot is here.")
        notice = await recorder.wait_for_kind(Notice)
        assert "canPublishData" in notice.text


async def test_losing_the_chat_ends_a_class_that_must_be_announced(livekit: LiveKitServer) -> None:
    token = make_token(ROOM, "bot")
    async with class_of(livekit, f"?token={token}", must_announce=True) as (recorder, students):
        await students.join(1)
        assert await recorder.room.announce("The bot is here.")
        permission = {"can_subscribe": True, "can_publish_data": False}
        await livekit.call("UpdateParticipant", room=ROOM, identity="bot", permission=permission)
        error = await recorder.wait_for_error(10)
        assert isinstance(error, RoomDenied)
        assert "canPublishData" in str(error)
