"""One task a track: sample, read off the event loop, hand on an observation.

Comes in: a track. Goes out: ``Observation``, by a callback. The frame and its crops live no longer than
one turn of the loop in here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

import av
import cv2
import structlog

from bot.pipeline.observation import Observation, ReadingLimits, black, is_black, observe
from bot.pipeline.sampler import sample
from bot.tracks import TrackEnded, VideoTrack
from inference.arrays import Image
from inference.batcher import FaceAnalysis

_log = structlog.get_logger()


class ImageReader(Protocol):
    """Reads pictures on threads of its own."""

    def submit(self, image: Image) -> Future[FaceAnalysis]:
        """Queue a (height, width) picture."""
        ...


async def observe_track(
    track: VideoTrack,
    reader: ImageReader,
    *,
    samples_per_s: float,
    limits: ReadingLimits,
    began_s: float,
    sink: Callable[[Observation, float], None],
) -> None:
    """Observe a track until it ends.

    Args:
        track: The camera.
        reader: Finds and reads faces.
        samples_per_s: Pictures looked at a second.
        limits: What a face must have to count.
        began_s: When the class began, monotonic seconds.
        sink: Given each observation and how long it took from the frame's arrival, seconds.
    """
    clock = asyncio.get_running_loop().time
    choked = False
    try:
        async for frame in sample(track, samples_per_s):
            at_s = frame.at_s - began_s
            try:
                luma = frame.luma()
                if is_black(luma):
                    observation = black(track.participant_id, at_s)
                else:
                    reading = await asyncio.wrap_future(reader.submit(luma))
                    observation = observe(track.participant_id, at_s, reading, limits)
            except (ValueError, ArithmeticError, RuntimeError, cv2.error, av.FFmpegError) as exc:
                # One picture the models choke on must not end the track, let alone the class; a
                # camera of such pictures is told of once.
                if not choked:
                    _log.warning("pictures of a camera cannot be read", error=repr(exc))
                choked = True
                continue
            sink(observation, clock() - frame.at_s)
    except TrackEnded:
        return
