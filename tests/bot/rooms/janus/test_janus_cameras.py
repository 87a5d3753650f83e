"""Cameras in a Janus room that cannot be decoded or fall behind do not affect the others."""

import asyncio
from pathlib import Path

import av
import pytest

from bot.config import Settings, WebrtcSettings
from bot.rooms.contract import Joined, TrackAdded, TrackRemoved, UnsupportedCodec
from bot.rooms.janus.adapter import Adapter
from bot.rooms.registry import RoomContext
from tests.cameras import SyntheticCamera, needs_network
from tests.janus_server import JanusServer, needs_janus
from tests.janus_students import JanusStudent
from tests.room_recorder import RoomRecorder

pytestmark = [pytest.mark.real_time, needs_janus, needs_network, pytest.mark.slow]

SETTINGS = Settings(webrtc=WebrtcSettings(silence_timeout_s=5.0))


class LateCamera(SyntheticCamera):
    """A camera whose frames arrive ever later than their timestamps say."""

    def __init__(self) -> None:
        super().__init__()
        self.speed = 1.0
        self._timestamp_s = 0.0

    async def recv(self) -> av.VideoFrame:
        frame = await super().recv()
        self._timestamp_s += self.speed / 15
        frame.pts = int(self._timestamp_s * 90_000)
        return frame


async def test_h264_high_is_unsupported_and_does_not_affect_other_students(tmp_path: Path) -> None:
    async with (
        JanusServer(tmp_path, videocodec="h264,vp8") as server,
        RoomRecorder(Adapter(RoomContext(SETTINGS)).open(server.room_url())) as recorder,
        JanusStudent(server.url, "Ada") as ada,
        JanusStudent(server.url, "Bea") as bea,
    ):
        await ada.publish("video/H264")
        added = await recorder.wait_for_kind(TrackAdded)
        await bea.publish("video/H264", profile="640c1f")
        unsupported = await recorder.wait_for_kind(UnsupportedCodec)
        joined = {event.name: event.participant_id for event in recorder.events if isinstance(event, Joined)}
        assert unsupported == UnsupportedCodec(joined["Bea"], "H264")
        assert added.track.participant_id == joined["Ada"]
        async with asyncio.timeout(15):
            for _ in range(3):
                await added.track.recv()
        assert sum(isinstance(event, TrackAdded) for event in recorder.events) == 1


async def test_a_camera_that_falls_behind_gets_a_new_connection(tmp_path: Path) -> None:
    camera = LateCamera()
    async with (
        JanusServer(tmp_path) as server,
        RoomRecorder(Adapter(RoomContext(SETTINGS)).open(server.room_url())) as recorder,
        JanusStudent(server.url, "Ada") as ada,
    ):
        await ada.publish(track=camera)
        first = await recorder.wait_for_kind(TrackAdded)
        async with asyncio.timeout(15):
            await first.track.recv()
        mark, camera.speed = len(recorder.events), 0.3
        removed = await recorder.wait_for_kind(TrackRemoved, mark, within_s=30)
        assert removed.track_id == first.track.track_id
        camera.speed = 1.0
        again = await recorder.wait_for_kind(TrackAdded, mark, within_s=30)
        assert again.track.participant_id == first.track.participant_id
        async with asyncio.timeout(15):
            await again.track.recv()
