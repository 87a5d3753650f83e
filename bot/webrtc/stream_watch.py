"""Watches one stream: whether it shows frames, is silent, cannot be decoded, or has fallen behind."""

from __future__ import annotations

import time
from enum import Enum

from bot.frames import RawFrame
from bot.tracks import LatestFrameTrack
from bot.webrtc.stream import VideoStream


class StreamHealth(Enum):
    """What a stream does.

    ``SILENT`` sends nothing. ``UNDECODABLE`` sends packets of which no frame can be made. ``BEHIND`` delivers
    its frames later and later.
    """

    SHOWING = "showing"
    SILENT = "silent"
    UNDECODABLE = "undecodable"
    BEHIND = "behind"


class StreamWatch:
    """Compares the counters of a stream from check to check."""

    def __init__(self, stream: VideoStream, track: LatestFrameTrack, timeout_s: float, now_s: float) -> None:
        """Start watching.

        Args:
            stream: The stream.
            track: Its track; learns of frames that cannot be decoded.
            timeout_s: How long a stream may show nothing, seconds.
            now_s: Now, seconds of any clock that ``check`` uses too.
        """
        self.stream = stream
        self._track, self._timeout_s = track, timeout_s
        self._shown, self._shown_s = stream.decoder.shown, now_s
        self._packets, self._decoded = stream.packets, stream.decoder.decoded

    def check(self, now_s: float) -> StreamHealth:
        """Check the stream; call it several times within the timeout."""
        if self.stream.behind:
            return StreamHealth.BEHIND
        count, packets = self.stream.decoder.shown, self.stream.packets
        arrived, self._packets = packets != self._packets, packets
        decoded, self._decoded = self.stream.decoder.decoded != self._decoded, self.stream.decoder.decoded
        if count != self._shown:
            self._shown, self._shown_s = count, now_s
        elif now_s - self._shown_s >= self._timeout_s:
            if not arrived or decoded:  # frames that are only too late to be shown are no fault of the codec
                return StreamHealth.SILENT
            self._track.show(RawFrame(time.monotonic(), None))
            return StreamHealth.UNDECODABLE
        return StreamHealth.SHOWING
