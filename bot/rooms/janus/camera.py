"""Receives one student's camera while it is published: one handle, one connection, again if it breaks.

Comes in: a session and which stream. Goes out: tracks, and what stands against them, to a listener. A
connection is never used for a second stream: reused ones show the person before.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from bot.frames import RawFrame
from bot.rooms.janus import videoroom
from bot.rooms.janus.client import JanusSession
from bot.rooms.janus.messages import JanusError, Reply
from bot.rooms.janus.videoroom import Camera, Feed, RoomAddress
from bot.tracks import LatestFrameTrack, VideoTrack
from bot.webrtc.offers import OfferError, UnsupportedVideo
from bot.webrtc.peer import PeerError, PeerState, ReceivingPeer
from bot.webrtc.receive_options import ReceiveOptions

_log = structlog.get_logger()

SMALLEST_PX: Final = 120
"""Height below which the next larger layer of a stream in several sizes is asked for: faces in a picture of
160 x 90 are too small to be read."""

_LARGEST_SUBSTREAM: Final = 2
_LAYER_PATIENCE_S: Final = 2.0
_MOST_ASKS: Final = 4
_PAUSES_S: Final = (0.3, 1.0, 2.0, 4.0, 8.0)
_OVER: Final = frozenset({"hangup", "detached"})


class CameraListener(Protocol):
    """Who wants to know about one student's camera."""

    def on_track(self, track: VideoTrack) -> None:
        """It can be received."""
        ...

    def on_track_gone(self, track: VideoTrack) -> None:
        """Its connection is closed."""
        ...

    def on_sending(self, sending: bool) -> None:
        """Pictures stopped although the connection is whole, or came again."""
        ...

    def on_unsupported(self, codec: str) -> None:
        """It cannot be decoded; nothing more is tried."""
        ...


@dataclass(frozen=True, slots=True)
class Reception:
    """What receiving the cameras of one stay in a room takes.

    Attributes:
        session: The stay's session.
        address: The room.
        private_id: What Janus gave the bot to show that it is a participant.
        options: As for all cameras of the room.
        temporal: Which rate to ask for, 0 is the lowest.
        turnstile: How many connections may be made at a time.
    """

    session: JanusSession
    address: RoomAddress
    private_id: object
    options: ReceiveOptions
    temporal: int
    turnstile: asyncio.Semaphore


class CameraReception:
    """Receives one camera until cancelled."""

    def __init__(
        self, reception: Reception, feed: Feed, camera: Camera, participant_id: str, listener: CameraListener
    ) -> None:
        """Set up.

        Args:
            reception: What it takes.
            feed: Who publishes the camera, to Janus.
            camera: Which stream.
            participant_id: Who they are to the class.
            listener: Told on the event loop; must not wait.
        """
        self._reception, self._feed, self._camera = reception, feed, camera
        self._participant_id, self._listener = participant_id, listener
        self._changed = asyncio.Event()
        self._hung_up = self._over = False
        self._sending = True  # as told last
        self._frames = 0
        self._silences = 0  # connections in a row that were whole and gave no picture for a while
        self._height = 0  # of the newest picture
        self._substream = 0
        self._asks = 0  # for a larger layer
        self._ask_s = 0.0  # when to ask next

    async def run(self) -> None:
        """Receive, and make the connection anew when it breaks or stays silent."""
        failures = 0
        while not self._reception.session.gone.done():
            before = self._frames
            try:
                await self._receive()
            except UnsupportedVideo as exc:
                self._listener.on_unsupported(exc.codec)
                return
            except (JanusError, OfferError, PeerError) as exc:
                # Of a lost session the room makes everything anew; of one slow answer, this does.
                _log.info("camera cannot be received yet", error=type(exc).__name__, reason=str(exc))
            except Exception:  # noqa: BLE001  # a fault of ours must not cost this student the whole class
                _log.exception("camera is received anew after an error")
            failures = 0 if self._frames > before else failures + 1
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])

    def _on_frame(self, frame: RawFrame) -> None:
        if self._over:
            return
        self._frames += 1
        self._silences = 0
        if not self._sending:
            self._sending = True
            self._listener.on_sending(True)
        if frame.av_frame.height != self._height:
            self._height = frame.av_frame.height
            self._ask_s = asyncio.get_running_loop().time() + _LAYER_PATIENCE_S

    async def _receive(self) -> None:
        """One connection from its making to its end."""
        session = self._reception.session
        self._hung_up, self._over, self._height = False, False, 0
        handle = await session.attach(videoroom.PLUGIN, self._on_event)
        track = LatestFrameTrack(secrets.token_hex(8), self._participant_id, self._on_frame)
        peer = ReceivingPeer(track, self._reception.options, self._on_state)
        told = False
        try:
            async with self._reception.turnstile:
                mid = await self._connect(handle, peer)
            while peer.state is not PeerState.CLOSED and not self._hung_up:
                if peer.state is not PeerState.CONNECTING and not told:
                    told = True
                    self._listener.on_track(track)
                if peer.state is PeerState.SILENT and self._sending:
                    self._silences += 1
                    if self._silences == 1:
                        return  # the connection may be to blame: try with another
                    self._sending = False
                    self._listener.on_sending(False)
                await self._ask_for_size(handle, mid)
                await self._next_change()
        finally:
            self._over = True
            if told:
                self._listener.on_track_gone(track)
            await peer.close()
            await session.detach(handle)

    async def _next_change(self) -> None:
        """Wait for a change of the connection, or a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAYER_PATIENCE_S):
                await self._changed.wait()
        self._changed.clear()

    async def _connect(self, handle: int, peer: ReceivingPeer) -> str:
        """Subscribe; what the stream is called on our side."""
        session, address = self._reception.session, self._reception.address
        reply = await session.request(
            handle,
            videoroom.subscribe_request(
                address,
                self._reception.private_id,
                self._feed,
                self._camera.mid,
                self._substream,
                self._reception.temporal,
            ),
        )
        answer = await peer.answer(reply.sdp or "")
        mid = videoroom.subscribed_mid(reply.data)
        await session.request(handle, {"request": "start"}, answer)
        await session.request(handle, videoroom.layer_request(mid, self._substream, self._reception.temporal))
        return mid

    async def _ask_for_size(self, handle: int, mid: str) -> None:
        """Ask for a larger layer if pictures stay too small for faces to be read."""
        if not self._camera.simulcast or not 0 < self._height < SMALLEST_PX or self._asks >= _MOST_ASKS:
            return
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._ask_s:
            # Asked again since a larger layer begins with a key frame, which a sender may refuse at first.
            self._ask_s = now_s + _LAYER_PATIENCE_S
            self._asks += 1
            self._substream = min(self._asks, _LARGEST_SUBSTREAM)
            request = videoroom.layer_request(mid, self._substream, self._reception.temporal)
            await self._reception.session.request(handle, request)

    def _on_state(self, peer: ReceivingPeer, state: PeerState) -> None:
        self._changed.set()

    def _on_event(self, reply: Reply) -> None:
        if reply.kind in _OVER:
            self._hung_up = True
            self._changed.set()
