"""Receives one participant's camera, over its own Janus handle and WebRTC connection.

A connection that breaks or stays without frames is replaced. It is never reused for another stream, because
it could then deliver frames of the previous participant.
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
from bot.rooms.janus.messages import JanusError, Reply
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.videoroom import Camera, Feed, RoomAddress
from bot.tracks import LatestFrameTrack, VideoTrack
from bot.webrtc.offers import OfferError, UnsupportedVideo
from bot.webrtc.peer import PeerError, PeerState, ReceivingPeer
from bot.webrtc.receive_options import ReceiveOptions

_log = structlog.get_logger()

MIN_HEIGHT_PX: Final = 120
"""If frames are lower than this, the next larger simulcast layer is requested: at 160 x 90 pixels, faces are
too small to classify."""

_LARGEST_SUBSTREAM: Final = 2
_LAYER_TIMEOUT_S: Final = 2.0
_MAX_LAYER_REQUESTS: Final = 4
_PAUSES_S: Final = (0.3, 1.0, 2.0, 4.0, 8.0)
_CONNECTION_ENDED: Final = frozenset({"hangup", "detached"})


class CameraListener(Protocol):
    """Receives the events of one participant's camera."""

    def on_track(self, track: VideoTrack) -> None:
        """The camera is connected."""
        ...

    def on_track_removed(self, track: VideoTrack) -> None:
        """The connection to the camera is closed."""
        ...

    def on_sending(self, sending: bool) -> None:
        """Frames arrive again, or (``sending`` is False) have stopped although the connection works."""
        ...

    def on_unsupported(self, codec: str) -> None:
        """The camera's codec cannot be decoded; receiving ends."""
        ...


@dataclass(frozen=True, slots=True)
class Reception:
    """Options and limits that all cameras of one connection to a room share.

    Attributes:
        session: The session on the Janus server.
        address: The room.
        private_id: Janus' proof that the bot is a participant, sent with each subscription.
        options: Options for receiving video, the same for all cameras of the room.
        temporal: The highest temporal layer to request; 0 is the lowest.
        connection_limit: Limits how many cameras are connected at the same time.
    """

    session: JanusSession
    address: RoomAddress
    private_id: object
    options: ReceiveOptions
    temporal: int
    connection_limit: asyncio.Semaphore


class CameraReception:
    """Receives one camera until cancelled."""

    def __init__(
        self, reception: Reception, feed: Feed, camera: Camera, participant_id: str, listener: CameraListener
    ) -> None:
        """Set up.

        Args:
            reception: Options and limits that all cameras of the room share.
            feed: Janus' identifier of the participant.
            camera: The stream to receive.
            participant_id: The participant's identifier in the class.
            listener: Called on the event loop; must not block.
        """
        self._reception, self._feed, self._camera = reception, feed, camera
        self._participant_id, self._listener = participant_id, listener
        self._changed = asyncio.Event()
        self._hung_up = self._closed = False
        self._sending = True  # as last reported to the listener
        self._frames = 0
        self._silences = 0  # consecutive connections that worked but delivered no frames
        self._height = 0  # of the newest frame, in pixels
        self._substream = 0
        self._layer_requests = 0  # requests for a larger layer so far
        self._next_layer_request_s = 0.0

    async def run(self) -> None:
        """Receive, and reconnect when the connection breaks or stays silent."""
        failures = 0
        while not self._reception.session.lost.done():
            frames_before = self._frames
            try:
                await self._receive()
            except UnsupportedVideo as exc:
                self._listener.on_unsupported(exc.codec)
                return
            except (JanusError, OfferError, PeerError) as exc:
                # Retry after a slow answer. If the session is lost, the loop ends and the room reconnects.
                _log.info("camera cannot be received yet", error=type(exc).__name__, reason=str(exc))
            except Exception:  # noqa: BLE001  # a bug of ours must not lose this camera for the whole class
                _log.exception("camera failed; reconnecting to it")
            failures = 0 if self._frames > frames_before else failures + 1
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])

    def _on_frame(self, frame: RawFrame) -> None:
        if self._closed:
            return
        self._frames += 1
        self._silences = 0
        if not self._sending:
            self._sending = True
            self._listener.on_sending(True)
        if frame.av_frame is not None and frame.av_frame.height != self._height:
            self._height = frame.av_frame.height
            self._next_layer_request_s = asyncio.get_running_loop().time() + _LAYER_TIMEOUT_S

    async def _receive(self) -> None:
        """Open one connection and follow it until it ends."""
        session = self._reception.session
        self._hung_up, self._closed, self._height = False, False, 0
        handle = await session.attach(videoroom.PLUGIN, self._on_event)
        track = LatestFrameTrack(secrets.token_hex(8), self._participant_id, self._on_frame)
        peer = ReceivingPeer(track, self._reception.options, self._on_state)
        reported = False
        try:
            async with self._reception.connection_limit:
                mid = await self._connect(handle, peer)
            while peer.state is not PeerState.CLOSED and not self._hung_up:
                if peer.state is not PeerState.CONNECTING and not reported:
                    reported = True
                    self._listener.on_track(track)
                if peer.state is PeerState.SILENT and self._sending:
                    self._silences += 1
                    if self._silences == 1:
                        return  # the connection may be the cause: try a new one first
                    self._sending = False
                    self._listener.on_sending(False)
                await self._request_larger_layer(handle, mid)
                await self._next_change()
        finally:
            self._closed = True
            if reported:
                self._listener.on_track_removed(track)
            await peer.close()
            await session.detach(handle)

    async def _next_change(self) -> None:
        """Wait for a change of the connection, for at most 2 s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAYER_TIMEOUT_S):
                await self._changed.wait()
        self._changed.clear()

    async def _connect(self, handle: int, peer: ReceivingPeer) -> str:
        """Subscribe, and return the stream's media identifier in this connection."""
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

    async def _request_larger_layer(self, handle: int, mid: str) -> None:
        """Request a larger layer if frames stay too low for faces to be classified."""
        if (
            not self._camera.simulcast
            or not 0 < self._height < MIN_HEIGHT_PX
            or self._layer_requests >= _MAX_LAYER_REQUESTS
        ):
            return
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._next_layer_request_s:
            # Repeated, because a larger layer starts with a key frame, which a sender may not send at first.
            self._next_layer_request_s = now_s + _LAYER_TIMEOUT_S
            self._layer_requests += 1
            self._substream = min(self._layer_requests, _LARGEST_SUBSTREAM)
            request = videoroom.layer_request(mid, self._substream, self._reception.temporal)
            await self._reception.session.request(handle, request)

    def _on_state(self, peer: ReceivingPeer, state: PeerState) -> None:
        self._changed.set()

    def _on_event(self, reply: Reply) -> None:
        if reply.kind in _CONNECTION_ENDED:
            self._hung_up = True
            self._changed.set()
