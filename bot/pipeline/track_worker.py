"""One task for each track: samples frames, has other threads analyse them, and passes on observations.

A frame and its crops are released before the next sample.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

import av
import cv2
import structlog

from bot.frames import Undecodable
from bot.pipeline.observation import Observation, ReadingLimits, is_black, observe, observe_black, sight_of
from bot.pipeline.sampler import sample
from bot.tracks import TrackEnded, VideoTrack
from inference.arrays import Image
from inference.batcher import FaceAnalysis
from reports.summary.windows import NotAnalysed

_log = structlog.get_logger()


class ImageReader(Protocol):
    """Detects and classifies faces on threads of its own."""

    def submit(self, image: Image) -> Future[FaceAnalysis]:
        """Queue a (height, width) image."""
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
        track: The track of one participant.
        reader: Detects and classifies faces.
        samples_per_s: Frames analysed per second.
        limits: What a face needs to be analysed.
        began_s: When the class began, seconds of the event loop's clock.
        sink: Called with each observation and the time since its frame arrived, seconds.
    """
    clock = asyncio.get_running_loop().time
    failed_before = False
    try:
        async for frame in sample(track, samples_per_s):
            at_s = frame.at_s - began_s
            try:
                luma = frame.luma()
                if is_black(luma):
                    observation = observe_black(track.participant_id, at_s)
                else:
                    reading = await asyncio.wrap_future(reader.submit(luma))
                    observation = observe(track.participant_id, at_s, reading, limits)
                track.seen.note(sight_of(observation, luma), frame.at_s)
            except Undecodable:
                observation = Observation(track.participant_id, at_s, 0, None, NotAnalysed.UNDECODABLE)
            except (ValueError, ArithmeticError, RuntimeError, cv2.error, av.FFmpegError) as exc:
                # A frame that the models cannot read must not end the track or the class. The first failure
                # of a track is logged, the others are not.
                if not failed_before:
                    _log.warning("frames of a camera cannot be read", error=repr(exc))
                failed_before = True
                continue
            sink(observation, clock() - frame.at_s)
    except TrackEnded:
        return
