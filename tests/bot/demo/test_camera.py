"""The drawn camera: size, format, pace, and what it does when asked late or stopped."""

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


def camera(executor: ThreadPoolExecutor) -> DrawnCamera:
    rng = np.random.default_rng(1)
    now_s = asyncio.get_running_loop().time
    return DrawnCamera(Painter(FaceLook.draw(rng), rng), tell_story(1, 1)[0], now_s, executor)


async def test_frames_are_small_i420_pictures(executor: ThreadPoolExecutor) -> None:
    frame = await camera(executor).recv()
    assert (frame.width, frame.height, frame.format.name) == (320, 180, "yuv420p")
    assert frame.time_base == Fraction(1, 90_000)
    assert frame.to_ndarray().std() > 10


async def test_frames_come_at_their_pace(executor: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    each = camera(executor)
    start_s = loop.time()
    stamps = [(await each.recv()).pts for _ in range(6)]
    assert stamps == [number * 90_000 // FPS for number in range(6)]
    assert 0.5 <= loop.time() - start_s < 1.0


async def test_pictures_missed_are_skipped(executor: ThreadPoolExecutor) -> None:
    clock = asyncio.get_running_loop().time
    each = camera(executor)
    first, began_s = await each.recv(), clock()
    await asyncio.sleep(0.55)
    late = await each.recv()
    skipped_s = (late.pts - first.pts) / 90_000
    assert 0.45 <= skipped_s <= clock() - began_s + 1 / FPS


async def test_a_stopped_camera_gives_nothing(executor: ThreadPoolExecutor) -> None:
    each = camera(executor)
    await each.recv()
    each.stop()
    with pytest.raises(MediaStreamError):
        await each.recv()
