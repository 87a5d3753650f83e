"""Receives the streams of one connection; replaces aiortc's video receiver.

Packets reach their stream by SSRC. RTCP is parsed once for all streams, and receiver reports are sent for
all of them.

``RTCRtpReceiver`` of aiortc 1.16 freezes for 512 packets after a lost one, starts a thread for each track,
joins that thread on the event loop, and stores every frame that is not fetched. This replacement implements
only the interface that aiortc uses: ``receive``, ``stop``, ``transport``, ``track`` and ``_track``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from aiortc import RTCDtlsTransport, RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import AnyRtcpPacket, RtcpPacket, RtcpRrPacket, RtcpSrPacket

from bot.tracks import LatestFrameTrack
from bot.webrtc.intake import Intake
from bot.webrtc.packets import parse_rtp
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.stream import Ssrcs, VideoStream

_MAX_REPORT_BLOCKS: Final = 31
"""Blocks in one receiver report (RFC 3550, 6.4.2)."""


class VideoReceiver:
    """Receives the video streams of one connection.

    Attributes:
        transport: The connection's encrypted transport.
    """

    def __init__(
        self,
        transport: RTCDtlsTransport,
        own_ssrc: int,
        options: ReceiveOptions,
        clock: Callable[[], float],
    ) -> None:
        """Set up, without streams.

        Args:
            transport: The connection's encrypted transport.
            own_ssrc: Sender SSRC of the RTCP packets.
            options: As for all cameras of the room.
            clock: Monotonic seconds.
        """
        self.transport = transport
        self._track: Any = None  # set by aiortc
        self._own_ssrc, self._options, self._clock = own_ssrc, options, clock
        self._intake = Intake(transport, self._on_rtp, self._on_rtcp, clock, options.batch_ticks)
        self._streams: list[VideoStream] = []
        self._by_ssrc: dict[int, VideoStream] = {}
        self._unbound: VideoStream | None = None  # receives the SSRCs that no stream is bound to
        self._reporting: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._stopped = False

    @classmethod
    def put_into(
        cls, transceiver: RTCRtpTransceiver, options: ReceiveOptions, clock: Callable[[], float]
    ) -> VideoReceiver:
        """Replace aiortc's receiver in a transceiver that has not started yet."""
        receiver = cls(transceiver.receiver.transport, transceiver.sender._ssrc, options, clock)
        transceiver._RTCRtpTransceiver__receiver = receiver  # type: ignore[attr-defined]
        return receiver

    @property
    def track(self) -> Any:
        """The track that aiortc created; no frame is put into it."""
        return self._track

    def add_stream(self, track: LatestFrameTrack, ssrcs: Ssrcs | None = None) -> VideoStream:
        """Receive a stream.

        Args:
            track: Where its frames are shown; it ends with the stream.
            ssrcs: The stream's SSRCs in the offer. None for the only stream of a connection, whose SSRC may
                change without an offer.
        """
        stream = VideoStream(track, self._options, self._own_ssrc, self._send, self._clock, ssrcs)
        self._streams.append(stream)
        if ssrcs is None:
            self._unbound = stream
        else:
            self._by_ssrc.update({ssrc: stream for ssrc in ssrcs if ssrc is not None})
        return stream

    def remove_stream(self, stream: VideoStream) -> None:
        """Stop receiving a stream; its track ends."""
        self._streams.remove(stream)
        self._by_ssrc = {ssrc: known for ssrc, known in self._by_ssrc.items() if known is not stream}
        if self._unbound is stream:
            self._unbound = None
        stream.close()

    def listen(self) -> None:
        """Read from the sockets, which exist as soon as candidates are gathered."""
        self._intake.open()

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Start; called by aiortc after the DTLS handshake, even if the connection is being closed."""
        if self._reporting is None and not self._stopped:
            if self._unbound is not None:
                self._unbound.set_parameters(parameters)
            self.listen()
            self._reporting = asyncio.create_task(self._send_reports(), name="rtcp-reports")

    async def stop(self) -> None:
        """Stop for good; called by aiortc when the connection closes."""
        self._stopped = True
        self._intake.close()
        for stream in list(self._streams):
            self.remove_stream(stream)
        tasks = [*self._sending] if self._reporting is None else [self._reporting, *self._sending]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _on_rtp(self, packet: bytes, at_s: float) -> None:
        try:
            header, payload = parse_rtp(packet)
        except ValueError:
            return
        stream = self._by_ssrc.get(header.ssrc, self._unbound)
        if stream is not None:
            stream.on_rtp(header, payload, packet, at_s)

    def _on_rtcp(self, data: bytes, at_s: float) -> None:
        try:
            packets = RtcpPacket.parse(data)
        except ValueError:
            return
        # A BYE is ignored: the sender may start again with the same or another SSRC, and the end of the
        # connection is known from its state.
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                stream = self._by_ssrc.get(packet.ssrc, self._unbound)
                if stream is not None:
                    stream.on_sender_report(packet, at_s)

    async def _send_reports(self) -> None:
        """Send receiver reports about every second (RFC 3550, 6.2)."""
        while True:
            await asyncio.sleep(0.5 + random.random())
            blocks = [block for stream in self._streams if (block := stream.report()) is not None]
            for first in range(0, len(blocks), _MAX_REPORT_BLOCKS):
                report = RtcpRrPacket(self._own_ssrc, blocks[first : first + _MAX_REPORT_BLOCKS])
                await self._send_now(report)

    def _send(self, packet: AnyRtcpPacket) -> None:
        task = asyncio.create_task(self._send_now(packet), name="rtcp-request")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_now(self, packet: AnyRtcpPacket) -> None:
        try:
            await self.transport._send_rtp(bytes(packet))
        except ConnectionError:
            return  # the connection's owner learns of it from its state
