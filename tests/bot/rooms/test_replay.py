"""Replay rooms: their URLs, and files with unusual timestamps or contents."""

from __future__ import annotations

import asyncio
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from bot.config import Settings
from bot.rooms.contract import Left, RoomUrlError, TrackAdded
from bot.rooms.registry import RoomContext
from bot.rooms.replay import Adapter
from bot.tracks import TrackEnded, VideoTrack


def write_video(path: Path, first_s: int, seconds: int = 1, fps: int = 10) -> None:
    """Write a video whose first frame has the timestamp ``first_s``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(seconds * fps):
            image = np.full((48, 64), 100 + number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = first_s * fps + number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("suffix", ["?once", "?once=2", "?once=1&once=1", "?twice=1", "/none"])
def test_an_invalid_room_url_is_refused(tmp_path: Path, suffix: str) -> None:
    write_video(tmp_path / "a.webm", 0)
    adapter = Adapter(RoomContext(Settings()))
    for url in (f"replay:{tmp_path}{suffix}", "replay:", "replay:~nobody-of-that-name"):
        with pytest.raises(RoomUrlError):
            adapter.open(url)
    assert adapter.open(f"replay:{tmp_path}?once=0").public_url.endswith("?once=0")


async def test_a_video_whose_timestamps_start_late_plays_in_real_time(tmp_path: Path) -> None:
    await asyncio.to_thread(write_video, tmp_path / "late.webm", 5)
    room = await asyncio.to_thread(Adapter(RoomContext(Settings())).open, f"replay:{tmp_path}?once=1")
    shown_s: list[float] = []

    async def watch(track: VideoTrack) -> None:
        try:
            while True:
                shown_s.append((await track.recv()).at_s)
        except TrackEnded:
            return

    began_s = asyncio.get_running_loop().time()
    async with room, asyncio.TaskGroup() as group:
        async for event in room.events():
            if isinstance(event, TrackAdded):
                group.create_task(watch(event.track))
    assert shown_s[-1] - began_s >= 0.9, "ten frames, a tenth of a second apart, were shown in a burst"


async def test_a_broken_file_leaves_the_room_and_the_others_keep_playing(tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "a.webm").write_bytes, b"not a video")
    await asyncio.to_thread(write_video, tmp_path / "b.webm", 0)
    room = await asyncio.to_thread(Adapter(RoomContext(Settings())).open, f"replay:{tmp_path}?once=1")
    async with room:
        left = [event.participant_id async for event in room.events() if isinstance(event, Left)]
    assert left == ["replay-0", "replay-1"]


async def test_photos_of_a_phone_and_hidden_files(tmp_path: Path) -> None:
    """A photo is shown upright by its EXIF orientation; the ``._`` file beside it takes no part."""
    exif = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 5, 0, 0)
    stored = np.full((48, 64, 3), 10, np.uint8)
    stored[:24, 32:] = 240
    kinds, blocks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif, np.uint8)]
    _, content = cv2.imencodeWithMetadata(".jpg", stored, kinds, blocks)
    await asyncio.to_thread((tmp_path / "photo.jfif").write_bytes, content.tobytes())
    await asyncio.to_thread((tmp_path / "._photo.jfif").write_bytes, b"\0\x05\x16\x07")
    room = await asyncio.to_thread(Adapter(RoomContext(Settings())).open, f"replay:{tmp_path}?once=1")
    shown: list[np.ndarray] = []
    async with room:
        async for event in room.events():
            if isinstance(event, TrackAdded):
                shown.append((await event.track.recv()).luma())
    (luma,) = shown
    assert np.abs(luma.astype(int) - stored[:, :, 0].T).mean() < 5


@pytest.mark.parametrize("path", ["x" * 300, "y/" * 3000, "with\0null"])
def test_a_path_that_the_file_system_refuses_is_one_error(path: str) -> None:
    with pytest.raises(RoomUrlError, match=r"(readable|existing) folder") as caught:
        Adapter(RoomContext(Settings())).open(f"replay:{path}")
    assert len(str(caught.value)) < 250
