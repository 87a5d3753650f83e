"""Video tracks: the video of one participant. A track holds only its newest frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

from bot.frames import RawFrame


class TrackEnded(Exception):
    """The track has ended; no more frames follow."""


class Sight(StrEnum):
    """What a camera shows. Only its owner is told; it is neither stored nor counted."""

    FINE = "fine"
    NO_FACE = "no_face"
    TOO_DARK = "too_dark"
    TOO_SMALL = "too_small"


class SteadySight:
    """What a camera has shown for a while, so that a turned head changes nothing.

    Attributes:
        sight: The last sight that held long enough; None before the first.
    """

    HOLD_S: Final = 2.0
    """How long a sight must hold, seconds."""

    def __init__(self) -> None:
        self.sight: Sight | None = None
        self._newest: Sight | None = None
        self._since_s = 0.0

    def note(self, sight: Sight, at_s: float) -> None:
        """Note what a frame that arrived at ``at_s``, monotonic seconds, showed."""
        if sight is not self._newest:
            self._newest, self._since_s = sight, at_s
        if at_s - self._since_s >= self.HOLD_S:
            self.sight = sight


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
    @property
    def seen(self) -> SteadySight:
        """What the analysed frames showed, for the owner of the camera."""
        ...

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
        seen: What the analysed frames showed, for the owner of the camera.
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
        self.seen = SteadySight()
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
