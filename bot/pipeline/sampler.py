"""Takes a few frames per second from a track that delivers many.

A ``VideoTrack`` holds only its newest frame. Between samples the task sleeps and no frame is converted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from bot.frames import RawFrame
from bot.tracks import VideoTrack


async def sample(track: VideoTrack, samples_per_s: float) -> AsyncIterator[RawFrame]:
    """The newest frame of a track, at most ``samples_per_s`` times per second.

    A late sample (frames are rare, or the consumer is busy) delays the samples after it: there is no burst to
    catch up.

    Raises:
        TrackEnded: the track delivers no more frames.
    """
    interval_s = 1 / samples_per_s
    clock = asyncio.get_running_loop().time
    due_s = clock()
    while True:
        frame = await track.recv()
        due_s = max(due_s, clock()) + interval_s
        yield frame
        await asyncio.sleep(max(0.0, due_s - clock()))
