"""The RTCP that a receiver sends: receiver reports, and requests for lost packets until they arrive."""

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
from tests.bot.webrtc.fake_transport import FakeTransport

VP8 = RTCRtpCodecParameters("video/VP8", 90000, payloadType=97)
SSRC = 0xC0FFEE
KEY = b"\x10" + b"\x00" * 3 + b"\x9d\x01\x2a" + b"\x00" * 20
ADDRESS = ("192.0.2.1", 9)


@pytest.fixture
async def transport() -> AsyncIterator[FakeTransport]:
    """The transport of a receiver that receives one stream."""
    transport, loop = FakeTransport(), asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as threads:
        options = ReceiveOptions(WebrtcSettings(), threads)
        receiver = VideoReceiver(transport, 1, options, loop.time)  # type: ignore[arg-type]
        receiver.add_stream(LatestFrameTrack("t", "p"))
        await receiver.receive(RTCRtpReceiveParameters([VP8]))
        yield transport
        await receiver.stop()


def deliver(transport: FakeTransport, sequence: int) -> None:
    """Deliver a media packet to the receiver."""
    packet = RtpPacket(97, 0, sequence, 3000, SSRC, KEY if sequence == 0 else b"\x00" * 9)
    transport.datagram_received(packet.serialize(), ADDRESS)


def sender_report() -> bytes:
    info = RtcpSenderInfo(ntp_timestamp=0x1234_5678_0000, rtp_timestamp=3000, packet_count=1, octet_count=9)
    return bytes(RtcpSrPacket(SSRC, info, []))


def receiver_reports(transport: FakeTransport) -> list[RtcpRrPacket]:
    packets = [packet for data, _ in transport.sent for packet in RtcpPacket.parse(data)]
    return [packet for packet in packets if isinstance(packet, RtcpRrPacket)]


def nacks(transport: FakeTransport) -> list[list[int]]:
    """The packets that each NACK requested."""
    packets = [packet for data, _ in transport.sent for packet in RtcpPacket.parse(data)]
    requests = [packet for packet in packets if isinstance(packet, RtcpRtpfbPacket)]
    assert all((request.fmt, request.media_ssrc) == (RTCP_RTPFB_NACK, SSRC) for request in requests)
    return [request.lost for request in requests]


async def test_the_first_sender_report_is_answered_at_once(transport: FakeTransport) -> None:
    deliver(transport, 0)
    transport.datagram_received(sender_report(), ADDRESS)
    await asyncio.sleep(0)
    (report,) = receiver_reports(transport)
    assert report.reports[0].lsr == 0x1234_5678 & 0xFFFF_FFFF
    assert report.reports[0].dlsr == 0


async def test_the_reported_delay_is_shortened_by_the_extra_round_trip(transport: FakeTransport) -> None:
    """Janus computes the round trip as now - lsr - dlsr, and ignores one below a millisecond."""
    deliver(transport, 0)
    arrived_s = time.monotonic()
    transport.datagram_received(sender_report(), ADDRESS)
    await transport.until(lambda: len(receiver_reports(transport)) >= 2)
    delay_s = receiver_reports(transport)[1].reports[0].dlsr / 65536
    assert 0 < delay_s <= transport.sent[1][1] - arrived_s - EXTRA_ROUND_TRIP_S


async def test_a_lost_packet_is_requested_repeatedly_while_nothing_else_arrives(
    transport: FakeTransport,
) -> None:
    deliver(transport, 0)
    deliver(transport, 2)
    await transport.until(lambda: len(nacks(transport)) >= 3)
    assert nacks(transport)[:3] == [[1]] * 3
    deliver(transport, 1)
    await asyncio.sleep(0)
    count = len(nacks(transport))
    await asyncio.sleep(3 * NACK_INTERVAL_S)
    assert len(nacks(transport)) == count


async def test_requests_are_at_least_an_interval_apart(transport: FakeTransport) -> None:
    """Janus would ignore an earlier second request and count the time from that one."""
    deliver(transport, 0)
    deliver(transport, 2)
    for sequence in range(3, 400):
        deliver(transport, sequence)
        await asyncio.sleep(0.001)
    requests = [(data, at_s) for data, at_s in transport.sent if data[1] == 205]
    assert len(requests) >= 3
    assert all(b - a >= 0.95 * NACK_INTERVAL_S for (_, a), (_, b) in pairwise(requests))


async def test_a_sender_that_has_stopped_gets_no_more_requests(transport: FakeTransport) -> None:
    deliver(transport, 0)
    deliver(transport, 2)
    async with asyncio.timeout(10):
        count = -1
        while (now := len(nacks(transport))) > count:
            count = now
            await asyncio.sleep(3 * NACK_INTERVAL_S)
    assert count >= 2
