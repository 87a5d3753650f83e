"""One video stream of a connection: turns RTP packets into frames of a track, and requests what is missing.

``receiver`` passes it decrypted packets. The stream requests lost packets (NACK) and key frames (PLI), and
supplies its block of the receiver reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiortc.codecs import is_rtx
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
)

from bot.tracks import LatestFrameTrack
from bot.webrtc.decoding import FrameDecoder
from bot.webrtc.jitter_buffer import JitterBuffer
from bot.webrtc.lateness import Lateness
from bot.webrtc.packets import RtpHeader, extension, fragment
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.receive_statistics import ReceiveStatistics
from bot.webrtc.setup import ORIENTATION

NACK_INTERVAL_S: Final = 0.105
"""Janus ignores a second request for a packet within 200 ms; two intervals are just longer."""

SENDER_STOPPED_S: Final = 1.0
"""If no packet arrived for this long, the sender has stopped and lost packets are not requested."""

PLI_INTERVAL_S: Final = 0.5

EXTRA_ROUND_TRIP_S: Final = 0.002
"""Extra round-trip time reported so that Janus retransmits. Janus (1.1.2) stores no packets to retransmit
before it has measured a round trip of at least a millisecond; in a school's own network it never does."""

REPLACED_STREAM_S: Final = 2.0
"""For this long, late packets of a replaced stream are dropped."""

_RTX_HEADER_BYTES: Final = 2  # the original sequence number (RFC 4588)


class Ssrcs(NamedTuple):
    """The SSRCs of one stream, as an offer lists them.

    Attributes:
        media: SSRC of the video.
        rtx: SSRC of its retransmissions; None if there are none.
    """

    media: int
    rtx: int | None


class _Format(NamedTuple):
    """The meaning of a payload type.

    Attributes:
        codec: ``VP8`` or ``H264``.
        rtx: Whether it is a retransmission of such a packet.
    """

    codec: str
    rtx: bool


class VideoStream:
    """Receives one video stream.

    A stream that is bound to SSRCs accepts no others. An unbound one follows the sender: a packet with a new
    SSRC starts a new stream, and no frame of the old one is shown any more.

    Attributes:
        ssrcs: The SSRCs it is bound to; None if it is not bound.
        decoder: Decodes its frames.
        packets: Packets received so far.
    """

    def __init__(
        self,
        track: LatestFrameTrack,
        options: ReceiveOptions,
        own_ssrc: int,
        send: Callable[[AnyRtcpPacket], None],
        clock: Callable[[], float],
        ssrcs: Ssrcs | None = None,
    ) -> None:
        """Set up; no packet is accepted before ``set_parameters``.

        Args:
            track: Where frames are shown; it ends when the stream is closed.
            options: As for all cameras of the room.
            own_ssrc: Sender SSRC of the RTCP packets.
            send: Sends an RTCP packet.
            clock: Monotonic seconds.
            ssrcs: The SSRCs to bind to.
        """
        self.ssrcs = ssrcs
        self.packets = 0
        self.decoder = FrameDecoder(track, options, self._drop_to_key)
        self._own_ssrc, self._send, self._clock = own_ssrc, send, clock
        self._wanted_fps = options.wanted_fps
        self._formats: dict[int, _Format] = {}
        self._orientation: int | None = None  # identifier of the header extension
        self._ssrc: int | None = None  # of the video
        self._rtx_ssrc = None if ssrcs is None else ssrcs.rtx
        self._replaced: tuple[frozenset[int | None], float] = frozenset(), 0.0  # SSRCs, and until when
        self._statistics: ReceiveStatistics | None = None
        self._sender_report: tuple[int, float] | None = None  # middle of its NTP time; time of arrival
        self._buffer = JitterBuffer(options.wanted_fps)
        self._lateness = Lateness()
        self._key_requested_s = self._newest_packet_s = 0.0
        self._nack_timer: asyncio.TimerHandle | None = None

    @property
    def behind(self) -> bool:
        """Whether frames arrive so late that the connection should be replaced by a new one."""
        return self._lateness.behind

    def set_parameters(self, parameters: RTCRtpReceiveParameters) -> None:
        """Accept packets from now on, with the negotiated payload types and header extensions."""
        self._formats = _formats(parameters)
        numbers = (known.id for known in parameters.headerExtensions if known.uri == ORIENTATION)
        self._orientation = next(numbers, None)

    def on_rtp(self, header: RtpHeader, payload: bytes, packet: bytes, at_s: float) -> None:
        """Process a packet; a packet of another stream is dropped.

        Args:
            header: The packet's header.
            payload: The packet's payload.
            packet: The whole packet.
            at_s: Time of arrival, monotonic seconds.
        """
        known = self._formats.get(header.payload_type)
        if known is None:
            return
        sequence = header.sequence_number
        if known.rtx:
            if len(payload) <= _RTX_HEADER_BYTES or self._ssrc is None:
                return  # a bandwidth probe of the sender, or a retransmission before the first packet
            if header.ssrc != self._rtx_ssrc and not self._switch_rtx(header.ssrc):
                return
            sequence, payload = (
                int.from_bytes(payload[:_RTX_HEADER_BYTES], "big"),
                payload[_RTX_HEADER_BYTES:],
            )
        else:
            if header.ssrc != self._ssrc and not self._switch(header.ssrc):
                return
            if self._statistics is not None:
                self._statistics.add(sequence, header.timestamp, at_s)
        try:
            part = fragment(known.codec, sequence, header.timestamp, header.marker, payload)
        except ValueError:
            return  # a truncated payload counts as a lost packet
        if header.marker and self._orientation is not None and (data := extension(packet, self._orientation)):
            part = part._replace(rotation=data[0] & 3)
        for frame in self._buffer.add(part, at_s):
            self.decoder.push(known.codec, frame, fresh=self._lateness.is_fresh(frame.timestamp, frame.at_s))
        self.packets += 1
        self._newest_packet_s = at_s
        if self._nack_timer is None:
            self._request_missing()
        if self._buffer.awaiting_key and at_s - self._key_requested_s >= PLI_INTERVAL_S:
            self._key_requested_s = at_s
            self._send(RtcpPsfbPacket(RTCP_PSFB_PLI, self._own_ssrc, self._ssrc or 0))

    def on_sender_report(self, report: RtcpSrPacket, at_s: float) -> None:
        """Remember a sender report, which the next receiver report refers to."""
        if report.ssrc != self._ssrc:
            return
        first = self._sender_report is None
        self._sender_report = (report.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF, at_s
        if first and (block := self.report()) is not None:
            # Reply at once: Janus retransmits nothing before the first receiver report.
            self._send(RtcpRrPacket(self._own_ssrc, [block]))

    def report(self) -> RtcpReceiverInfo | None:
        """The stream's block of a receiver report; None before the first packet."""
        if self._statistics is None:
            return None
        last_sr, delay = 0, 0
        if self._sender_report is not None:
            last_sr, at_s = self._sender_report
            delay_s = max(0.0, self._clock() - at_s - EXTRA_ROUND_TRIP_S)
            delay = min(int(delay_s * 65536), 0xFFFFFFFF)
        return self._statistics.report(last_sr, delay)

    def close(self) -> None:
        """Stop requesting packets and decoding; the track ends."""
        if self._nack_timer is not None:
            self._nack_timer.cancel()
        self.decoder.close()

    def _switch(self, ssrc: int) -> bool:
        """Start receiving another SSRC; False if that is not allowed."""
        if self._is_foreign(ssrc):
            return False
        now_s = self._clock()
        # A stream begins with a key frame: request one only if it does not arrive.
        self._key_requested_s = now_s
        if self._ssrc is not None:
            self._replaced = frozenset((self._ssrc, self._rtx_ssrc)), now_s + REPLACED_STREAM_S
            self._rtx_ssrc = None
            self.decoder.restart()
            self._key_requested_s = float("-inf")
        self._ssrc = ssrc
        self._statistics = ReceiveStatistics(ssrc)
        self._sender_report = None
        self._buffer = JitterBuffer(self._wanted_fps)
        self._lateness = Lateness()
        return True

    def _switch_rtx(self, ssrc: int) -> bool:
        """Accept retransmissions from another SSRC; False if that is not allowed."""
        if self.ssrcs is not None or self._is_foreign(ssrc):
            return False
        self._rtx_ssrc = ssrc
        return True

    def _is_foreign(self, ssrc: int) -> bool:
        """Whether an SSRC belongs to another stream, or to one that was replaced recently."""
        if self.ssrcs is not None:
            return ssrc != self.ssrcs.media
        replaced, until_s = self._replaced
        return ssrc in replaced and self._clock() < until_s

    def _request_missing(self) -> None:
        """Request lost packets, and repeat that until they arrive, even if no other packet arrives."""
        if missing := self._buffer.missing():
            self._send(RtcpRtpfbPacket(RTCP_RTPFB_NACK, self._own_ssrc, self._ssrc or 0, sorted(missing)))
            self._nack_timer = asyncio.get_running_loop().call_later(NACK_INTERVAL_S, self._on_nack_timer)

    def _on_nack_timer(self) -> None:
        self._nack_timer = None
        if self._clock() - self._newest_packet_s < SENDER_STOPPED_S:
            self._request_missing()

    def _drop_to_key(self) -> None:
        self._buffer.drop_to_key()  # not bound in advance: the buffer is replaced with the stream


def _formats(parameters: RTCRtpReceiveParameters) -> dict[int, _Format]:
    codecs = {codec.payloadType: codec for codec in parameters.codecs if codec.payloadType is not None}
    formats = {}
    for number, codec in codecs.items():
        original: Any = codec.parameters.get("apt")  # payload type of the packets that RTX retransmits
        media = codecs.get(original) if is_rtx(codec) else codec
        if media is not None:
            formats[number] = _Format(media.name, is_rtx(codec))
    return formats
