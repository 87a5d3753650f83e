"""The camera of a drawn student: frame size, format and rate, late requests, and stopping."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from bot.demo.camera import FPS, DrawnCamera
from bot.demo.faces import Painter
from bot.demo.looks import FaceLook
from bot.demo.story import tell_story


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def make_camera(executor: ThreadPoolExecutor) -> DrawnCamera:
    rng = np.random.default_rng(1)
    now_s = asyncio.get_running_loop().time
    return DrawnCamera(Painter(FaceLook.random(rng), rng), tell_story(1, 1)[0], now_s, executor)


async def test_frames_are_i420_with_320_by_180_pixels(executor: ThreadPoolExecutor) -> None:
    frame = await make_camera(executor).recv()
    assert (frame.width, frame.height, frame.format.name) == (320, 180, "yuv420p")
    assert frame.time_base == Fraction(1, 90_000)
    assert frame.to_ndarray().std() > 10


async def test_frames_arrive_at_the_frame_rate(executor: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    camera = make_camera(executor)
    start_s = loop.time()
    while True:
        timestamp = (await camera.recv()).pts
        elapsed_s = loop.time() - start_s
        assert timestamp % (90_000 // FPS) == 0
        assert timestamp / 90_000 <= elapsed_s + 1 / FPS
        if elapsed_s >= 0.5:
            break
    assert timestamp / 90_000 >= elapsed_s - 2 / FPS


async def test_frames_that_were_not_requested_in_time_are_skipped(executor: ThreadPoolExecutor) -> None:
    clock = asyncio.get_running_loop().time
    camera = make_camera(executor)
    first, first_at_s = await camera.recv(), clock()
    await asyncio.sleep(0.55)
    late = await camera.recv()
    skipped_s = (late.pts - first.pts) / 90_000
    assert 0.45 <= skipped_s <= clock() - first_at_s + 1 / FPS


async def test_a_stopped_camera_raises(executor: ThreadPoolExecutor) -> None:
    camera = make_camera(executor)
    await camera.recv()
    camera.stop()
    with pytest.raises(MediaStreamError):
        await camera.recv()
