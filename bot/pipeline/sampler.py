"""A few frames a second out of a track that sends many.

Comes in: a ``VideoTrack``, which keeps only its newest frame. Goes out: that frame, at the sampling
rate. Between samples nothing is converted and nobody is woken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from bot.frames import RawFrame
from bot.tracks import VideoTrack


async def sample(track: VideoTrack, samples_per_s: float) -> AsyncIterator[RawFrame]:
    """The newest frame, at most so many times a second.

    A sample that comes late, because frames are rare or the reader is busy, moves the ones after it:
    samples never bunch up to catch up.

    Raises:
        TrackEnded: the track gives no more frames.
    """
    interval_s = 1 / samples_per_s
    clock = asyncio.get_running_loop().time
    due_s = clock()
    while True:
        frame = await track.recv()
        due_s = max(due_s, clock()) + interval_s
        yield frame
        await asyncio.sleep(max(0.0, due_s - clock()))
