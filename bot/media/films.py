"""Frames of video files as a player shows them: upright, with square pixels, over white, at rising times."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType

from bot.frames import RawFrame, over_white
from bot.media.kinds import MediaError

MAX_PIXELS: Final = 16384 * 8192
"""Largest frame, pixels."""

_DEFAULT_FPS: Final = 25
_PIXEL_ASPECTS: Final = (1 / 8, 8.0)
"""Other aspect ratios of pixels are taken for damage."""

_ALPHA_DECODERS: Final = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that read the transparency of a WebM file; FFmpeg's own ignore it."""

# By (axes swapped, columns reversed, rows reversed).
_ROTATIONS: Final = {
    (False, False, False): 0,
    (True, True, False): 1,
    (False, True, True): 2,
    (True, False, True): 3,
}


class Film:
    """A video file that is open.

    Attributes:
        stream: Its first video stream.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self.stream = stream
        self._container = container

    def frames(self) -> Iterator[RawFrame]:
        """Decode all frames, in the order in which they are shown.

        Raises:
            av.FFmpegError: the file is damaged.
        """
        times = _Times(self._container, self.stream)
        for frame in self._decode():
            rotation, mirrored = orientation(frame)
            yield RawFrame(
                times.of(frame), _over_white(frame), rotation, mirrored, _pixel_aspect(self.stream)
            )

    def _decode(self) -> Iterator[av.VideoFrame]:
        codec = self.stream.codec_context
        if codec.name not in _ALPHA_DECODERS or not _has_alpha(self.stream):
            yield from self._container.decode(self.stream)
            return
        decoder = cast(av.VideoCodecContext, av.CodecContext.create(_ALPHA_DECODERS[codec.name], "r"))
        decoder.options, decoder.thread_count = codec.options, codec.thread_count
        for packet in self._container.demux(self.stream):
            yield from decoder.decode(packet)


@contextmanager
def open_film(path: Path, *, threads: int | None = None) -> Iterator[Film]:
    """Open a video file.

    Args:
        path: The file.
        threads: Threads of the decoder; None leaves it to FFmpeg.

    Raises:
        MediaError: the file has no video stream, or none that can be decoded.
        av.FFmpegError: the file cannot be read.
    """
    # With "file:", because FFmpeg would take a name with a colon for a URL.
    with av.open(f"file:{path.resolve()}") as container:
        if not container.streams.video:
            raise MediaError(f"give a file with video: {path} has no video stream")
        stream = container.streams.video[0]
        # None if FFmpeg has no decoder, although the type annotation of PyAV does not say so.
        if getattr(stream, "codec_context", None) is None:
            raise MediaError(f"convert {path} to H264 or VP8 first: its codec is not supported")
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        if threads is not None:
            stream.thread_count = threads
        yield Film(container, stream)


def orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """How a frame is set upright, by the file's display matrix.

    Returns:
        Quarter turns clockwise, 0..3, and whether left and right are to be swapped after them.
    """
    try:
        matrix: SideData | None = frame.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    except ValueError:  # a frame with a kind of side data that PyAV does not know, for example EXIF
        return round(-frame.rotation / 90) % 4, False
    if matrix is None:
        return 0, False
    a, b, _, c, d = struct.unpack_from("=5i", memoryview(matrix))
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    columns, rows = (c < 0, b < 0) if swapped else (a < 0, d < 0)
    mirrored = (swapped + columns + rows) % 2 == 1
    return _ROTATIONS[swapped, columns != mirrored, rows], mirrored


class _Times:
    """The times of a film's frames: seconds since the first frame, rising."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        # AVI stores no presentation times: with B-frames, those that FFmpeg makes up go back and forth.
        self._decoding_times = container.format.name == "avi"
        self._time_base = stream.time_base
        self._interval_s = 1 / float(stream.average_rate or _DEFAULT_FPS)
        self._first_s: float | None = None
        self._last_s: float | None = None

    def of(self, frame: av.VideoFrame) -> float:
        at_s = self._stated_s(frame)
        if self._last_s is None:
            self._first_s, self._last_s = at_s, 0.0
            return 0.0
        if at_s is not None and self._first_s is None:
            self._first_s = at_s - self._last_s - self._interval_s
        since_s = None if at_s is None or self._first_s is None else at_s - self._first_s
        if since_s is None or since_s <= self._last_s:
            since_s = self._last_s + self._interval_s
        self._last_s = since_s
        return since_s

    def _stated_s(self, frame: av.VideoFrame) -> float | None:
        if self._decoding_times:
            base = frame.time_base or self._time_base
            return None if frame.dts is None or base is None else float(frame.dts * base)
        return frame.time


def _over_white(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame with transparent parts, as it looks on a white page; any other as it is."""
    if frame.format.name != "pal8" and not any(part.is_alpha for part in frame.format.components):
        return frame
    pixels = np.asarray(frame.to_ndarray(format="bgra"), np.uint8)
    flat = av.VideoFrame.from_ndarray(over_white(pixels), format="bgr24")
    flat.pts, flat.time_base = frame.pts, frame.time_base
    return flat


def _has_alpha(stream: av.VideoStream) -> bool:
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())


def _pixel_aspect(stream: av.VideoStream) -> float:
    """Width of a pixel over its height; the container's word counts more than the codec's."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    lowest, highest = _PIXEL_ASPECTS
    return float(aspect) if aspect and lowest <= aspect <= highest else 1.0
