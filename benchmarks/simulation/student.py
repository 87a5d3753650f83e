"""A simulated student who sends a clip over a real connection, with the faults of real networks and cameras.

The connection is aiortc's. The packets come from ``rtp``, so nothing is drawn or encoded while sending. The
student answers requests for lost packets (NACK) and key frames (PLI).
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any, Final

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
)

from benchmarks.simulation.clips import Clip
from benchmarks.simulation.faults import Faults, LossyPath
from benchmarks.simulation.rtp import Packetiser
from bot.webrtc.setup import ORIENTATION

_ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_KEY_INTERVAL_S: Final = 0.3


@dataclass(slots=True)
class Sent:
    """Counts of what was sent and received so far.

    Attributes:
        frames: Frames sent, including those whose packets were lost.
        packets: Packets sent to the network.
        retransmissions: Packets sent again on request.
        key_requests: Requests for key frames received.
        reports: Receiver reports received.
        reported_lost: Packets lost, by the newest receiver report.
        estimates: Bandwidth estimates (REMB) received.
    """

    frames: int = 0
    packets: int = 0
    retransmissions: int = 0
    key_requests: int = 0
    reports: int = 0
    reported_lost: int = 0
    estimates: int = 0


class _IdleTrack(VideoStreamTrack):
    """The camera of aiortc's sender; it never has a frame."""

    async def recv(self) -> Any:
        await asyncio.Event().wait()


class SimulatedStudent:
    """One simulated student.

    Attributes:
        faults: The shares may be changed at any time.
        sent: Counts of what was sent and received so far.
        connection: aiortc's connection.
        delay_s: Age of the frames when they are sent, as from a server that has fallen behind.
        rotation: Quarter turns clockwise that set the frames upright; signalled if that was negotiated.
    """

    def __init__(self, clip: Clip, faults: Faults | None = None, *, first_sequence: int = 0) -> None:
        """Set up; nothing is opened yet."""
        self.faults = faults or Faults()
        self.sent = Sent()
        self.delay_s, self.rotation = 0.0, 0
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._path = LossyPath(self.faults)
        self._clip, self._first = clip, first_sequence
        self._transceiver = self.connection.addTransceiver(_IdleTrack(), direction="sendonly")
        self._stream: Packetiser | None = None
        self._at = 0  # index of the next frame of the clip
        self._key_sent_s = float("-inf")
        self._running = asyncio.Event()
        self._running.set()
        self._open = asyncio.Event()  # cleared while the network stalls
        self._open.set()
        self._stalled: list[bytes] = []
        self._send_time_id: int | None = None
        self._orientation_id: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def offer(self) -> str:
        """Create the offer, with all candidates."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Accept the answer, and start sending when the connection is established."""
        numbers = _extensions(answer)
        self._send_time_id, self._orientation_id = numbers.get(_ABS_SEND_TIME), numbers.get(ORIENTATION)
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        self._task = asyncio.create_task(self._send_loop(), name="simulated-student")

    def mute(self) -> None:
        """Stop sending, as a browser does that has lost its camera."""
        self._running.clear()

    def unmute(self) -> None:
        """Continue sending, starting with a key frame."""
        self._at = 0
        self._running.set()

    def stall(self) -> None:
        """Let the network hold back all packets."""
        self._open.clear()

    async def resume(self) -> None:
        """Let the network deliver the packets that it held back, all at once."""
        self._open.set()
        stalled, self._stalled = self._stalled, []
        for packet in stalled:
            await self._put(packet)

    def replace_stream(self, clip: Clip, ssrc: int) -> None:
        """Send another student's stream on the same media line, as a server does that reuses connections."""
        self._clip, self._at = clip, 0
        self._begin_stream(ssrc, None)

    async def leave(self) -> None:
        """Close the connection; idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.connection.close()

    async def vanish(self) -> None:
        """Disappear without closing the connection, as a laptop whose lid is closed; ``leave`` cleans up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for protocol in self._dtls.transport._connection._protocols:
            protocol.transport.close()

    @property
    def _dtls(self) -> Any:
        return self._transceiver.sender.transport

    def _begin_stream(self, ssrc: int, rtx_ssrc: int | None) -> None:
        self._stream = Packetiser(
            ssrc,
            rtx_ssrc,
            layered=self._clip.layers > 1,
            send_time_id=self._send_time_id,
            orientation_id=self._orientation_id,
            first=self._first,
        )
        self._dtls._rtp_router.senders[ssrc] = self

    async def _send_loop(self) -> None:
        while self.connection.connectionState != "connected":
            changed = asyncio.Event()
            self.connection.once("connectionstatechange", changed.set)
            if self.connection.connectionState in ("failed", "closed"):
                return
            await changed.wait()
        sender: Any = self._transceiver.sender
        if self._stream is None:
            self._begin_stream(sender._ssrc, sender._rtx_ssrc)
        clock = asyncio.get_running_loop().time
        due_s = clock() + random.Random(self.faults.seed).random() / self._clip.fps
        try:
            while True:
                await asyncio.sleep(max(0.0, due_s - clock()))
                if not self._running.is_set():
                    await self._running.wait()
                    due_s = clock()
                await self._send_frame(due_s - self.delay_s)
                due_s = max(due_s + 1 / self._clip.fps, clock() - 0.5)
        except ConnectionError:
            return  # the receiver has closed the connection

    async def _send_frame(self, at_s: float) -> None:
        stream = self._stream
        if stream is None:
            return
        frame = self._clip.frames[self._at]
        self._at = (self._at + 1) % len(self._clip.frames)
        self.sent.frames += 1
        stream.rotation = self.rotation
        for packet in stream.packets(frame, at_s):
            await self._send(packet)

    async def _send(self, packet: bytes) -> None:
        for arrived in self._path.transmit(packet):
            await self._put(arrived)

    async def _put(self, packet: bytes) -> None:
        if not self._open.is_set():
            self._stalled.append(packet)
            return
        self.sent.packets += 1
        await self._dtls._send_rtp(packet)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        """Answer a request of the receiver, or count its report; called by aiortc."""
        stream = self._stream
        if stream is None:
            return
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for sequence in packet.lost:
                packet_again = stream.retransmission(sequence)
                if packet_again is not None:
                    self.sent.retransmissions += 1
                    await self._send(packet_again)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_PLI:
            self.sent.key_requests += 1
            now_s = asyncio.get_running_loop().time()
            if now_s - self._key_sent_s > _KEY_INTERVAL_S:
                self._key_sent_s, self._at = now_s, 0
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self.sent.estimates += 1
        elif isinstance(packet, RtcpRrPacket):
            self.sent.reports += 1
            for report in packet.reports:
                self.sent.reported_lost = report.packets_lost


def _extensions(sdp: str) -> dict[str, int]:
    """The identifiers of the negotiated header extensions, by URI."""
    lines = (line.removeprefix("a=extmap:").split() for line in sdp.splitlines() if line[:9] == "a=extmap:")
    return {uri: int(number.partition("/")[0]) for number, uri, *_ in lines}
