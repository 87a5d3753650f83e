"""Small synthetic cameras for tests over real WebRTC."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from fractions import Fraction

import av
import numpy as np
import pytest
from aioice.ice import get_host_addresses
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from bot.config import WebrtcSettings
from bot.tracks import LatestFrameTrack
from bot.webrtc.peer import ReceivingPeer
from bot.webrtc.receive_options import ReceiveOptions

WIDTH, HEIGHT = 160, 90

needs_network = pytest.mark.skipif(
    not get_host_addresses(use_ipv4=True, use_ipv6=True),
    reason="needs a network address: ICE does not use loopback",
)


class SyntheticCamera(VideoStreamTrack):
    """A camera that shows a bar moving over grey; it sends nothing while ``running`` is clear."""

    def __init__(self, fps: float = 15.0, grey: int = 128) -> None:
        super().__init__()
        self.sent = 0
        self.running = asyncio.Event()
        self.running.set()
        self._fps, self._grey = fps, grey

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(1 / self._fps)
        await self.running.wait()
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = self._grey
        left = self.sent * 4 % (WIDTH - 8)
        planes[:HEIGHT, left : left + 8] = 230 if self._grey < 140 else 20
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = int(
            asyncio.get_running_loop().time() * 90000
        )  # as in browsers, timestamps advance during pauses
        frame.time_base = Fraction(1, 90000)
        self.sent += 1
        return frame


def receiving_peer(threads: Executor, settings: WebrtcSettings | None = None) -> ReceivingPeer:
    """Create a peer that reports its state to nobody."""
    options = ReceiveOptions(settings or WebrtcSettings(), threads)
    return ReceivingPeer(LatestFrameTrack("t", "p"), options, lambda _peer, _state: None)


class Sender:
    """What a student's browser does: one connection that sends one camera."""

    def __init__(self, camera: SyntheticCamera | None = None) -> None:
        self.camera = camera or SyntheticCamera()
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTrack(self.camera)

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))

    async def close(self) -> None:
        await self.connection.close()


def offer_text(codec: str = "VP9", fmtp: str = "profile-id=0", media: str = "video", extra: str = "") -> str:
    """The text of a browser-like offer with one media section, to be checked without a connection."""
    return "\r\n".join(
        [
            "v=0",
            "o=- 1 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            f"m={media} 9 UDP/TLS/RTP/SAVPF 98 99",
            "c=IN IP4 0.0.0.0",
            "a=rtcp:9 IN IP4 0.0.0.0",
            "a=candidate:1 1 udp 2113937151 192.0.2.7 50000 typ host",
            "a=ice-ufrag:abcd",
            "a=ice-pwd:abcdefghijklmnopqrstuvwx",
            "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
            "a=setup:actpass",
            "a=mid:0",
            "a=sendonly",
            "a=rtcp-mux",
            f"a=rtpmap:98 {codec}/90000",
            f"a=fmtp:98 {fmtp}",
            "a=rtpmap:99 rtx/90000",
            "a=fmtp:99 apt=98",
            "a=ssrc:1234 cname:x",
            extra,
            "",
        ]
    )
