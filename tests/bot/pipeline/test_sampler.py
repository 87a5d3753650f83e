"""Sampling: the wanted rate, and no burst after a pause."""

import asyncio
from itertools import pairwise

import pytest

from bot.pipeline.sampler import sample
from bot.tracks import TrackEnded
from tests.fakes import FakeTrack


async def test_samples_are_not_more_frequent_than_the_wanted_rate() -> None:
    loop = asyncio.get_running_loop()
    times = []
    async for _ in sample(FakeTrack("a", 100, interval_s=0.005), 20.0):
        times.append(loop.time())
        if len(times) == 10:
            break
    assert all(later - earlier >= 0.04 for earlier, later in pairwise(times))
    assert 9 / 20 - 0.05 <= times[-1] - times[0] < 2  # late on a busy machine, but never early


async def test_a_slow_consumer_causes_no_burst_afterwards() -> None:
    loop = asyncio.get_running_loop()
    times = []
    async for _ in sample(FakeTrack("a", 100, interval_s=0.005), 20.0):
        times.append(loop.time())
        if len(times) == 2:
            await asyncio.sleep(0.3)
        if len(times) == 5:
            break
    assert times[2] - times[1] >= 0.3
    assert times[4] - times[2] >= 0.08


async def test_the_end_of_the_track_ends_the_samples() -> None:
    track = FakeTrack("a", 100)
    samples = sample(track, 50.0)
    await anext(samples)
    track.ended = True
    with pytest.raises(TrackEnded):
        await anext(samples)
