"""A hostile camera causes no exception and no growth in memory, and a good frame after it is shown."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc import RTCRtpCodecParameters
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import RtpPacket
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.config import WebrtcSettings
from bot.tracks import LatestFrameTrack
from bot.webrtc.decoding import MAX_BACKLOG, FrameDecoder
from bot.webrtc.jitter_buffer import EncodedFrame, JitterBuffer
from bot.webrtc.packets import fragment
from bot.webrtc.pixel_budget import FULL_HD
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.receiver import VideoReceiver
from tests.bot.webrtc.fake_transport import FakeTransport

pytestmark = pytest.mark.slow

VP8 = RTCRtpCodecParameters("video/VP8", 90000, payloadType=97)
H264 = RTCRtpCodecParameters("video/H264", 90000, payloadType=98)
RTX = RTCRtpCodecParameters("video/rtx", 90000, payloadType=99, parameters={"apt": 97})
GOOD_SSRC = 0xC0FFEE


@cache
def payloads(codec: str) -> list[bytes]:
    """The payloads of one good key frame."""
    image = np.random.default_rng(1).integers(0, 255, (144, 160), np.uint8)  # too large for one packet
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray").reformat(format="yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, 90000)
    encoder: Any = Vp8Encoder() if codec == "VP8" else H264Encoder()
    made, _ = encoder.encode(frame, force_keyframe=True)
    assert len(made) > 1
    return list(made)


def rtp(kind: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, last: bool = False) -> bytes:
    return RtpPacket(kind, int(last), sequence & 0xFFFF, timestamp, ssrc, payload).serialize()


def good_frame() -> list[bytes]:
    parts = payloads("VP8")
    return [
        rtp(97, number, 7, GOOD_SSRC, part, number == len(parts) - 1) for number, part in enumerate(parts)
    ]


async def receive(datagrams: list[bytes]) -> None:
    """Receive the datagrams, then a good frame, which must be shown."""
    loop = asyncio.get_running_loop()
    transport, camera = FakeTransport(), LatestFrameTrack("t", "p")
    with ThreadPoolExecutor(1) as threads:
        options = ReceiveOptions(WebrtcSettings(), threads, wanted_fps=4.0)
        receiver = VideoReceiver(transport, 1, options, loop.time)  # type: ignore[arg-type]
        receiver.add_stream(camera)
        await receiver.receive(RTCRtpReceiveParameters([VP8, H264, RTX]))
        for datagram in datagrams:
            transport.datagram_received(datagram, ("192.0.2.1", 9))
        await asyncio.sleep(0)
        camera.clear()
        for datagram in good_frame():
            transport.datagram_received(datagram, ("192.0.2.1", 9))
        async with asyncio.timeout(10):
            while (await camera.recv()).luma().shape != (144, 160):
                pass
        assert len(transport.sent) <= len(datagrams) + 5
        await receiver.stop()


def mangle(payload: bytes, at: int, noise: bytes, cut: int) -> bytes:
    at %= len(payload) + 1
    return payload[:at] + noise + payload[at + cut :]


MANGLED = st.builds(
    mangle,
    st.sampled_from([*payloads("VP8"), *payloads("H264")]),
    st.integers(0, 1300),
    st.binary(max_size=8),
    st.integers(0, 1300),
)
PACKETS = st.builds(
    rtp,
    st.sampled_from([97, 98, 99, 100]),
    st.one_of(st.integers(0, 40), st.integers(0, 0xFFFF)),
    st.one_of(st.integers(0, 3), st.integers(0, 0xFFFFFFFF)),
    st.integers(0, 2),
    st.one_of(MANGLED, st.binary(max_size=30)),
    st.booleans(),
)
RTCP = st.builds(
    lambda first, kind, body: bytes([first, kind]) + body,
    st.integers(128, 191),
    st.integers(192, 223),
    st.binary(max_size=60),
)
NOISE = st.builds(lambda first, rest: bytes([first]) + rest, st.integers(0, 255), st.binary(max_size=40))


@settings(max_examples=150)
@given(st.lists(st.one_of(PACKETS, PACKETS, RTCP, NOISE), max_size=40))
@example([b"", b"\x80", b"\x80\xc8", b"\x80\xc8\xff\xff", b"\xbf" + b"\x61" * 11])
@example([b"\x81\xca\x00\x06\x00\x00\x00\x01\x01\xff"])  # a truncated source description (SDES)
@example([rtp(97, 1, 1, 1, b"\x90"), rtp(97, 2, 1, 1, b"\x90\x80"), rtp(98, 3, 1, 1, b"\x7c")])
@example([rtp(98, number, 1, 1, bytes([0x7C, 0x85]) + b"x", True) for number in range(60)])
def test_a_good_frame_is_shown_whatever_was_received_before(datagrams: list[bytes]) -> None:
    asyncio.run(receive(datagrams))


@given(
    st.sampled_from(["VP8", "H264"]),
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF),
            st.integers(0, 5),
            st.booleans(),
            st.one_of(MANGLED, st.binary(max_size=6)),
        ),
        max_size=60,
    ),
)
def test_the_jitter_buffer_requests_a_limited_number_of_packets(
    codec: str, packets: list[tuple[int, int, bool, bytes]]
) -> None:
    buffer, now_s = JitterBuffer(4.0), 0.0
    for sequence, timestamp, last, payload in packets:
        now_s += 0.01
        try:
            part = fragment(codec, sequence, timestamp, last, payload)
        except ValueError:
            continue
        for frame in buffer.add(part, now_s):
            assert frame.data
        assert len(buffer.missing()) <= 128


def encode_square(codec: str, side: int) -> bytes:
    """Encode a frame of a single colour: few bytes, many pixels."""
    context: Any = av.CodecContext.create("libvpx" if codec == "VP8" else "libx264", "w")
    context.width = context.height = side
    context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 30)
    context.options = {"deadline": "realtime", "cpu-used": "8"} if codec == "VP8" else {"preset": "ultrafast"}
    frame = av.VideoFrame(side, side, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_frame_with_too_many_pixels_is_not_decoded(codec: str) -> None:
    key_requested = asyncio.Event()
    camera = LatestFrameTrack("t", "p")
    with ThreadPoolExecutor(1) as threads:
        decoder = FrameDecoder(camera, ReceiveOptions(WebrtcSettings(), threads), key_requested.set)
        assert FULL_HD < 3200 * 3200
        too_large = await asyncio.to_thread(encode_square, codec, 3200)
        decoder.push(codec, EncodedFrame(too_large, 1, True, 0.0), fresh=True)
        async with asyncio.timeout(10):
            await key_requested.wait()
        decoder.push(
            codec, EncodedFrame(await asyncio.to_thread(encode_square, codec, 64), 2, True, 0.0), fresh=True
        )
        async with asyncio.timeout(10):
            assert (await camera.recv()).luma().shape == (64, 64)
        assert decoder.shown == 1
        decoder.close()


def peak_memory_mib() -> int:
    """Peak virtual memory of this process, MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith("VmPeak:")]
    return int(line.split()[1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to read the memory figures")
def test_the_size_in_a_vp8_header_is_checked_before_libvpx_allocates_memory() -> None:
    """A frame of 16383 x 16383 pixels takes 400 MB, and libvpx keeps four."""
    header = b"\x10\x02\x00\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(2000)

    async def push() -> None:
        key_requested = asyncio.Event()
        with ThreadPoolExecutor(1) as threads:
            options = ReceiveOptions(WebrtcSettings(), threads)
            decoder = FrameDecoder(LatestFrameTrack("t", "p"), options, key_requested.set)
            for number in range(2 * MAX_BACKLOG):
                decoder.push("VP8", EncodedFrame(header, number, True, 0.0), fresh=True)
            async with asyncio.timeout(10):
                await key_requested.wait()
            decoder.close()

    before = peak_memory_mib()
    asyncio.run(push())
    assert peak_memory_mib() - before < 300
