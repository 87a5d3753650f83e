"""Decodes one camera on shared threads and keeps the newest picture only.

Comes in: encoded pictures in order. Goes out: ``CameraTrack``, whose ``recv`` gives the newest picture.
Pictures must all be decoded, since each builds on the one before; what nobody fetched is overwritten.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from fractions import Fraction
from typing import Final, Literal, NamedTuple

import av
import structlog

from bot.frames import RawFrame
from bot.tracks import LatestFrameTrack
from bot.webrtc.jitter_buffer import EncodedFrame

_log = structlog.get_logger()

MAX_BACKLOG: Final = 30
"""Encoded pictures that may wait for a thread; beyond it all are dropped up to the next key frame."""

MAX_PIXELS: Final = 4096 * 2304
"""Larger pictures are not decoded: a few kilobytes can ask for gigabytes of memory."""

_LIBRARIES: Final[dict[str, Literal["libvpx", "h264"]]] = {"VP8": "libvpx", "H264": "h264"}
_TIME_BASE: Final = Fraction(1, 90_000)
_VP8_START: Final = b"\x9d\x01\x2a"
_TIMER_EARLY_S: Final = 0.01
"""By how much a timer may fire before its time, generously."""


class CameraTrack(LatestFrameTrack):
    """A camera received by WebRTC.

    Attributes:
        on_dropped: Called with the number of encoded frames thrown away.
    """

    def __init__(
        self,
        track_id: str,
        participant_id: str,
        on_dropped: Callable[[int], None] = lambda _frames: None,
    ) -> None:
        """A camera without a frame yet; ``on_dropped`` is called with the number of frames thrown away."""
        super().__init__(track_id, participant_id)
        self.on_dropped = on_dropped


class _Waiting(NamedTuple):
    """A picture that waits for a thread.

    Attributes:
        stream: Number of the stream it belongs to.
        codec: ``VP8`` or ``H264``.
        picture: The picture.
        fresh: Whether it may be shown; an old one is only decoded.
    """

    stream: int
    codec: str
    picture: EncodedFrame
    fresh: bool


class FrameDecoder:
    """Decodes the pictures of one camera, in order, one at a time.

    What waits when a thread is free is decoded in one go, and only the newest of it is shown: threads are
    changed seldom, and a camera that has fallen behind catches up. Cameras that send more than is wanted are
    decoded at the same moments, one after the other, while what that takes is in the processor's caches.

    Attributes:
        shown: Pictures shown so far.
    """

    def __init__(
        self,
        track: CameraTrack,
        threads: Executor,
        on_trouble: Callable[[], None],
        wanted_fps: float | None = None,
    ) -> None:
        """Set up.

        Args:
            track: Where pictures go.
            threads: Where decoding runs.
            on_trouble: Called when pictures were lost and only a key frame can help.
            wanted_fps: Pictures a second there is use for; what comes faster is decoded several at a time.
        """
        self.shown = 0
        self._track, self._threads, self._on_trouble = track, threads, on_trouble
        self._waiting: deque[_Waiting] = deque()  # filled by the loop, emptied by the thread
        self._stream = 0
        self._busy = self._soon = False
        self._closed = False
        self._pace_s = 0.0 if wanted_fps is None else 1 / wanted_fps
        self._next_s = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        # This and the next are the thread's while it is busy.
        self._decoder: av.VideoCodecContext | None = None
        self._decodes: tuple[int, str] | None = None

    def push(self, codec: str, picture: EncodedFrame, *, fresh: bool = True) -> None:
        """Queue a picture; one that is not ``fresh`` is decoded, since others build on it, but not shown."""
        if len(self._waiting) >= MAX_BACKLOG:
            dropped = len(self._waiting) + (not picture.key)
            self._waiting.clear()
            self._track.on_dropped(dropped)
            if not picture.key:
                self._on_trouble()
                return
        self._waiting.append(_Waiting(self._stream, codec, picture, fresh))
        if not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._begin_soon)

    def restart(self) -> None:
        """Another stream begins: nothing of the one before is shown any more, and its decoder goes."""
        self._stream += 1
        self._waiting.clear()
        self._track.clear()

    def close(self) -> None:
        """Stop and drop what waits; a picture being decoded on a thread is not waited for."""
        self._closed = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        if not self._busy:
            self._decoder = None  # its memory goes now, not when the garbage collector comes round
        self._track.end()

    def _begin_soon(self) -> None:
        """A turn of the loop later: all cameras' packets are taken before the threads set to work."""
        self._soon = False
        self._begin()

    def _begin(self) -> None:
        if not self._waiting or self._busy or self._closed or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if now_s < self._next_s:
            self._timer = loop.call_at(self._next_s, self._on_timer)
            return
        if self._pace_s:
            self._next_s = ((now_s + _TIMER_EARLY_S) // self._pace_s + 1) * self._pace_s
        self._busy = True
        self._threads.submit(self._work, loop)

    def _on_timer(self) -> None:
        self._timer = None
        self._next_s = float("-inf")
        self._begin()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """On a thread: decode what waits."""
        stream, newest, failed = self._stream, None, False
        while not failed:
            try:
                waiting = self._waiting.popleft()
            except IndexError:
                break
            if waiting.stream != stream:
                stream, newest = waiting.stream, None
            try:
                frame = self._decode(waiting)
            except Exception as exc:  # noqa: BLE001  # a fault of ours must not freeze the camera either
                tell = _log.debug if isinstance(exc, av.FFmpegError) else _log.error
                tell("picture could not be decoded", error=type(exc).__name__)
                failed = True
                continue
            if frame is not None and waiting.fresh:
                newest = RawFrame(waiting.picture.at_s, frame, waiting.picture.turns)
        with suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
            loop.call_soon_threadsafe(self._done, stream, newest, failed)

    def _decode(self, waiting: _Waiting) -> av.VideoFrame | None:
        decodes = (waiting.stream, waiting.codec)
        if self._decoder is None or self._decodes != decodes:
            self._decoder, self._decodes = make_decoder(waiting.codec), decodes
        frames = _decode(self._decoder, waiting)
        return frames[-1] if frames else None

    def _done(self, stream: int, newest: RawFrame | None, failed: bool) -> None:
        """On the loop: show what the thread brings, and go on."""
        self._busy = False
        if self._closed:
            self._decoder = None
            return
        if stream == self._stream:
            if failed:
                dropped = 1
                while self._waiting and not self._waiting[0].picture.key:
                    self._waiting.popleft()
                    dropped += 1
                self._track.on_dropped(dropped)
                self._on_trouble()
            if newest is not None:
                self.shown += 1
                self._track.show(newest)
        self._begin()


def _decode(decoder: av.VideoCodecContext, waiting: _Waiting) -> list[av.VideoFrame]:
    data = waiting.picture.data
    if waiting.codec == "VP8" and _vp8_pixels(data) > MAX_PIXELS:
        raise av.InvalidDataError(errno.EINVAL, "the picture is too large")
    packet = av.Packet(data)
    packet.pts, packet.time_base = waiting.picture.timestamp, _TIME_BASE
    return decoder.decode(packet)


def _vp8_pixels(data: bytes) -> int:
    """Size of a VP8 key frame by its header (RFC 6386, 9.1), which libvpx believes; 0 of any other."""
    if len(data) < 10 or data[0] & 1 or data[3:6] != _VP8_START:
        return 0
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return (width & 0x3FFF) * (height & 0x3FFF)


def make_decoder(codec: str) -> av.VideoCodecContext:
    """A decoder for ``VP8`` or ``H264`` that starts no threads of its own: one a camera would be too many."""
    decoder = av.VideoCodecContext.create(_LIBRARIES[codec], "r")
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    return decoder
