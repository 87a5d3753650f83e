"""A real Chromium with LiveKit's own library publishes its camera; the bot receives it and is seen by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.rooms.common.chat_commands import HOW_TO_OPT_OUT, OPTED_OUT
from bot.rooms.common.names import BOT_NAME
from bot.rooms.contract import Muted, OptedOut, TrackAdded
from bot.tracks import VideoTrack
from tests.bot.rooms.livekit.livekit_rooms import ROOM, open_room
from tests.cameras import needs_network
from tests.contract.room_setups.replay import write_video
from tests.e2e.chromium import as_camera, needs_chromium
from tests.e2e.livekit_page import browser_student, needs_livekit_client
from tests.livekit_server import LiveKitServer, make_token, needs_livekit
from tests.room_recorder import RoomRecorder, wait_for_track_end

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium, needs_network, needs_livekit]


async def wait_for_small_frame(track: VideoTrack) -> None:
    """Wait for a frame of the smallest layer; at first, another one may come."""
    async with asyncio.timeout(20):
        luma = (await track.recv()).luma()
        while min(luma.shape) != 180:
            luma = (await track.recv()).luma()
    assert luma.max() > luma.min()


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
async def test_a_browser_s_camera_chat_and_opt_out(tmp_path: Path, codec: str) -> None:
    await asyncio.to_thread(needs_livekit_client)
    write_video(tmp_path / "clip.mp4")
    camera = await asyncio.to_thread(as_camera, tmp_path / "clip.mp4", tmp_path)
    async with (
        LiveKitServer(tmp_path) as server,
        browser_student(camera) as student,
        RoomRecorder(await open_room(server)) as recorder,
    ):
        assert await recorder.room.announce("Here.")
        await student.join(server.url, make_token(ROOM, "ada", name="Ada"), codec)
        track = (await recorder.wait_for_kind(TrackAdded)).track
        await wait_for_small_frame(track)
        assert await student.participants() == [BOT_NAME]  # visible
        await asyncio.sleep(2)
        notice = f"Here. {HOW_TO_OPT_OUT}"
        assert sorted(await student.heard()) == [["message", notice], ["stream", notice]]

        # A VP9 camera that was switched off and on again is not shown within 20 s: docs/rooms.md says so.
        if codec == "vp8":
            at = len(recorder.events)
            await student.enable(False)
            await recorder.wait_for(lambda event: event == Muted(track.participant_id, True), after=at)
            await student.enable(True)
            await recorder.wait_for(lambda event: event == Muted(track.participant_id, False), after=at)
            await track.recv()  # from before the pause, perhaps
            await wait_for_small_frame(track)

        await student.say("/optout")
        await recorder.wait_for_kind(OptedOut)
        await wait_for_track_end(track, within_s=2)
        await asyncio.sleep(1)
        assert ["stream", OPTED_OUT] in await student.heard()
