"""Video tracks: the video of one participant. A track holds only its newest frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from bot.frames import RawFrame


class TrackEnded(Exception):
    """The track has ended; no more frames follow."""


class VideoTrack(Protocol):
    """The video of one participant.

    Attributes:
        track_id: Unique within the room.
        participant_id: The participant whose video it is.
    """

    @property
    def track_id(self) -> str: ...
    @property
    def participant_id(self) -> str: ...

    async def recv(self) -> RawFrame:
        """Wait for a frame; if several have arrived since the last call, return the newest.

        Raises:
            TrackEnded: no more frames follow.
        """
        ...


class LatestFrameTrack:
    """A ``VideoTrack`` that holds one frame: a newer frame replaces one that was not fetched.

    Attributes:
        track_id: Unique within the room.
        participant_id: The participant whose video it is.
    """

    def __init__(
        self, track_id: str, participant_id: str, on_frame: Callable[[RawFrame], None] | None = None
    ) -> None:
        """Create a track without a frame.

        Args:
            track_id: Unique within the room.
            participant_id: The participant whose video it is.
            on_frame: Called with every frame that is shown, also those that are never fetched.
        """
        self.track_id = track_id
        self.participant_id = participant_id
        self._on_frame = on_frame
        self._newest: RawFrame | None = None
        self._ended = False
        self._changed = asyncio.Event()

    async def recv(self) -> RawFrame:
        """Return the newest frame that was not fetched yet; wait for one if there is none.

        Raises:
            TrackEnded: no more frames follow.
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
        if self._ended:
            return
        self._newest = frame
        self._changed.set()
        if self._on_frame is not None:
            self._on_frame(frame)

    def clear(self) -> None:
        """Drop the frame that was not fetched yet."""
        self._newest = None

    def end(self) -> None:
        """End the track: ``recv`` raises ``TrackEnded`` from now on."""
        self._ended = True
        self._newest = None
        self._changed.set()
