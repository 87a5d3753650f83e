"""What a receiver tells and asks of the sender: reports, and lost packets until they are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from aiortc import RTCRtpCodecParameters
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import (
    RTCP_RTPFB_NACK,
    RtcpPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    RtpPacket,
)

from bot.config import WebrtcSettings
from bot.tracks import LatestFrameTrack
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.receiver import VideoReceiver
from bot.webrtc.stream import EXTRA_ROUND_TRIP_S, NACK_INTERVAL_S
from tests.bot.webrtc.fake_transport import Wire

VP8 = RTCRtpCodecParameters("video/VP8", 90000, payloadType=97)
SSRC = 0xC0FFEE
KEY = b"\x10" + b"\x00" * 3 + b"\x9d\x01\x2a" + b"\x00" * 20
FROM = ("192.0.2.1", 9)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire, loop = Wire(), asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as threads:
        options = ReceiveOptions(WebrtcSettings(), threads)
        receiver = VideoReceiver(wire, 1, options, loop.time)  # type: ignore[arg-type]
        receiver.add_stream(LatestFrameTrack("t", "p"))
        await receiver.receive(RTCRtpReceiveParameters([VP8]))
        yield wire
        await receiver.stop()


def give(wire: Wire, sequence: int) -> None:
    """A packet comes."""
    packet = RtpPacket(97, 0, sequence, 3000, SSRC, KEY if sequence == 0 else b"\x00" * 9)
    wire.datagram_received(packet.serialize(), FROM)


def report_of_the_sender() -> bytes:
    info = RtcpSenderInfo(ntp_timestamp=0x1234_5678_0000, rtp_timestamp=3000, packet_count=1, octet_count=9)
    return bytes(RtcpSrPacket(SSRC, info, []))


def reports(wire: Wire) -> list[RtcpRrPacket]:
    return [one for data, _ in wire.sent for one in RtcpPacket.parse(data) if isinstance(one, RtcpRrPacket)]


def asked_for(wire: Wire) -> list[list[int]]:
    """Lost packets, by request."""
    requests = [
        one for data, _ in wire.sent for one in RtcpPacket.parse(data) if isinstance(one, RtcpRtpfbPacket)
    ]
    assert all((one.fmt, one.media_ssrc) == (RTCP_RTPFB_NACK, SSRC) for one in requests)
    return [one.lost for one in requests]


async def test_the_first_report_of_the_sender_is_answered_at_once(wire: Wire) -> None:
    give(wire, 0)
    wire.datagram_received(report_of_the_sender(), FROM)
    await asyncio.sleep(0)
    (report,) = reports(wire)
    assert report.reports[0].lsr == 0x1234_5678 & 0xFFFF_FFFF
    assert report.reports[0].dlsr == 0


async def test_the_sender_is_told_that_its_report_came_a_little_later_than_it_did(wire: Wire) -> None:
    """Janus takes now - lsr - dlsr for the way there and back, and less than a millisecond for none."""
    give(wire, 0)
    heard_s = time.monotonic()
    wire.datagram_received(report_of_the_sender(), FROM)
    await wire.until(lambda: len(reports(wire)) >= 2)
    assert 0 < reports(wire)[1].reports[0].dlsr / 65536 <= wire.sent[1][1] - heard_s - EXTRA_ROUND_TRIP_S


async def test_a_lost_packet_is_asked_for_again_while_nothing_else_comes(wire: Wire) -> None:
    give(wire, 0)
    give(wire, 2)
    await wire.until(lambda: len(asked_for(wire)) >= 3)
    assert asked_for(wire)[:3] == [[1]] * 3
    give(wire, 1)
    await asyncio.sleep(0)
    asked = len(asked_for(wire))
    await asyncio.sleep(3 * NACK_INTERVAL_S)
    assert len(asked_for(wire)) == asked


async def test_nothing_is_asked_for_twice_within_the_interval(wire: Wire) -> None:
    """Janus would pass over the second request, and count the time from it."""
    give(wire, 0)
    give(wire, 2)
    for sequence in range(3, 400):
        give(wire, sequence)
        await asyncio.sleep(0.001)
    requests = [(data, at_s) for data, at_s in wire.sent if data[1] == 205]
    assert len(requests) >= 3
    assert all(b - a >= 0.95 * NACK_INTERVAL_S for (_, a), (_, b) in pairwise(requests))


async def test_a_sender_who_stopped_is_asked_for_nothing_more(wire: Wire) -> None:
    give(wire, 0)
    give(wire, 2)
    async with asyncio.timeout(10):
        asked = -1
        while (now := len(asked_for(wire))) > asked:
            asked = now
            await asyncio.sleep(3 * NACK_INTERVAL_S)
    assert asked >= 2
