"""Refusals and ends of a real LiveKit room: each has its own error, and the right one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from benchmarks.simulation.livekit_students import LiveKitStudents
from bot.rooms.contract import (
    Disconnected,
    Joined,
    Left,
    OptedOut,
    Reconnected,
    RoomDenied,
    RoomEnded,
    RoomError,
    RoomRemoved,
    RoomUnavailable,
    TrackAdded,
)
from bot.rooms.livekit.presence import Patience
from bot.rooms.livekit.reconnect import ReconnectTimeouts
from tests.bot.rooms.livekit.livekit_rooms import ROOM, class_of, kinds, next_frame, open_room, shown_identity
from tests.cameras import needs_network
from tests.livekit_server import LiveKitServer, make_token, needs_livekit
from tests.room_recorder import RoomRecorder, unfinished_tasks

pytestmark = [pytest.mark.real_time, pytest.mark.slow, needs_network, needs_livekit]


async def refusal_of(server: LiveKitServer, query: str = "") -> RoomError:
    tasks = asyncio.all_tasks()
    room = await open_room(server, query)
    with pytest.raises(RoomError) as caught:
        await room.__aenter__()
    assert await unfinished_tasks(tasks, within_s=2) == []
    assert "ey" not in str(caught.value).replace("key", "")  # no token, which begins with ey
    return caught.value


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ({"secret": "another-secret-with-32-characters!!!"}, "secret"),
        ({"key": "unknown"}, "does not know this key"),
        ({"lifetime_s": -600}, "expired"),
        ({"roomJoin": False}, "does not let the bot in"),
        ({"hidden": True}, "visibly"),
        ({"canSubscribe": False}, "canSubscribe"),
    ],
)
async def test_a_token_that_does_not_suffice_says_why(
    livekit: LiveKitServer, token: dict[str, object], expected: str
) -> None:
    error = await refusal_of(livekit, f"?token={make_token(ROOM, 'bot', **token)}")  # type: ignore[arg-type]
    assert isinstance(error, RoomDenied)
    assert expected in str(error)


async def test_a_full_room(tmp_path: Path) -> None:
    server = LiveKitServer(tmp_path, max_participants=1)
    async with server, LiveKitStudents(server.url, ROOM) as students:
        await students.join(1, publish=False)
        error = await refusal_of(server)
    assert isinstance(error, RoomDenied)
    assert "full" in str(error)


async def test_a_room_that_does_not_exist(tmp_path: Path) -> None:
    async with LiveKitServer(tmp_path, auto_create=False) as server:
        error = await refusal_of(server)
    assert isinstance(error, RoomUnavailable)
    assert f"no room {ROOM}" in str(error)


async def test_no_server_and_another_server(tmp_path: Path, livekit: LiveKitServer) -> None:
    error = await refusal_of(LiveKitServer(tmp_path))
    assert isinstance(error, RoomUnavailable)
    assert "no LiveKit server answers" in str(error)


@pytest.mark.parametrize(
    ("way", "kind", "expected"),
    [
        ("removed", RoomRemoved, "moderator"),
        ("deleted", RoomEnded, "closed"),
        ("replaced", RoomRemoved, "somebody else joined with the bot's token"),
        ("blinded", RoomDenied, "canSubscribe"),
    ],
)
async def test_each_end_has_its_own_error(
    livekit: LiveKitServer, way: str, kind: type[RoomError], expected: str
) -> None:
    token = make_token(ROOM, "bot")
    async with class_of(livekit, f"?token={token}") as (recorder, students):
        await students.join(1, publish=False)
        await recorder.wait_for_kind(Joined)
        match way:
            case "removed":
                await livekit.call("RemoveParticipant", room=ROOM, identity="bot")
            case "deleted":
                await livekit.call("DeleteRoom", room=ROOM)
            case "replaced":
                await students.join(2, identity="bot", publish=False)
            case "blinded":
                permission = {"can_subscribe": False, "can_publish_data": True}
                await livekit.call("UpdateParticipant", room=ROOM, identity="bot", permission=permission)
        error = await recorder.wait_for_error(10)
        assert type(error) is kind
        assert expected in str(error)
        assert kinds(recorder, Disconnected) == []


async def test_a_bot_to_whom_nobody_comes_leaves(livekit: LiveKitServer) -> None:
    async with RoomRecorder(await open_room(livekit, patience=Patience(nobody_s=1.0))) as recorder:
        error = await recorder.wait_for_error(5)
    assert isinstance(error, RoomUnavailable)
    assert "nobody came" in str(error)


async def test_a_bot_that_is_left_alone_with_programs_leaves(livekit: LiveKitServer) -> None:
    async with class_of(livekit, patience=Patience(deserted_s=1.0)) as (recorder, students):
        await students.join(1, publish=False)
        await students.join(2, kind="agent", publish=False)
        await recorder.wait_for_kind(Joined)
        await students.command("leave", 1)
        error = await recorder.wait_for_error(8)
        assert isinstance(error, RoomEnded)
        assert len(kinds(recorder, Left)) == 1


@pytest.mark.parametrize("way", ["killed", "shut down", "frozen"])
async def test_after_a_loss_everybody_is_the_same_and_opt_outs_hold(livekit: LiveKitServer, way: str) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1)
        await students.join(2)
        await recorder.wait_for(lambda _: len(kinds(recorder, TrackAdded)) == 2)
        assert await recorder.room.leave_out("Student 2") == 1
        began_s, at = time.monotonic(), len(recorder.events)
        match way:
            case "killed":
                await livekit.kill()
            case "shut down":
                livekit.terminate()
                await asyncio.sleep(0.5)
                livekit.terminate()
            case "frozen":
                livekit.stop()
        await recorder.wait_for_kind(Disconnected, at, within_s=6)
        assert time.monotonic() - began_s < 6
        if way == "frozen":
            livekit.resume()
        else:
            await livekit.kill()
            await livekit.start()
        await recorder.wait_for_kind(Reconnected, at, within_s=20)
        if way == "shut down":  # LiveKit's library does not come back from it by itself
            await students.join(1)
            await students.join(2)
        assert await shown_identity(recorder, at) == 1
        assert len({event.participant_id for event in recorder.events if isinstance(event, Joined)}) == 2
        assert kinds(recorder, Left) == []
        added = {
            event.track.participant_id for event in recorder.events[at:] if isinstance(event, TrackAdded)
        }
        opted_out = {event.participant_id for event in recorder.events if isinstance(event, OptedOut)}
        assert not added & opted_out


async def test_students_who_do_not_come_back_have_left(livekit: LiveKitServer) -> None:
    room = await open_room(livekit)
    room._settings = room._settings.model_copy(update={"rejoin_s": 1.0})
    async with LiveKitStudents(livekit.url, ROOM) as students, RoomRecorder(room) as recorder:
        await students.join(1)
        await next_frame(recorder)
        await students.kill()
        await livekit.kill()
        await livekit.start()
        await recorder.wait_for_kind(Left)


async def test_a_server_that_does_not_come_back(livekit: LiveKitServer) -> None:
    async with class_of(livekit, timeouts=ReconnectTimeouts(server_s=1.0)) as (recorder, _):
        await livekit.kill()
        error = await recorder.wait_for_error(10)
        assert isinstance(error, RoomUnavailable)
        assert "did not come back" in str(error)
