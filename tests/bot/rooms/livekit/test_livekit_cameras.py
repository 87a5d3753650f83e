"""Cameras in a real LiveKit room: each student is received, or one reason says why not."""

from __future__ import annotations

import asyncio

import pytest

from bot.rooms.contract import (
    EncryptedCamera,
    Joined,
    Left,
    Muted,
    TrackAdded,
    TrackRemoved,
    UnsupportedCodec,
)
from tests.bot.rooms.livekit.livekit_rooms import class_of, joined_names, kinds, next_frame, shown_identity
from tests.cameras import needs_network
from tests.livekit_server import LiveKitServer, needs_livekit
from tests.room_recorder import wait_for_track_end

pytestmark = [pytest.mark.real_time, pytest.mark.slow, needs_network, needs_livekit]


async def test_students_who_were_there_before_the_bot_are_received(livekit: LiveKitServer) -> None:
    from benchmarks.simulation.livekit_students import LiveKitStudents
    from tests.bot.rooms.livekit.livekit_rooms import ROOM, open_room
    from tests.room_recorder import RoomRecorder

    async with LiveKitStudents(livekit.url, ROOM) as students:
        await students.join(5)
        await students.join(6, publish=False)
        async with RoomRecorder(await open_room(livekit)) as recorder:
            assert await shown_identity(recorder) == 5
            assert sorted(map(str, joined_names(recorder))) == ["Student 5", "Student 6"]
            assert len(kinds(recorder, TrackAdded)) == 1
            off = [event for event in recorder.events if isinstance(event, Muted)]
            last = {event.participant_id: event.muted for event in off}
            assert sorted(last.values()) == [False, True]  # the student without a camera is off


async def test_a_muted_camera_is_off_and_sends_frames_again_when_it_is_on(livekit: LiveKitServer) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1)
        track = (await recorder.wait_for_kind(TrackAdded)).track
        await track.recv()
        await students.command("mute", 1)
        await recorder.wait_for(lambda event: isinstance(event, Muted) and event.muted, after=2)
        await asyncio.sleep(0.5)
        await_frame = asyncio.create_task(track.recv())
        await asyncio.wait([await_frame], timeout=2.5)
        # No frame while it is off: the server's black ones of 8 x 8 pixels are dropped.
        assert not await_frame.done() or min(await_frame.result().luma().shape) > 16
        at = len(recorder.events)
        await students.command("unmute", 1)
        await recorder.wait_for(lambda event: event == Muted(track.participant_id, False), after=at)
        async with asyncio.timeout(10):
            assert min((await await_frame).luma().shape) > 16
            assert min((await track.recv()).luma().shape) > 16
        assert len(kinds(recorder, TrackAdded)) == 1  # it was never requested again


async def test_a_camera_that_is_stopped_and_published_again_gets_a_new_track(livekit: LiveKitServer) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1)
        track = (await recorder.wait_for_kind(TrackAdded)).track
        await students.command("unpublish", 1)
        await recorder.wait_for(lambda event: event == TrackRemoved(track.track_id, track.participant_id))
        await wait_for_track_end(track)
        at = len(recorder.events)
        await students.command("publish", 1)
        assert await shown_identity(recorder, at) == 1
        assert kinds(recorder, Left) == []


async def test_a_reloaded_page_is_the_same_participant(livekit: LiveKitServer) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1)
        await next_frame(recorder)
        at = len(recorder.events)
        await students.command("reload", 1)
        assert await shown_identity(recorder, at) == 1
        assert len(kinds(recorder, Joined)) == 1
        assert kinds(recorder, Left) == []
        tracks = [event.track for event in recorder.events if isinstance(event, TrackAdded)]
        assert len({track.participant_id for track in tracks}) == 1


async def test_a_camera_that_freezes_is_requested_again_and_shown_when_it_is_back(
    livekit: LiveKitServer,
) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1)
        await next_frame(recorder)
        await students.command("freeze", 1)
        at = len(recorder.events)
        await recorder.wait_for_kind(TrackRemoved, at, within_s=8)
        assert all(not event.muted for event in recorder.events[at:] if isinstance(event, Muted))


async def test_h264_is_received(livekit: LiveKitServer) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(3, codec="H264")
        assert await shown_identity(recorder) == 3


async def test_a_layer_with_enough_lines_is_chosen(livekit: LiveKitServer) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(3, simulcast=True, size=(1280, 720))
        for _ in range(30):
            frame = await next_frame(recorder)
            if frame.av_frame is not None and frame.av_frame.height == 180:
                return
        raise AssertionError("the frames are larger than necessary")


async def test_encrypted_cameras_are_not_received_and_say_so(livekit: LiveKitServer) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1, passphrase="secret")
        encrypted = await recorder.wait_for_kind(EncryptedCamera)
        await students.join(2)
        track = (await recorder.wait_for_kind(TrackAdded)).track
        assert track.participant_id != encrypted.participant_id


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_a_codec_that_cannot_be_decoded_has_a_reason(livekit: LiveKitServer, codec: str) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1, codec=codec)
        await recorder.wait_for_kind(UnsupportedCodec)


async def test_screens_and_programs_are_not_looked_at(livekit: LiveKitServer) -> None:
    async with class_of(livekit) as (recorder, students):
        await students.join(1, source="SOURCE_SCREENSHARE")
        await students.join(2, kind="agent", name="Agent")
        await students.join(3, kind="egress", name="Recorder")
        await students.join(4, grants={"hidden": True}, publish=False)
        await students.join(5)
        assert await shown_identity(recorder) == 5
        assert joined_names(recorder) == ["Student 1", "Student 5"]
        assert len(kinds(recorder, TrackAdded)) == 1


async def test_with_faces_forbidden_no_camera_is_requested(livekit: LiveKitServer) -> None:
    async with class_of(livekit, receives=False) as (recorder, students):
        await students.join(1)
        await recorder.wait_for(lambda event: isinstance(event, Muted) and not event.muted)
        await asyncio.sleep(1)
        assert kinds(recorder, TrackAdded) == []
