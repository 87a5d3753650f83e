"""Stands in for aiortc's video receiver, which cannot bear loss, queues without bound and blocks.

Comes in: decrypted packets from ``Intake``. Goes out: pictures to a ``FrameDecoder``, and to
the sender receiver reports, requests for lost packets (NACK) and for key frames (PLI).

``RTCRtpReceiver`` of aiortc 1.16 freezes for 512 packets after a lost one, starts a thread for each
track, joins it on the event loop and keeps every picture nobody fetched. What aiortc needs of a receiver
(``receive``, ``stop``, ``transport``, ``track`` and the underscored ones) is kept here, no more.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final, NamedTuple

from aiortc import RTCDtlsTransport, RTCRtpCodecParameters, RTCRtpTransceiver
from aiortc.codecs import is_rtx
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
)

from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.decoding import CameraTrack, FrameDecoder
from bot.webrtc.intake import Intake
from bot.webrtc.jitter_buffer import JitterBuffer
from bot.webrtc.lateness import Lateness
from bot.webrtc.packets import RtpHeader, extension, fragment, parse_rtp
from bot.webrtc.receive_statistics import ReceiveStatistics
from bot.webrtc.setup import ORIENTATION

NACK_INTERVAL_S: Final = 0.105
"""Janus passes over what is asked for again within 200 ms; every second time is just beyond."""

STOPPED_S: Final = 1.0
"""A sender of whom nothing came for so long is asked for nothing."""

PLI_INTERVAL_S: Final = 0.5
FARTHER_S: Final = 0.002
"""By how much farther away than it is the sender is told we are. Janus (1.1.2) keeps nothing to send again
before it has measured a way of a millisecond or more there and back: in a school's own network, never."""

OLD_STREAM_S: Final = 2.0
"""For how long packets of a stream that was replaced may still come, and are dropped."""


class _Format(NamedTuple):
    """What a payload type means.

    Attributes:
        codec: ``VP8`` or ``H264``.
        clock_rate: Of its timestamps, Hz.
        again: Whether it is a retransmission of such a packet.
    """

    codec: str
    clock_rate: int
    again: bool


class VideoReceiver:
    """Receives one video stream of one connection.

    Attributes:
        transport: The connection's encrypted transport.
        decoder: Where pictures go.
    """

    def __init__(
        self,
        transport: RTCDtlsTransport,
        own_ssrc: int,
        camera: CameraTrack,
        threads: Executor,
        clock: Callable[[], float],
        wanted_fps: float | None = None,
        moments: BatchTicks | None = None,
    ) -> None:
        """Set up.

        Args:
            transport: The connection's.
            own_ssrc: What the reports are signed with.
            camera: Where pictures go; ended when the receiver stops.
            threads: Where decoding runs.
            clock: Monotonic seconds.
            wanted_fps: Pictures a second there is use for, where the stream lets some be left out.
            moments: When packets are taken; None for as they come.
        """
        self.transport = transport
        self.decoder = FrameDecoder(camera, threads, self._show_nothing_before_key, wanted_fps)
        self._track: Any = None  # set by aiortc
        self._enabled = True  # set by aiortc from the negotiated direction
        self._own_ssrc, self._clock, self._wanted_fps = own_ssrc, clock, wanted_fps
        self._formats: dict[int, _Format] = {}
        self._orientation: int | None = None  # number of the header extension
        self._intake = Intake(transport, self._handle_rtp, self._handle_rtcp, clock, moments)
        self._buffer = JitterBuffer(wanted_fps)
        self._lateness = Lateness()
        self._ssrc: int | None = None
        self._again_ssrc: int | None = None  # of the retransmissions
        self._replaced: tuple[frozenset[int | None], float] = frozenset(), 0.0  # SSRCs, and until when
        self._reception: ReceiveStatistics | None = None
        self._last_report: tuple[int, float] | None = None  # middle of the sender's NTP time, when it came
        self._asked_key_s = self._came_s = 0.0
        self._ask_again: asyncio.TimerHandle | None = None
        self._reports: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._stopped = False

    @classmethod
    def put_into(
        cls,
        transceiver: RTCRtpTransceiver,
        camera: CameraTrack,
        threads: Executor,
        clock: Callable[[], float],
        wanted_fps: float | None = None,
        moments: BatchTicks | None = None,
    ) -> VideoReceiver:
        """Put a receiver of ours in place of aiortc's, in a transceiver that has not started yet."""
        stock = transceiver.receiver
        own_ssrc = transceiver.sender._ssrc
        receiver = cls(stock.transport, own_ssrc, camera, threads, clock, wanted_fps, moments)
        transceiver._RTCRtpTransceiver__receiver = receiver  # type: ignore[attr-defined]
        return receiver

    @property
    def track(self) -> Any:
        """What aiortc made of the stream; nothing is put into it."""
        return self._track

    @property
    def behind(self) -> bool:
        """Whether pictures come so late that the connection is to be made anew."""
        return self._lateness.behind

    def listen(self) -> None:
        """Take what comes from the sockets, which there are as soon as candidates are gathered."""
        self._intake.open()

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Start; called by aiortc once the connection is encrypted, be it while it is being closed."""
        if self._reports is None and not self._stopped:
            self._formats = _formats(parameters.codecs)
            numbers = (known.id for known in parameters.headerExtensions if known.uri == ORIENTATION)
            self._orientation = next(numbers, None)
            self.listen()
            self._reports = asyncio.create_task(self._report(), name="rtcp-reports")

    async def stop(self) -> None:
        """Stop for good; called by aiortc when the connection closes."""
        self._stopped = True
        self._intake.close()
        if self._ask_again is not None:
            self._ask_again.cancel()
        tasks = [*self._requests] if self._reports is None else [self._reports, *self._requests]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.decoder.close()

    def _handle_rtp(self, packet: bytes, at_s: float) -> None:
        try:
            header, payload = parse_rtp(packet)
        except ValueError:
            return
        meant = self._formats.get(header.payload_type)
        if meant is None or not self._enabled:
            return
        if header.ssrc not in (self._ssrc, self._again_ssrc) and self._is_replaced(header.ssrc):
            return
        turns = self._turns(packet) if header.marker else None
        if meant.again:
            if self._ssrc is not None and len(payload) > 2:  # else a probe for bandwidth
                self._again_ssrc = header.ssrc
                self._take(meant, int.from_bytes(payload[:2], "big"), header, payload[2:], at_s, turns)
            return
        if header.ssrc != self._ssrc:
            self._begin_stream(header.ssrc, meant.clock_rate)
        if self._reception is not None:
            self._reception.add(header.sequence_number, header.timestamp, at_s)
        self._take(meant, header.sequence_number, header, payload, at_s, turns)

    def _turns(self, packet: bytes) -> int | None:
        """Quarter turns clockwise that set the picture upright which ends with a packet, if that says so."""
        if self._orientation is None or not (said := extension(packet, self._orientation)):
            return None
        return said[0] & 3

    def _is_replaced(self, ssrc: int) -> bool:
        old, until_s = self._replaced
        return ssrc in old and self._clock() < until_s

    def _begin_stream(self, ssrc: int, clock_rate: int) -> None:
        now_s = self._clock()
        # The first picture of a stream is a key frame: ask for one only if it does not come.
        self._asked_key_s = now_s
        if self._ssrc is not None:
            self._replaced = frozenset((self._ssrc, self._again_ssrc)), now_s + OLD_STREAM_S
            self._again_ssrc = None
            self.decoder.restart()
            self._asked_key_s = float("-inf")
        self._ssrc = ssrc
        self._reception = ReceiveStatistics(ssrc, clock_rate)
        self._last_report = None
        self._buffer = JitterBuffer(self._wanted_fps)
        self._lateness = Lateness()

    def _take(
        self, meant: _Format, sequence: int, header: RtpHeader, payload: bytes, at_s: float, turns: int | None
    ) -> None:
        try:
            part = fragment(meant.codec, sequence, header.timestamp, header.marker, payload)
        except ValueError:
            return  # a truncated payload is a lost packet
        if turns is not None:
            part = part._replace(turns=turns)
        for picture in self._buffer.add(part, at_s):
            fresh = self._lateness.is_fresh(picture.timestamp, picture.at_s)
            self.decoder.push(meant.codec, picture, fresh=fresh)
        self._came_s = at_s
        if self._ask_again is None:
            self._ask_for_missing()
        if self._buffer.awaiting_key and at_s - self._asked_key_s >= PLI_INTERVAL_S:
            self._asked_key_s = at_s
            self._ask(RtcpPsfbPacket(RTCP_PSFB_PLI, self._own_ssrc, self._ssrc or 0))

    def _ask_for_missing(self) -> None:
        """Ask for lost packets, and again until they are there, also while nothing comes."""
        if missing := self._buffer.missing():
            self._ask(RtcpRtpfbPacket(RTCP_RTPFB_NACK, self._own_ssrc, self._ssrc or 0, sorted(missing)))
            self._ask_again = asyncio.get_running_loop().call_later(NACK_INTERVAL_S, self._on_ask_again)

    def _on_ask_again(self) -> None:
        self._ask_again = None
        if self._clock() - self._came_s < STOPPED_S:
            self._ask_for_missing()

    def _show_nothing_before_key(self) -> None:
        self._buffer.drop_to_key()

    def _handle_rtcp(self, data: bytes, at_s: float) -> None:
        try:
            packets = RtcpPacket.parse(data)
        except ValueError:
            return
        for packet in packets:
            if isinstance(packet, RtcpSrPacket) and packet.ssrc == self._ssrc:
                first = self._last_report is None
                middle = (packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF
                self._last_report = (middle, at_s)
                if first and (report := self._make_report()) is not None:
                    self._ask(report)  # at once: Janus sends nothing again before it has heard one
            # A goodbye (BYE) needs nothing: the sender may begin again, with another SSRC or the same; and
            # the connection's end is told by its state.

    def _handle_disconnect(self) -> None:
        """The connection ended; its owner closes it and with it this receiver."""

    async def _report(self) -> None:
        """Send a receiver report about every second (RFC 3550, 6.2)."""
        while True:
            await asyncio.sleep(0.5 + random.random())
            if (report := self._make_report()) is not None:
                await self._send(report)

    def _make_report(self) -> RtcpRrPacket | None:
        """What the sender is to know; None before the first packet."""
        heard, waited = 0, 0
        if self._last_report is not None:
            heard, at_s = self._last_report
            waited = min(int(max(0.0, self._clock() - at_s - FARTHER_S) * 65536), 0xFFFFFFFF)
        info = None if self._reception is None else self._reception.report(heard, waited)
        return None if info is None else RtcpRrPacket(ssrc=self._own_ssrc, reports=[info])

    def _ask(self, packet: AnyRtcpPacket) -> None:
        task = asyncio.create_task(self._send(packet), name="rtcp-request")
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _send(self, packet: AnyRtcpPacket) -> None:
        try:
            await self.transport._send_rtp(bytes(packet))
        except ConnectionError:
            return  # the connection's owner learns of it from its state


def _formats(codecs: list[RTCRtpCodecParameters]) -> dict[int, _Format]:
    known = {codec.payloadType: codec for codec in codecs if codec.payloadType is not None}
    found = {}
    for number, codec in known.items():
        base: Any = codec.parameters.get("apt")
        meant = known.get(base) if is_rtx(codec) else codec
        if meant is not None:
            found[number] = _Format(meant.name, meant.clockRate, is_rtx(codec))
    return found
