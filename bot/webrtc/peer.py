"""One connection that receives one camera: answers an offer, watches over it, closes it.

Comes in: an offer. Goes out: the answer, a ``CameraTrack``, and changes of state by a callback. It closes
itself when the connection fails, never comes about, falls behind, or is ended by the other side.

One connection answers one offer, ever; another offer takes another connection. aiortc 1.16 mixes up two it is
given at a time: the second one's answer goes out without candidates while those are still gathered for the
first; and if the first one's addresses take longer to look up, its description replaces the second one's,
``__connect`` fails with an IndexError nobody sees, and a camera of the second offer never starts on a
connection that says ``connected`` (``test_stock``). One after the other is safe, tried with ICE and with DTLS
records held back, also through a Janus: one ``__connect`` starts DTLS, then all transceivers there are.

PeerError
+-- NoNetwork      this machine has no address that others could send video to
+-- AnswerFailed   aiortc could not answer an offer that looked right
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from enum import StrEnum
from typing import Final

import structlog
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError

from bot.config import WebrtcSettings
from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.decoding import CameraTrack
from bot.webrtc.ice import rtc_servers
from bot.webrtc.offers import check_offer
from bot.webrtc.receiver import VideoReceiver
from bot.webrtc.setup import prepare_aiortc

prepare_aiortc()

_log = structlog.get_logger()

_CLOSE_TIMEOUT_S: Final = 8.0
_LOOKS_PER_TIMEOUT: Final = 5
_LOOK_S: Final = 1.0
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
"""What aiortc raises on a description it cannot use."""


class PeerError(Exception):
    """The connection cannot be made; the text is one line that says what to do."""


class NoNetwork(PeerError):
    """This machine has no address that others could send video to."""


class AnswerFailed(PeerError):
    """aiortc could not answer an offer that looked right."""


class PeerState(StrEnum):
    """Where a connection stands.

    ``SILENT`` is connected without pictures for a while. ``BEHIND`` is told just before ``CLOSED`` when
    pictures came ever later than they were taken: the owner does well to connect anew.
    """

    CONNECTING = "connecting"
    CONNECTED = "connected"
    SILENT = "silent"
    BEHIND = "behind"
    CLOSED = "closed"


class ReceivingPeer:
    """Receives one camera over one connection.

    Attributes:
        camera: The camera; its ``recv`` waits until there is a picture.
        state: Where the connection stands.
    """

    def __init__(
        self,
        camera: CameraTrack,
        settings: WebrtcSettings,
        threads: Executor,
        on_state: Callable[[ReceivingPeer, PeerState], None],
        *,
        wanted_fps: float | None = None,
        moments: BatchTicks | None = None,
    ) -> None:
        """Set up; nothing is opened yet.

        Args:
            camera: Where pictures go; it ends with the connection.
            settings: ICE servers and timeouts.
            threads: Where decoding runs.
            on_state: Called on the event loop after each change of state.
            wanted_fps: Pictures a second there is use for, where the stream lets some be left out; None
                for all.
            moments: When packets are taken, shared by the cameras of a room; None for as they come.
        """
        self.camera = camera
        self.state = PeerState.CONNECTING
        self._settings, self._threads, self._on_state = settings, threads, on_state
        self._wanted_fps, self._moments = wanted_fps, moments
        self._connection: RTCPeerConnection | None = None
        self._receiver: VideoReceiver | None = None
        self._changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def answer(self, sdp: str) -> str:
        """Answer an offer and start watching over the connection.

        Args:
            sdp: The offer, with all its candidates.

        Returns:
            The answer, with all candidates.

        Raises:
            OfferError: the offer cannot be answered.
            PeerError: the connection cannot be made here.
            RuntimeError: it has answered an offer before.
        """
        check_offer(sdp)
        if self._connection is not None:
            raise RuntimeError("a peer answers one offer: make another one")
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                answer = await self._negotiate(sdp)
        except (*AIORTC_RAISES, TimeoutError) as exc:
            await self._shut()
            raise AnswerFailed(
                "the offer could not be answered: reload the page and try again, or use another browser"
            ) from exc
        except asyncio.CancelledError:
            await self._shut()
            raise
        if "a=candidate:" not in answer:
            await self._shut()
            raise NoNetwork(
                "this machine has no network address to receive video on: connect it to a network first"
            )
        self._watch = asyncio.create_task(self._watch_over(), name="peer-watch")
        return answer

    async def close(self) -> None:
        """Close for good; idempotent."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self._shut()

    async def _negotiate(self, sdp: str) -> str:
        servers = rtc_servers(self._settings.ice_servers)
        configuration = RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        connection = self._connection = RTCPeerConnection(configuration)
        connection.on("connectionstatechange", self._changed.set)
        transceiver = connection.addTransceiver("video", direction="recvonly")
        self._receiver = VideoReceiver.put_into(
            # Not the loop's clock: uvloop's stands still within a turn.
            transceiver,
            self.camera,
            self._threads,
            time.monotonic,
            self._wanted_fps,
            self._moments,
        )
        await connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        self._receiver.listen()
        return connection.localDescription.sdp

    async def _watch_over(self) -> None:
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                while not self._is("connected"):
                    if self._is("failed", "closed"):
                        break
                    await self._next_change()
        except TimeoutError:
            _log.info("no connection in time", timeout_s=self._settings.connect_timeout_s)
        if self._is("connected"):
            self._enter(PeerState.CONNECTED)
            await self._watch_pictures()
        await self._shut()

    async def _watch_pictures(self) -> None:
        """Tell silence from pictures until the connection ends."""
        clock = asyncio.get_running_loop().time
        patience_s = self._settings.silence_timeout_s
        shown, shown_s = 0, clock()
        while self._is("connected"):
            await self._next_change(min(_LOOK_S, patience_s / _LOOKS_PER_TIMEOUT))
            count = self._receiver.decoder.shown if self._receiver is not None else 0
            if self._receiver is not None and self._receiver.behind:
                _log.info("connection has fallen behind")
                self._enter(PeerState.BEHIND)
                return
            if count != shown:
                shown, shown_s = count, clock()
                self._enter(PeerState.CONNECTED)
            elif clock() - shown_s >= patience_s:
                self._enter(PeerState.SILENT)

    async def _next_change(self, at_most_s: float | None = None) -> None:
        loop = asyncio.get_running_loop()
        look = None if at_most_s is None else loop.call_later(at_most_s, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if look is not None:
                look.cancel()
        self._changed.clear()

    def _is(self, *states: str) -> bool:
        return self._connection is not None and self._connection.connectionState in states

    def _enter(self, state: PeerState) -> None:
        if state is not self.state and self.state is not PeerState.CLOSED:
            self.state = state
            self._on_state(self, state)

    async def _shut(self) -> None:
        # In a task of its own: a close that is cancelled half-way leaves aiortc unable to close at all.
        if self._closing is None:
            self._closing = asyncio.create_task(self._disconnect(), name="peer-close")
        await asyncio.shield(self._closing)

    async def _disconnect(self) -> None:
        if self._connection is not None:
            closing = asyncio.create_task(self._connection.close())
            await asyncio.wait([closing], timeout=_CLOSE_TIMEOUT_S)
            error = closing.exception() if closing.done() else TimeoutError()
            if error is not None:
                _log.warning("connection did not close cleanly", error=type(error).__name__)
        self.camera.end()
        self._enter(PeerState.CLOSED)
