"""The camera of a drawn student: a video track whose frames follow the student's story."""

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
    """Draws I420 frames on request, in a thread, at most ``FPS`` a second; late frames are skipped."""

    kind = "video"

    def __init__(
        self, painter: Painter, story: StudentStory, now_s: Callable[[], float], executor: Executor
    ) -> None:
        """Set up; frames are drawn when ``recv`` is called.

        Args:
            painter: Draws the student; no other camera may use it.
            story: What the student shows, and when.
            now_s: Returns the seconds since the class began.
            executor: Runs the drawing.
        """
        super().__init__()
        self._painter = painter
        self._story = story
        self._now_s = now_s
        self._executor = executor
        self._start_s: float | None = None
        self._frame_number = -1

    async def recv(self) -> av.VideoFrame:
        """The next frame, 320 x 180 pixels.

        Raises:
            MediaStreamError: the camera was stopped.
        """
        if self.readyState != "live":
            raise MediaStreamError
        if self._start_s is None:
            self._start_s = self._now_s()
        # The number follows the clock, so frames that were due earlier are skipped.
        self._frame_number = max(self._frame_number + 1, int((self._now_s() - self._start_s) * FPS))
        due_s = self._start_s + self._frame_number / FPS
        await asyncio.sleep(max(0.0, due_s - self._now_s()))
        frame = await asyncio.get_running_loop().run_in_executor(self._executor, self._draw, due_s)
        frame.pts = self._frame_number * _CLOCK_HZ // FPS
        frame.time_base = Fraction(1, _CLOCK_HZ)
        return frame

    def _draw(self, at_s: float) -> av.VideoFrame:
        bgr = self._painter.frame(self._story.expression(at_s), self._story.pose(at_s))
        planes = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")
