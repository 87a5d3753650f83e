"""Decodes the frames of one camera on shared threads and shows the newest one in a track.

Every frame must be decoded, since each builds on the one before; a frame that was not fetched in time is
replaced by the next.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Final, Literal, NamedTuple

import av
import structlog

from bot.frames import RawFrame
from bot.tracks import LatestFrameTrack
from bot.webrtc.jitter_buffer import EncodedFrame
from bot.webrtc.packets import CLOCK_HZ
from bot.webrtc.receive_options import ReceiveOptions

_log = structlog.get_logger()

MAX_BACKLOG: Final = 30
"""Encoded frames that may wait for a thread; beyond that all are dropped up to the next key frame."""

_LIBRARIES: Final[dict[str, Literal["libvpx", "h264"]]] = {"VP8": "libvpx", "H264": "h264"}
_TIME_BASE: Final = Fraction(1, CLOCK_HZ)
_VP8_START_CODE: Final = b"\x9d\x01\x2a"
_TIMER_EARLY_S: Final = 0.01
"""How early a timer may fire, at most."""


class _QueuedFrame(NamedTuple):
    """A frame that waits for a thread.

    Attributes:
        stream: Number of the stream it belongs to.
        codec: ``VP8`` or ``H264``.
        encoded: The frame.
        fresh: Whether it may be shown; an old frame is only decoded.
    """

    stream: int
    codec: str
    encoded: EncodedFrame
    fresh: bool


class FrameDecoder:
    """Decodes the frames of one camera, in order, one at a time.

    A free thread decodes all queued frames in one go and shows only the newest. So there are few thread
    switches, and a camera that has fallen behind catches up. If a frame rate is wanted, all cameras decode
    at the same times (multiples of the wanted interval), one after the other, which makes good use of the
    processor's caches.

    Attributes:
        decoded: Number of frames decoded so far, shown or not.
        shown: Number of frames shown so far.
    """

    def __init__(
        self, track: LatestFrameTrack, options: ReceiveOptions, on_frames_lost: Callable[[], None]
    ) -> None:
        """Set up.

        Args:
            track: Where decoded frames are shown.
            options: Threads, wanted frame rate, and who is notified of dropped frames.
            on_frames_lost: Called when frames were lost and decoding can continue only at a key frame.
        """
        self.decoded = self.shown = 0
        self._track, self._options, self._on_frames_lost = track, options, on_frames_lost
        self._queue: deque[_QueuedFrame] = deque()  # filled by the event loop, emptied by the thread
        self._stream = 0
        self._busy = self._scheduled = False
        self._closed = False
        self._interval_s = 0.0 if options.wanted_fps is None else 1 / options.wanted_fps
        self._next_s = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        # Only the thread uses these three while ``_busy`` is set.
        self._decoder: av.VideoCodecContext | None = None
        self._decoder_for: tuple[int, str] | None = None  # stream and codec
        self._pixels = 0  # of its frames

    def push(self, codec: str, frame: EncodedFrame, *, fresh: bool = True) -> None:
        """Queue a frame. One that is not ``fresh`` is decoded, since others depend on it, but not shown."""
        if len(self._queue) >= MAX_BACKLOG:
            dropped = len(self._queue) + (not frame.key)
            self._queue.clear()
            self._options.on_dropped(dropped)
            if not frame.key:
                self._on_frames_lost()
                return
        self._queue.append(_QueuedFrame(self._stream, codec, frame, fresh))
        if not self._scheduled:
            self._scheduled = True
            # One loop iteration later: the packets of all cameras are processed before decoding starts.
            asyncio.get_running_loop().call_soon(self._begin_scheduled)

    def restart(self) -> None:
        """Start a new stream with a new decoder; no frame of the old stream is shown any more."""
        self._stream += 1
        self._queue.clear()
        self._track.clear()

    def close(self) -> None:
        """Stop and drop queued frames; does not wait for a frame that a thread is decoding."""
        self._closed = True
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
        if not self._busy:
            self._free()
        self._track.end()

    def _begin_scheduled(self) -> None:
        self._scheduled = False
        self._begin()

    def _begin(self) -> None:
        if not self._queue or self._busy or self._closed or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if now_s < self._next_s:
            self._timer = loop.call_at(self._next_s, self._on_timer)
            return
        if self._interval_s:
            self._next_s = ((now_s + _TIMER_EARLY_S) // self._interval_s + 1) * self._interval_s
        self._busy = True
        self._options.threads.submit(self._decode_queued, loop)

    def _on_timer(self) -> None:
        self._timer = None
        self._next_s = float("-inf")
        self._begin()

    def _decode_queued(self, loop: asyncio.AbstractEventLoop) -> None:
        """Decode all queued frames; runs on a thread."""
        stream, newest, failed, decoded = self._stream, None, False, 0
        while not failed:
            try:
                queued = self._queue.popleft()
            except IndexError:
                break
            if queued.stream != stream:
                stream, newest = queued.stream, None
            try:
                av_frame = self._decode(queued)
            except Exception as exc:  # noqa: BLE001  # a programming error must not freeze the camera either
                log = _log.debug if isinstance(exc, av.FFmpegError) else _log.error
                log("frame could not be decoded", error=type(exc).__name__)
                failed = True
                continue
            decoded += av_frame is not None
            if av_frame is not None and queued.fresh:
                newest = RawFrame(queued.encoded.at_s, av_frame, queued.encoded.rotation)
        with suppress(RuntimeError):  # the loop is closed: the result is not needed any more
            loop.call_soon_threadsafe(self._on_decoded, stream, newest, decoded, failed)

    def _decode(self, queued: _QueuedFrame) -> av.VideoFrame | None:
        decoder_for, budget = (queued.stream, queued.codec), self._options.budget
        if self._decoder is None or self._decoder_for != decoder_for:
            self._decoder = make_decoder(queued.codec, budget.frame)
            self._decoder_for, self._pixels = decoder_for, 0
        if queued.codec == "VP8":  # libvpx allocates what the header says
            self._reserve(_vp8_pixels(queued.encoded.data))
        packet = av.Packet(queued.encoded.data)
        packet.pts, packet.time_base = queued.encoded.timestamp, _TIME_BASE
        av_frames = self._decoder.decode(packet)
        if not av_frames:
            return None
        self._reserve(av_frames[-1].width * av_frames[-1].height)
        return av_frames[-1]

    def _reserve(self, pixels: int) -> None:
        """Reserve a new frame size.

        Raises:
            InvalidDataError: the frame is too large, or the room has too many large ones.
        """
        if pixels in (0, self._pixels):
            return
        if not self._options.budget.reserve(self, pixels):
            self._decoder = None
            raise av.InvalidDataError(errno.EINVAL, "the frame is too large")
        self._pixels = pixels

    def _free(self) -> None:
        """Free the decoder's memory now, not at the next garbage collection."""
        self._decoder = None
        self._options.budget.release(self)

    def _on_decoded(self, stream: int, newest: RawFrame | None, decoded: int, failed: bool) -> None:
        """Show the frame that the thread decoded, and continue; runs on the event loop."""
        self._busy = False
        self.decoded += decoded
        if self._closed:
            self._free()
            return
        if stream == self._stream:
            if failed:
                dropped = 1
                while self._queue and not self._queue[0].encoded.key:
                    self._queue.popleft()
                    dropped += 1
                self._options.on_dropped(dropped)
                self._on_frames_lost()
            if newest is not None:
                self.shown += 1
                self._track.show(newest)
        self._begin()


def _vp8_pixels(data: bytes) -> int:
    """Pixels of a VP8 key frame by its header (RFC 6386, 9.1), which libvpx trusts; 0 for any other frame."""
    if len(data) < 10 or data[0] & 1 or data[3:6] != _VP8_START_CODE:
        return 0
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return (width & 0x3FFF) * (height & 0x3FFF)


def make_decoder(codec: str, max_pixels: int) -> av.VideoCodecContext:
    """Create a decoder for ``VP8`` or ``H264`` without own threads: they would add up over all cameras.

    Args:
        codec: The codec.
        max_pixels: Larger frames raise an error.
    """
    decoder = av.VideoCodecContext.create(_LIBRARIES[codec], "r")
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(max_pixels)}
    return decoder
