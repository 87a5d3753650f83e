"""One connection that receives one camera: answers an offer, watches the connection, closes it.

The connection closes itself when it fails, is not established in time, falls behind, or is ended by the other
side.

A connection answers one offer only; another offer needs another connection. aiortc 1.16 mixes up two offers
that it processes at the same time. While it gathers candidates for the first, it answers the second without
candidates. If the host names in the first take longer to resolve, the first description replaces the second,
``__connect`` fails with an IndexError that is never reported, and a camera of the second offer never starts
although the state is ``connected`` (``test_stock``).

PeerError
+-- NoNetwork      this machine has no network address to receive video on
+-- AnswerFailed   aiortc could not answer an offer that passed the checks
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import structlog
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError

from bot.tracks import LatestFrameTrack
from bot.webrtc.ice import rtc_servers
from bot.webrtc.offers import check_offer, usable_offer
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.receiver import VideoReceiver
from bot.webrtc.setup import prepare_aiortc
from bot.webrtc.stream import VideoStream
from bot.webrtc.stream_watch import StreamHealth, StreamWatch

prepare_aiortc()

_log = structlog.get_logger()

_CLOSE_TIMEOUT_S: Final = 8.0
_CHECKS_PER_TIMEOUT: Final = 5
"""How often the frames are checked within ``silence_timeout_s``."""

_MAX_CHECK_INTERVAL_S: Final = 1.0
AIORTC_RAISES: Final = (
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
    ConnectionError,
    OSError,
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
)
"""What aiortc raises for a session description that it cannot process."""


class PeerError(Exception):
    """The connection cannot be made; the text is one line that says what to do."""


class NoNetwork(PeerError):
    """This machine has no network address to receive video on."""


class AnswerFailed(PeerError):
    """aiortc could not answer an offer that passed the checks."""


class PeerState(StrEnum):
    """The state of a connection.

    ``SILENT`` is connected, but without frames for ``silence_timeout_s``. ``BEHIND`` is reported just before
    ``CLOSED`` if frames arrived later and later; the owner should connect again.
    """

    CONNECTING = "connecting"
    CONNECTED = "connected"
    SILENT = "silent"
    BEHIND = "behind"
    CLOSED = "closed"


class ReceivingPeer:
    """Receives one camera over one connection.

    Attributes:
        camera: The camera's track; its ``recv`` waits for frames.
        state: The state of the connection.
    """

    def __init__(
        self,
        camera: LatestFrameTrack,
        options: ReceiveOptions,
        on_state: Callable[[ReceivingPeer, PeerState], None],
    ) -> None:
        """Set up; nothing is opened yet.

        Args:
            camera: Where frames are shown; it ends with the connection.
            options: As for all cameras of the room.
            on_state: Called on the event loop after each change of state.
        """
        self.camera = camera
        self.state = PeerState.CONNECTING
        self._options, self._on_state = options, on_state
        self._connection: RTCPeerConnection | None = None
        self._stream: VideoStream | None = None
        self._changed = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def answer(self, sdp: str) -> str:
        """Answer an offer and start watching the connection.

        Args:
            sdp: The offer, with all its candidates.

        Returns:
            The answer, with all candidates.

        Raises:
            OfferError: the offer cannot be answered.
            PeerError: the connection cannot be made here.
            RuntimeError: this peer has answered an offer before.
        """
        check_offer(sdp)
        if self._connection is not None:
            raise RuntimeError("a peer answers one offer: create another one")
        try:
            async with asyncio.timeout(self._options.settings.connect_timeout_s):
                answer = await self._negotiate(sdp)
        except (*AIORTC_RAISES, TimeoutError) as exc:
            await self._shut()
            raise AnswerFailed(
                "reload the page and try again, or use another browser: the connection could not be set up"
            ) from exc
        except asyncio.CancelledError:
            await self._shut()
            raise
        if "a=candidate:" not in answer:
            await self._shut()
            raise NoNetwork(
                "connect this machine to a network: it has no network address to receive video on"
            )
        self._watching = asyncio.create_task(self._watch(), name="peer-watch")
        return answer

    async def close(self) -> None:
        """Close for good; idempotent."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await self._shut()

    async def _negotiate(self, sdp: str) -> str:
        servers = rtc_servers(self._options.settings.ice_servers)
        configuration = RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        connection = self._connection = RTCPeerConnection(configuration)
        connection.on("connectionstatechange", self._changed.set)
        transceiver = connection.addTransceiver("video", direction="recvonly")
        # Not the loop's clock: uvloop's does not advance within one loop iteration.
        receiver = VideoReceiver.put_into(transceiver, self._options, time.monotonic)
        self._stream = receiver.add_stream(self.camera)
        offer = RTCSessionDescription(sdp=usable_offer(sdp), type="offer")
        await connection.setRemoteDescription(offer)
        await connection.setLocalDescription(await connection.createAnswer())
        receiver.listen()
        return connection.localDescription.sdp

    async def _watch(self) -> None:
        timeout_s = self._options.settings.connect_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                while not self._is("connected"):
                    if self._is("failed", "closed"):
                        break
                    await self._next_change()
        except TimeoutError:
            _log.info("connection not established in time", timeout_s=timeout_s)
        if self._is("connected"):
            self._enter(PeerState.CONNECTED)
            await self._watch_frames()
        await self._shut()

    async def _watch_frames(self) -> None:
        """Report silence and its end until the connection ends or falls behind.

        If packets arrive but no frame can be decoded, the camera is not silent but undecodable.
        """
        clock = asyncio.get_running_loop().time
        timeout_s = self._options.settings.silence_timeout_s
        if self._stream is None:
            return
        watch = StreamWatch(self._stream, self.camera, timeout_s, clock())
        while self._is("connected"):
            await self._next_change(min(_MAX_CHECK_INTERVAL_S, timeout_s / _CHECKS_PER_TIMEOUT))
            health = watch.check(clock())
            if health is StreamHealth.BEHIND:
                _log.info("connection has fallen behind")
                self._enter(PeerState.BEHIND)
                return
            self._enter(PeerState.SILENT if health is StreamHealth.SILENT else PeerState.CONNECTED)

    async def _next_change(self, at_most_s: float | None = None) -> None:
        """Wait until the connection changes its state, for ``at_most_s`` seconds at most."""
        loop = asyncio.get_running_loop()
        timer = None if at_most_s is None else loop.call_later(at_most_s, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()
        self._changed.clear()

    def _is(self, *states: str) -> bool:
        return self._connection is not None and self._connection.connectionState in states

    def _enter(self, state: PeerState) -> None:
        if state is not self.state and self.state is not PeerState.CLOSED:
            self.state = state
            self._on_state(self, state)

    async def _shut(self) -> None:
        # In a separate task: if a close is cancelled half-way, aiortc can never close the connection.
        if self._closing is None:
            self._closing = asyncio.create_task(self._disconnect(), name="peer-close")
        await asyncio.shield(self._closing)

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await close_connection(self._connection)
        self.camera.end()
        self._enter(PeerState.CLOSED)


async def close_connection(connection: RTCPeerConnection) -> None:
    """Close a connection; gives up after ``_CLOSE_TIMEOUT_S`` and logs errors."""
    closing = asyncio.create_task(connection.close())
    await asyncio.wait([closing], timeout=_CLOSE_TIMEOUT_S)
    error = closing.exception() if closing.done() else TimeoutError()
    if error is not None:
        _log.warning("connection did not close cleanly", error=type(error).__name__)
