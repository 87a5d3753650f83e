"""Video tracks: the camera of one participant, of which only the newest frame is kept."""

from __future__ import annotations

import asyncio
from typing import Protocol

from bot.frames import RawFrame


class TrackEnded(Exception):
    """A video track will give no more frames."""


class VideoTrack(Protocol):
    """The camera of one participant.

    Attributes:
        track_id: Unique within the room.
        participant_id: Whose camera it is.
    """

    @property
    def track_id(self) -> str: ...
    @property
    def participant_id(self) -> str: ...

    async def recv(self) -> RawFrame:
        """The next frame, the newest if several have come.

        Raises:
            TrackEnded: there will be none.
        """
        ...


class LatestFrameTrack:
    """A ``VideoTrack`` that keeps one frame: a newer frame replaces one that nobody has fetched.

    Attributes:
        track_id: Unique within the room.
        participant_id: Whose camera it is.
    """

    def __init__(self, track_id: str, participant_id: str) -> None:
        """A track without a frame yet."""
        self.track_id = track_id
        self.participant_id = participant_id
        self._newest: RawFrame | None = None
        self._ended = False
        self._changed = asyncio.Event()

    async def recv(self) -> RawFrame:
        """The newest frame not yet fetched; waits for one.

        Raises:
            TrackEnded: there will be no more frames.
        """
        while not self._ended:
            if self._newest is not None:
                frame, self._newest = self._newest, None
                return frame
            self._changed.clear()
            await self._changed.wait()
        raise TrackEnded("the track has ended")

    def show(self, frame: RawFrame) -> None:
        """Replace the newest frame; ignored after the end."""
        if not self._ended:
            self._newest = frame
            self._changed.set()

    def clear(self) -> None:
        """Drop the frame that nobody has fetched yet."""
        self._newest = None

    def end(self) -> None:
        """Give no more frames."""
        self._ended = True
        self._newest = None
        self._changed.set()
