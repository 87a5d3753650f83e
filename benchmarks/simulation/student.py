"""A student who sends a clip over a real connection, and everything that can go wrong with it.

Comes in: a clip, faults. Goes out: an offer, then packets. Answers requests for packets and key frames.
The connection is aiortc's, only the packets are not: nothing is drawn or encoded while sending.
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
from benchmarks.simulation.faults import BadWay, Faults
from benchmarks.simulation.rtp import Packetiser
from bot.webrtc.setup import ORIENTATION

_ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_KEY_AGAIN_S: Final = 0.3


@dataclass(slots=True)
class Sent:
    """What was sent so far.

    Attributes:
        pictures: Pictures, whether their packets were lost or not.
        packets: Packets put on the wire.
        again: Retransmissions asked for.
        keys_asked: Key frames asked for.
        reports: Receiver reports that came.
        lost_told: Packets lost, by the newest receiver report.
        estimates: Bandwidth estimates (REMB) that came.
    """

    pictures: int = 0
    packets: int = 0
    again: int = 0
    keys_asked: int = 0
    reports: int = 0
    lost_told: int = 0
    estimates: int = 0


class _Silent(VideoStreamTrack):
    """Stands in aiortc's sender for a camera; gives nothing."""

    async def recv(self) -> Any:
        await asyncio.Event().wait()


class SimulatedStudent:
    """One student.

    Attributes:
        faults: Their shares may be changed at any time.
        sent: What was sent so far.
        connection: aiortc's.
        behind_s: How long ago the pictures sent now were taken: a server that fell behind.
        turns: Quarter turns clockwise that set the pictures upright, as a telephone says where it may.
    """

    def __init__(self, clip: Clip, faults: Faults | None = None, *, first_sequence: int = 0) -> None:
        """Set up; nothing is opened yet."""
        self.faults = faults or Faults()
        self.sent = Sent()
        self.behind_s, self.turns = 0.0, 0
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._way = BadWay(self.faults)
        self._clip, self._first = clip, first_sequence
        self._transceiver = self.connection.addTransceiver(_Silent(), direction="sendonly")
        self._stream: Packetiser | None = None
        self._at = 0  # next picture of the clip
        self._key_asked_s = float("-inf")
        self._running = asyncio.Event()
        self._running.set()
        self._open = asyncio.Event()  # cleared while the network stalls
        self._open.set()
        self._stalled: list[bytes] = []
        self._send_time_id: int | None = None
        self._orientation_id: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def offer(self) -> str:
        """The offer, with all candidates."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Take the answer and begin to send as soon as there is a connection."""
        numbers = _extensions(answer)
        self._send_time_id, self._orientation_id = numbers.get(_ABS_SEND_TIME), numbers.get(ORIENTATION)
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        self._task = asyncio.create_task(self._play(), name="simulated-student")

    def mute(self) -> None:
        """Send nothing, as a browser whose camera was taken away."""
        self._running.clear()

    def unmute(self) -> None:
        """Send again, with a key frame first."""
        self._at = 0
        self._running.set()

    def stall(self) -> None:
        """Let the network hold everything back."""
        self._open.clear()

    async def resume(self) -> None:
        """Let everything held back through at once."""
        self._open.set()
        stalled, self._stalled = self._stalled, []
        for packet in stalled:
            await self._put(packet)

    def change(self, clip: Clip, ssrc: int) -> None:
        """Another stream on the same line of the same connection: what a server does that reuses it."""
        self._clip, self._at = clip, 0
        self._begin_stream(ssrc, None)

    async def leave(self) -> None:
        """Close the connection; idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.connection.close()

    async def vanish(self) -> None:
        """Stop answering without a word, as a computer whose lid is shut; ``leave`` cleans up."""
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

    async def _play(self) -> None:
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
                await self._send_picture(due_s - self.behind_s)
                due_s = max(due_s + 1 / self._clip.fps, clock() - 0.5)
        except ConnectionError:
            return  # the other side is gone

    async def _send_picture(self, at_s: float) -> None:
        stream = self._stream
        if stream is None:
            return
        picture = self._clip.pictures[self._at]
        self._at = (self._at + 1) % len(self._clip.pictures)
        self.sent.pictures += 1
        stream.turns = self.turns
        for packet in stream.packets(picture, at_s):
            await self._send(packet)

    async def _send(self, packet: bytes) -> None:
        for arrived in self._way.carry(packet):
            await self._put(arrived)

    async def _put(self, packet: bytes) -> None:
        if not self._open.is_set():
            self._stalled.append(packet)
            return
        self.sent.packets += 1
        await self._dtls._send_rtp(packet)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        """Answer what the receiver asks; called by aiortc."""
        stream = self._stream
        if stream is None:
            return
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for sequence in packet.lost:
                again = stream.again(sequence)
                if again is not None:
                    self.sent.again += 1
                    await self._send(again)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_PLI:
            self.sent.keys_asked += 1
            now_s = asyncio.get_running_loop().time()
            if now_s - self._key_asked_s > _KEY_AGAIN_S:
                self._key_asked_s, self._at = now_s, 0
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self.sent.estimates += 1
        elif isinstance(packet, RtcpRrPacket):
            self.sent.reports += 1
            for report in packet.reports:
                self.sent.lost_told = report.packets_lost


def _extensions(sdp: str) -> dict[str, int]:
    """Numbers of the header extensions that were agreed on."""
    lines = (line.removeprefix("a=extmap:").split() for line in sdp.splitlines() if line[:9] == "a=extmap:")
    return {uri: int(number.partition("/")[0]) for number, uri, *_ in lines}
