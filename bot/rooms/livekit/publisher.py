"""The connection over which the bot writes to the chat: LiveKit accepts data only on one of the bot's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
from aiortc import RTCConfiguration, RTCDataChannel, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from bot.webrtc.peer import AIORTC_RAISES, close_connection

_log = structlog.get_logger()

_RELIABLE: Final = "_reliable"
_LOSSY: Final = "_lossy"
"""The server expects this channel too, though the bot never uses it."""

MAX_BUFFERED_BYTES: Final = 1 << 20
"""Messages that wait to be sent; beyond that a message counts as not delivered."""

_CANDIDATE: Final = "candidate:"


class Publisher:
    """A connection with data channels to the server.

    Attributes:
        opened: Set when messages can be sent, or when that has failed (``usable`` is then False).
    """

    def __init__(
        self, servers: Iterable[RTCIceServer], timeout_s: float, on_lost: Callable[[str], None]
    ) -> None:
        """Set up; nothing is opened yet.

        Args:
            servers: STUN and TURN servers.
            timeout_s: How long the connection may take to open.
            on_lost: Called with the reason when an open connection fails.
        """
        self.opened = asyncio.Event()
        self._timeout_s, self._on_lost = timeout_s, on_lost
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=list(servers)))
        self._connection.on("connectionstatechange", self._on_state)
        self._channel: RTCDataChannel | None = None
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._candidates: list[str] = []
        self._answered = False

    @property
    def usable(self) -> bool:
        """Whether messages can be sent now."""
        return self._channel is not None and self._channel.readyState == "open"

    async def open(self, send_offer: Callable[[str], Awaitable[None]]) -> bool:
        """Connect; return whether messages can be sent.

        Args:
            send_offer: Sends the offer to the server, whose answer is passed to ``on_answer``.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                self._channel = self._connection.createDataChannel(_RELIABLE, ordered=True)
                self._connection.createDataChannel(_LOSSY, ordered=False, maxRetransmits=0)
                opened = asyncio.Event()
                self._channel.on("open", opened.set)
                await self._connection.setLocalDescription(await self._connection.createOffer())
                await send_offer(self._connection.localDescription.sdp)
                answer = RTCSessionDescription(sdp=await self._answer, type="answer")
                await self._connection.setRemoteDescription(answer)
                self._answered = True
                for line in self._candidates:
                    await self.add_candidate(line)
                if self._channel.readyState != "open":
                    await opened.wait()
        except (*AIORTC_RAISES, TimeoutError) as exc:
            _log.info("the bot cannot write to the chat", error=type(exc).__name__)
        finally:
            self.opened.set()
        return self.usable

    def on_answer(self, sdp: str) -> None:
        """The server answered."""
        if not self._answer.done():
            self._answer.set_result(sdp)

    async def add_candidate(self, line: str) -> None:
        """Use a candidate of the server, as in SDP without ``a=``; an unusable one is ignored."""
        if not self._answered:
            self._candidates.append(line)
            return
        try:
            candidate = candidate_from_sdp(line.removeprefix(_CANDIDATE))
            candidate.sdpMLineIndex = 0
            await self._connection.addIceCandidate(candidate)
        except AIORTC_RAISES as exc:
            _log.debug("the server's candidate is not usable", error=type(exc).__name__)

    def send(self, packets: Iterable[bytes]) -> bool:
        """Send data packets; return whether the connection accepted them. There is no receipt."""
        channel = self._channel
        if channel is None or not self.usable or channel.bufferedAmount > MAX_BUFFERED_BYTES:
            return False
        try:
            for packet in packets:
                channel.send(packet)
        except AIORTC_RAISES:
            return False
        return True

    def _on_state(self) -> None:
        if self.opened.is_set() and self._connection.connectionState == "failed":
            self._on_lost("the connection for the chat failed")

    async def close(self) -> None:
        """Close for good."""
        self.opened.set()
        await close_connection(self._connection)
