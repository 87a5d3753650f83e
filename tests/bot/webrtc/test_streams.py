"""Several streams on one connection: each packet reaches the stream that is bound to its SSRC, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiortc import RTCRtpCodecParameters
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSenderInfo, RtcpSrPacket, RtpPacket, wrap_rtx

from bot.config import WebrtcSettings
from bot.tracks import LatestFrameTrack, TrackEnded
from bot.webrtc.jitter_buffer import EncodedFrame
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.receiver import VideoReceiver
from bot.webrtc.stream import Ssrcs, VideoStream
from tests.bot.webrtc.fake_transport import FakeTransport

VP8 = RTCRtpCodecParameters("video/VP8", 90000, payloadType=97)
RTX = RTCRtpCodecParameters("video/rtx", 90000, payloadType=98, parameters={"apt": 97})
PARAMETERS = RTCRtpReceiveParameters([VP8, RTX])
OWN_SSRC = 1
ADA, BEA = Ssrcs(10, 11), Ssrcs(20, 21)


class Connection:
    """A receiver on a fake transport, and the frames that each of its streams passes to its decoder."""

    def __init__(self, receiver: VideoReceiver, transport: FakeTransport) -> None:
        self.receiver, self.transport = receiver, transport

    def add_stream(self, ssrcs: Ssrcs) -> tuple[VideoStream, list[bytes]]:
        stream = self.receiver.add_stream(LatestFrameTrack(str(ssrcs.media), "p"), ssrcs)
        stream.set_parameters(PARAMETERS)
        frames: list[bytes] = []

        def push(_codec: str, frame: EncodedFrame, *, fresh: bool = True) -> None:
            frames.append(frame.data)

        stream.decoder.push = push  # type: ignore[method-assign]
        return stream, frames

    def deliver(self, packet: RtpPacket) -> None:
        self.transport.datagram_received(packet.serialize(), ("192.0.2.1", 9))

    def deliver_sender_report(self, ssrc: int) -> None:
        info = RtcpSenderInfo(ntp_timestamp=ssrc << 16, rtp_timestamp=0, packet_count=1, octet_count=9)
        self.transport.datagram_received(bytes(RtcpSrPacket(ssrc, info, [])), ("192.0.2.1", 9))

    def reports(self) -> list[RtcpRrPacket]:
        packets = [packet for data, _ in self.transport.sent for packet in RtcpPacket.parse(data)]
        return [packet for packet in packets if isinstance(packet, RtcpRrPacket)]


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    transport, loop = FakeTransport(), asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as threads:
        options = ReceiveOptions(WebrtcSettings(), threads)
        receiver = VideoReceiver(transport, OWN_SSRC, options, loop.time)  # type: ignore[arg-type]
        await receiver.receive(PARAMETERS)
        yield Connection(receiver, transport)
        await receiver.stop()


def frame(ssrc: int, sequence: int, body: bytes = b"") -> RtpPacket:
    """A packet with a whole frame; number 0 is a key frame."""
    tag = b"\x10" if sequence == 0 else b"\x11"
    return RtpPacket(97, 1, sequence, sequence * 3000, ssrc, b"\x10" + tag + body)


def retransmission(original: RtpPacket, rtx_ssrc: int) -> RtpPacket:
    return wrap_rtx(original, payload_type=98, sequence_number=500, ssrc=rtx_ssrc)


async def test_packets_of_two_ssrcs_reach_their_own_streams(connection: Connection) -> None:
    _, of_ada = connection.add_stream(ADA)
    _, of_bea = connection.add_stream(BEA)
    for sequence in range(3):
        connection.deliver(frame(ADA.media, sequence, b"ada"))
        connection.deliver(frame(BEA.media, sequence, b"bea"))
    assert of_ada == [b"\x10ada", b"\x11ada", b"\x11ada"]
    assert of_bea == [b"\x10bea", b"\x11bea", b"\x11bea"]


async def test_a_retransmission_reaches_the_stream_of_its_rtx_ssrc(connection: Connection) -> None:
    _, of_ada = connection.add_stream(ADA)
    _, of_bea = connection.add_stream(BEA)
    for ssrcs in (ADA, BEA):
        for sequence in (0, 2):  # 1 is lost
            connection.deliver(frame(ssrcs.media, sequence))
    assert [len(of_ada), len(of_bea)] == [1, 1]
    connection.deliver(retransmission(frame(BEA.media, 1), BEA.rtx or 0))
    assert [len(of_ada), len(of_bea)] == [1, 3]


async def test_an_ssrc_that_no_stream_is_bound_to_is_dropped(connection: Connection) -> None:
    stream, frames = connection.add_stream(ADA)
    connection.deliver(frame(99, 0))
    connection.deliver(retransmission(frame(99, 1), 98))
    connection.deliver_sender_report(99)
    assert frames == []
    assert stream.report() is None


async def test_a_bound_stream_never_follows_another_ssrc(connection: Connection) -> None:
    """Test media with the SSRC of the retransmissions, and retransmissions with the SSRC of the media."""
    _, frames = connection.add_stream(ADA)
    connection.deliver(frame(ADA.rtx or 0, 0, b"foreign"))
    connection.deliver(frame(ADA.media, 0))
    connection.deliver(frame(ADA.media, 2))
    connection.deliver(retransmission(frame(ADA.media, 1), ADA.media))
    assert frames == [b"\x10"]


async def test_a_retransmission_before_the_first_packet_is_dropped(connection: Connection) -> None:
    """A server may probe for bandwidth with retransmissions of old packets."""
    _, frames = connection.add_stream(ADA)
    connection.deliver(retransmission(frame(ADA.media, 0), ADA.rtx or 0))
    assert frames == []


async def test_one_receiver_report_covers_all_streams(connection: Connection) -> None:
    for ssrcs in (ADA, BEA):
        connection.add_stream(ssrcs)
        connection.deliver(frame(ssrcs.media, 0))
    connection.deliver_sender_report(BEA.media)
    await connection.transport.until(lambda: len(connection.reports()) >= 2)
    at_once, periodic = connection.reports()[:2]
    assert [block.ssrc for block in at_once.reports] == [BEA.media]
    assert [(block.ssrc, block.lsr) for block in periodic.reports] == [(ADA.media, 0), (BEA.media, BEA.media)]
    assert {at_once.ssrc, periodic.ssrc} == {OWN_SSRC}


async def test_more_streams_than_a_report_can_hold_take_two_reports(connection: Connection) -> None:
    for ssrc in range(100, 133):
        connection.add_stream(Ssrcs(ssrc, None))
        connection.deliver(frame(ssrc, 0))
    await connection.transport.until(lambda: len(connection.reports()) >= 2)
    assert [len(report.reports) for report in connection.reports()[:2]] == [31, 2]


async def test_a_removed_stream_receives_nothing_and_its_track_ends(connection: Connection) -> None:
    track = LatestFrameTrack("ada", "p")
    stream = connection.receiver.add_stream(track, ADA)
    _, of_bea = connection.add_stream(BEA)
    connection.receiver.remove_stream(stream)
    connection.deliver(frame(ADA.media, 0))
    connection.deliver(frame(BEA.media, 0))
    assert stream.report() is None
    assert len(of_bea) == 1
    with pytest.raises(TrackEnded):
        await track.recv()


async def test_stopping_the_receiver_ends_all_tracks(connection: Connection) -> None:
    tracks = [LatestFrameTrack(str(number), "p") for number in range(2)]
    for track, ssrcs in zip(tracks, (ADA, BEA), strict=True):
        connection.receiver.add_stream(track, ssrcs)
    await connection.receiver.stop()
    for track in tracks:
        with pytest.raises(TrackEnded):
            await track.recv()
