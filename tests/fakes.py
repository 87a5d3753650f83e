"""Fake rooms, cameras and face readers that follow the contracts of the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from types import TracebackType

import av
import numpy as np

from bot.frames import RawFrame
from bot.rooms.contract import OptedOut, Room, RoomError, RoomEvent
from bot.tracks import SteadySight, TrackEnded
from inference.arrays import Image
from inference.batcher import FaceAnalysis
from inference.detector import NO_FACES, Faces
from inference.emotions import EMOTIONS
from reports.summary.asks import Ask


def gray_frame(luma: Image) -> av.VideoFrame:
    """A frame whose Y plane is the given image."""
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")


def one_face(label: str, side: float = 80.0, share: float = 1.0, turned: bool = False) -> FaceAnalysis:
    """The analysis of one face with one expression, facing the camera or turned away."""
    probs = np.full((1, 7), (1 - share) / 6, np.float32)
    probs[0, EMOTIONS.index(label)] = share
    box = np.array([[10, 10, 10 + side, 10 + side]], np.float32)
    nose_x = 0.9 if turned else 0.5
    points = [[0.3, 0.4], [0.7, 0.4], [nose_x, 0.6], [0.5, 0.8], [0.1, 0.5], [0.9, 0.5]]
    landmarks = 10 + side * np.array([points], np.float32)
    return FaceAnalysis(Faces(box, np.ones(1, np.float32), landmarks, np.full(1, side, np.float32)), probs)


def no_face() -> FaceAnalysis:
    """The analysis of an image without a face."""
    return FaceAnalysis(NO_FACES, np.zeros((0, 7), np.float32))


class ScriptedReader:
    """Answers by brightness: the script maps the luma of an image to an analysis or an exception.

    Attributes:
        images: How many images were submitted.
    """

    def __init__(self, script: dict[int, FaceAnalysis | Exception]) -> None:
        self.script = script
        self.images = 0

    def submit(self, image: Image) -> Future[FaceAnalysis]:
        self.images += 1
        future: Future[FaceAnalysis] = Future()
        result = self.script[int(image[0, 0])]
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
        return future


class FakeTrack:
    """A camera that sends a frame of one brightness every few milliseconds."""

    def __init__(self, participant_id: str, level: int, interval_s: float = 0.01) -> None:
        self.participant_id = participant_id
        self.track_id = f"track-{participant_id}"
        self.level = level
        self.interval_s = interval_s
        self.ended = False
        self.received = 0
        self.seen = SteadySight()

    async def recv(self) -> RawFrame:
        await asyncio.sleep(self.interval_s)
        if self.ended:
            raise TrackEnded("over")
        self.received += 1
        frame = gray_frame(np.full((48, 64), self.level, np.uint8))
        return RawFrame(asyncio.get_running_loop().time(), frame)


class FakeRoom:
    """A room whose events a test emits.

    Attributes:
        announcements: Texts the bot announced.
        questions: What the host asked; None for each question that was closed.
        inside: Whether the bot is in the room.
    """

    def __init__(self, refuse: RoomError | None = None, announces: bool = True) -> None:
        self.code: str | None = "ABCD"
        self.public_url = "fake:room"
        self.key = f"fake:{id(self)}"
        self.synthetic = False
        self.refuse, self.announces = refuse, announces
        self.announcements: list[str] = []
        self.questions: list[Ask | None] = []
        self.inside = False
        self._events: asyncio.Queue[RoomEvent | RoomError | None] = asyncio.Queue()

    def emit(self, *events: RoomEvent | RoomError | None) -> None:
        """Queue events; None ends the class, an error is raised to the reader."""
        for event in events:
            self._events.put_nowait(event)

    async def __aenter__(self) -> Room:
        if self.refuse is not None:
            raise self.refuse
        self.inside = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.inside = False

    async def events(self) -> AsyncIterator[RoomEvent]:
        while (event := await self._events.get()) is not None:
            if isinstance(event, RoomError):
                raise event
            yield event

    async def announce(self, text: str) -> bool:
        self.announcements.append(text)
        return self.announces

    async def ask(self, question: Ask | None) -> bool:
        self.questions.append(question)
        return True

    async def leave_out(self, who: str) -> int:
        self.emit(OptedOut(who))
        return 1
