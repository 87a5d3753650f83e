"""The camera of a drawn student: a video track whose pictures follow the story.

Comes in: a student's look and part. Goes out: I420 pictures at ``FPS`` to aiortc's VP8 encoder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from bot.demo.faces import Painter
from bot.demo.story import StudentStory

FPS: Final = 10

_CLOCK_HZ: Final = 90_000


class DrawnCamera(MediaStreamTrack):
    """Draws when it is asked, in a thread, no faster than ``FPS``; late pictures are skipped, not queued."""

    kind = "video"

    def __init__(
        self, painter: Painter, story: StudentStory, now_s: Callable[[], float], executor: Executor
    ) -> None:
        """Take what is drawn, and where.

        Args:
            painter: Draws the student; used by this camera only.
            story: The student's part.
            now_s: Seconds since the class began.
            executor: Where pictures are drawn.
        """
        super().__init__()
        self._painter = painter
        self._story = story
        self._now_s = now_s
        self._executor = executor
        self._start_s: float | None = None
        self._number = -1

    async def recv(self) -> av.VideoFrame:
        """The next picture, 320 x 180.

        Raises:
            MediaStreamError: the camera was stopped.
        """
        if self.readyState != "live":
            raise MediaStreamError
        if self._start_s is None:
            self._start_s = self._now_s()
        self._number = max(self._number + 1, int((self._now_s() - self._start_s) * FPS))
        due_s = self._start_s + self._number / FPS
        await asyncio.sleep(max(0.0, due_s - self._now_s()))
        frame = await asyncio.get_running_loop().run_in_executor(self._executor, self._draw, due_s)
        frame.pts = self._number * _CLOCK_HZ // FPS
        frame.time_base = Fraction(1, _CLOCK_HZ)
        return frame

    def _draw(self, at_s: float) -> av.VideoFrame:
        picture = self._painter.picture(self._story.expression(at_s), self._story.pose(at_s))
        planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")
