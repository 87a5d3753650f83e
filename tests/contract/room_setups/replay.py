"""Setup of a replay room: a folder with one short video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from bot.rooms.registry import RoomAdapter

LENGTH_S, FPS = 4, 15


class RoomSetup:
    """One video that plays once: its participant joins with the bot and leaves after the last frame."""

    secret = ""

    def __init__(self, adapter: RoomAdapter, folder: Path) -> None:
        write_video(folder / "student.mp4")
        self.url = f"replay:{folder}?once=1"
        self.bad_urls = ("replay:", f"replay:{folder}/none", f"replay:{folder}?twice=1")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def participant_joins(self) -> None:
        """Nothing to do: the video plays as soon as the bot has joined."""

    async def participant_leaves(self) -> None:
        """Nothing to do: the video ends by itself."""


def write_video(path: Path, seconds: int = LENGTH_S) -> None:
    """Write a video of a light grey bar that moves over a grey background."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(seconds * FPS):
            image = np.full((96, 160), 128, np.uint8)
            image[:, number % 150 : number % 150 + 10] = 230
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
