"""One connection that receives many cameras, and the server's data channels.

Some servers (LiveKit) send all cameras of a room over one connection, and make a new offer whenever somebody
joins or leaves. Offers must be answered one after the other. aiortc sees only the first one, without its
cameras (``camera_offers``); each camera is a stream bound to the SSRCs that the offers name, so a media
section that is used again never shows the frames of the student who had it before.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.sdp import candidate_from_sdp

from bot.tracks import LatestFrameTrack
from bot.webrtc.camera_offers import OfferedCamera, ServerOffer
from bot.webrtc.offers import MAX_USED_CANDIDATES
from bot.webrtc.peer import AIORTC_RAISES, AnswerFailed, NoNetwork, close_connection
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.receiver import VideoReceiver
from bot.webrtc.stream import VideoStream

_log = structlog.get_logger()

_CANDIDATE: Final = "candidate:"


class SharedConnection:
    """Receives the cameras of a room.

    Attributes:
        cameras: The cameras of the newest offer, by the server's name for the track.
    """

    def __init__(
        self,
        options: ReceiveOptions,
        servers: Iterable[RTCIceServer],
        on_message: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        """Set up; nothing is opened yet.

        Args:
            options: As for all cameras of the room.
            servers: STUN and TURN servers.
            on_message: Called with each binary message of the server's data channels.
            on_end: Called once, with the reason, when the connection fails or is not made in time.
        """
        self.cameras: dict[str, OfferedCamera] = {}
        self._options, self._servers = options, list(servers)
        self._on_message, self._on_end = on_message, on_end
        self._connection: RTCPeerConnection | None = None
        self._receiver: VideoReceiver | None = None
        self._transport_answer = ""
        self._ice_ufrag = ""
        self._candidates: list[str] = []  # of the server, before the first offer is answered
        self._used_candidates = 0
        self._changed = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def answer(self, sdp: str) -> str:
        """Answer an offer; wait for the answer to the one before.

        Returns:
            The answer, with all candidates.

        Raises:
            OfferError: the offer cannot be answered.
            PeerError: the connection cannot be made here, or the server wants another one.
        """
        offer = ServerOffer(sdp)
        if self._connection is None:
            await self._connect(offer)
        elif offer.ice_ufrag != self._ice_ufrag:
            raise AnswerFailed("the server wants a new connection")
        self.cameras = offer.cameras()
        return offer.answer(self._transport_answer)

    async def add_candidate(self, line: str) -> None:
        """Use a candidate that the server sent separately; an unusable one is ignored.

        Args:
            line: As in SDP, without ``a=``.
        """
        if self._connection is None or not self._transport_answer:
            self._candidates.append(line)
            del self._candidates[:-MAX_USED_CANDIDATES]
            return
        if self._used_candidates >= MAX_USED_CANDIDATES or not line.startswith(_CANDIDATE):
            return
        try:
            candidate = candidate_from_sdp(line[len(_CANDIDATE) :])
            if candidate.protocol.lower() != "udp":
                return
            candidate.sdpMLineIndex = 0
            self._used_candidates += 1
            await self._connection.addIceCandidate(candidate)
        except AIORTC_RAISES as exc:
            _log.debug("the server's candidate is not usable", error=type(exc).__name__)

    def receive(self, camera: OfferedCamera, track: LatestFrameTrack) -> VideoStream:
        """Receive a camera of the newest offer.

        Args:
            camera: The camera.
            track: Where its frames are shown; it ends with the stream.
        """
        if self._receiver is None:
            raise RuntimeError("answer an offer first")
        stream = self._receiver.add_stream(track, camera.ssrcs)
        stream.set_parameters(camera.parameters)
        return stream

    def stop_receiving(self, stream: VideoStream) -> None:
        """Stop receiving a camera; its track ends."""
        if self._receiver is not None:
            self._receiver.remove_stream(stream)

    async def close(self) -> None:
        """Close for good; idempotent."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        if self._closing is None:  # in a separate task, as for a peer
            self._closing = asyncio.create_task(self._close(), name="peer-close")
        await asyncio.shield(self._closing)

    async def _connect(self, offer: ServerOffer) -> None:
        configuration = RTCConfiguration(iceServers=self._servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        connection = self._connection = RTCPeerConnection(configuration)
        connection.on("connectionstatechange", self._changed.set)
        connection.on("datachannel", self._on_channel)
        try:
            async with asyncio.timeout(self._options.settings.connect_timeout_s):
                description = RTCSessionDescription(sdp=offer.transport_offer(), type="offer")
                await connection.setRemoteDescription(description)
                await connection.setLocalDescription(await connection.createAnswer())
        except (*AIORTC_RAISES, TimeoutError) as exc:
            raise AnswerFailed("the connection for video could not be set up") from exc
        if connection.sctp is None or "a=candidate:" not in connection.localDescription.sdp:
            raise NoNetwork(
                "connect this machine to a network: it has no network address to receive video on"
            )
        self._transport_answer, self._ice_ufrag = connection.localDescription.sdp, offer.ice_ufrag
        # Not the loop's clock: uvloop's does not advance within one loop iteration.
        own_ssrc = random.getrandbits(32)
        self._receiver = VideoReceiver(connection.sctp.transport, own_ssrc, self._options, time.monotonic)
        self._receiver.listen()
        for line in [*self._candidates, *offer.candidates()]:
            await self.add_candidate(line)
        self._watching = asyncio.create_task(self._watch(connection, self._receiver), name="peer-watch")

    async def _watch(self, connection: RTCPeerConnection, receiver: VideoReceiver) -> None:
        reason = "the connection for video failed"
        try:
            async with asyncio.timeout(self._options.settings.connect_timeout_s):
                while connection.connectionState not in ("connected", "failed", "closed"):
                    await self._next_change()
        except TimeoutError:
            reason = "no connection for video could be made: check that UDP or TURN works"
        if connection.connectionState == "connected":
            await receiver.receive(RTCRtpReceiveParameters())
            while connection.connectionState == "connected":
                await self._next_change()
        self._on_end(reason)

    async def _next_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def _on_channel(self, channel: Any) -> None:
        channel.on("message", self._on_channel_message)

    def _on_channel_message(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._on_message(message)

    async def _close(self) -> None:
        if self._receiver is not None:
            await self._receiver.stop()
        if self._connection is not None:
            await close_connection(self._connection)
