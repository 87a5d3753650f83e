"""Receives the cameras of the students over the one connection to the server.

A camera is subscribed to, the server offers it, and a stream is bound to the SSRCs of the offer. A camera
that shows nothing although it should is requested again.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from livekit.protocol import models

from bot.frames import RawFrame
from bot.rooms import contract
from bot.rooms.contract import RoomEvent
from bot.tracks import LatestFrameTrack
from bot.webrtc.camera_offers import OfferedCamera
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.stream import VideoStream
from bot.webrtc.stream_watch import StreamHealth, StreamWatch

_log = structlog.get_logger()

CHECK_INTERVAL_S: Final = 0.5
SILENT_S: Final = 2.0
"""A camera that shows nothing for this long is requested again; each further attempt waits twice as long."""

MAX_PAUSE_S: Final = 30.0
_GATHER_S: Final = 0.05
"""Changes within this time become one request, so that the server makes one offer of them."""

_EMPTY_FRAME_PX: Final = 16
"""The server sends black frames of 8 x 8 pixels when a camera is switched off or no longer received."""


class Connection(Protocol):
    """Requests and streams of one connection to the room."""

    def subscribe(self, sids: list[str], wanted: bool) -> Awaitable[None]:
        """Ask the server to send these tracks, or to stop."""
        ...

    def choose_layer(self, sids: list[str], quality: models.VideoQuality, fps: int) -> Awaitable[None]:
        """Ask for a simulcast layer and a frame rate."""
        ...

    def receive(self, camera: OfferedCamera, track: LatestFrameTrack) -> VideoStream:
        """Receive a camera of the newest offer."""
        ...

    def stop_receiving(self, stream: VideoStream) -> None:
        """Stop receiving a camera; its track ends."""
        ...


class CameraTrack(LatestFrameTrack):
    """A track that drops the server's empty frames."""

    def show(self, frame: RawFrame) -> None:
        """Replace the newest frame, unless this one is empty."""
        decoded = frame.av_frame
        if decoded is None or min(decoded.width, decoded.height) > _EMPTY_FRAME_PX:
            super().show(frame)


@dataclass(slots=True, eq=False)
class _Reception:
    """A camera that is received or requested.

    Attributes:
        sid: The server's identifier of the track.
        participant_id: Its student.
        quality: The simulcast layer to request.
        retry_at_s: When it is requested again if it shows nothing; loop time.
        pause_s: How long to wait after that.
        requested: Whether the server was asked for it, and not asked to stop.
        muted: Whether the student switched it off.
        offered: How the newest offer describes it.
        track: Where its frames are shown.
        watch: Watches its stream.
    """

    sid: str
    participant_id: str
    quality: models.VideoQuality
    retry_at_s: float
    pause_s: float = SILENT_S
    requested: bool = True
    muted: bool = False
    offered: OfferedCamera | None = None
    track: CameraTrack | None = None
    watch: StreamWatch | None = None

    @property
    def has_shown(self) -> bool:
        """Whether its stream has shown a frame."""
        return self.watch is not None and self.watch.stream.decoder.shown > 0


class Cameras:
    """The cameras of one connection."""

    def __init__(
        self, connection: Connection, options: ReceiveOptions, emit: Callable[[RoomEvent], None]
    ) -> None:
        """Start without cameras.

        Args:
            connection: The connection to the room.
            options: As for all cameras of the room.
            emit: Called with the room events about tracks and codecs.
        """
        self._connection, self._options, self._emit = connection, options, emit
        self._fps = math.ceil(options.wanted_fps or 0)
        self._receptions: dict[str, _Reception] = {}  # by track
        self._changes: dict[str, bool] = {}  # subscriptions to request, by track
        self._sending: asyncio.Task[None] | None = None
        self._clock = asyncio.get_running_loop().time

    def want(self, sid: str, participant_id: str, quality: models.VideoQuality, *, muted: bool) -> None:
        """Receive a camera, or keep receiving it; a muted one sends nothing until it is switched on."""
        known = self._receptions.get(sid)
        if known is None:
            known = _Reception(sid, participant_id, quality, self._clock() + SILENT_S)
            self._receptions[sid] = known
            self._request(known)
        elif known.quality != quality:
            known.quality = quality
            self._request(known)
        if known.muted and not muted:
            self._expect_frames(known)
        known.muted = muted

    def drop(self, participant_id: str, keep: str | None = None) -> None:
        """Stop receiving all cameras of a student, except the track ``keep``."""
        for reception in list(self._receptions.values()):
            if reception.participant_id == participant_id and reception.sid != keep:
                del self._receptions[reception.sid]
                self._stop(reception)
                self._changes[reception.sid] = False
                self._send()

    def refuse(self, sid: str) -> None:
        """The server cannot send a camera in a codec that can be decoded."""
        reception = self._receptions.get(sid)
        if reception is not None:
            self._stop(reception)
            reception.retry_at_s = math.inf
            self._emit(contract.UnsupportedCodec(reception.participant_id, "unknown"))

    def on_offer(self, offered: Mapping[str, OfferedCamera]) -> None:
        """Bind the streams to what the server offers now; called before the answer is sent."""
        for reception in self._receptions.values():
            camera = offered.get(reception.sid)
            if camera == reception.offered:
                continue
            self._stop(reception)
            if camera is not None:
                self._start(reception, camera)

    async def watch(self) -> None:
        """Request again cameras that show nothing, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            for reception in self._receptions.values():
                if not reception.muted:
                    self._check(reception, self._clock())

    def _check(self, reception: _Reception, now_s: float) -> None:
        if not reception.requested:  # the server has had time to stop: a new subscription begins afresh
            self._request(reception)
            return
        health = StreamHealth.SILENT if reception.watch is None else reception.watch.check(now_s)
        if health is StreamHealth.UNDECODABLE or (health is StreamHealth.SHOWING and reception.has_shown):
            reception.retry_at_s, reception.pause_s = now_s + SILENT_S, SILENT_S
        elif now_s >= reception.retry_at_s:
            _log.info("camera shows nothing: requesting it again", health=health.value)
            reception.pause_s = min(2 * reception.pause_s, MAX_PAUSE_S)
            reception.retry_at_s = now_s + reception.pause_s
            self._stop(reception)
            reception.requested = self._changes[reception.sid] = False
            self._send()

    def _expect_frames(self, reception: _Reception) -> None:
        """Frames should arrive from now on."""
        now_s = self._clock()
        reception.retry_at_s, reception.pause_s = now_s + SILENT_S, SILENT_S
        if reception.watch is not None and reception.track is not None:
            reception.watch = StreamWatch(reception.watch.stream, reception.track, SILENT_S, now_s)

    async def close(self) -> None:
        """Stop receiving everything."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        for reception in self._receptions.values():
            self._stop(reception)
        self._receptions.clear()

    def _start(self, reception: _Reception, camera: OfferedCamera) -> None:
        track = CameraTrack(secrets.token_hex(8), reception.participant_id)
        stream = self._connection.receive(camera, track)
        reception.offered, reception.track = camera, track
        reception.watch = StreamWatch(stream, track, SILENT_S, self._clock())
        self._emit(contract.TrackAdded(track))

    def _stop(self, reception: _Reception) -> None:
        if reception.watch is not None and reception.track is not None:
            self._connection.stop_receiving(reception.watch.stream)
            self._emit(contract.TrackRemoved(reception.track.track_id, reception.participant_id))
        reception.offered = reception.track = reception.watch = None

    def _request(self, reception: _Reception) -> None:
        reception.requested = self._changes[reception.sid] = True
        self._send()

    def _send(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_changes(), name="livekit-subscribe")

    async def _send_changes(self) -> None:
        while self._changes:
            await asyncio.sleep(_GATHER_S)
            changes, self._changes = self._changes, {}
            dropped = [sid for sid, wanted in changes.items() if not wanted]
            if dropped:
                await self._connection.subscribe(dropped, False)
            wanted = [
                reception for sid in changes if (reception := self._receptions.get(sid)) and changes[sid]
            ]
            if wanted:
                await self._connection.subscribe([reception.sid for reception in wanted], True)
                await self._choose_layers(wanted)

    async def _choose_layers(self, receptions: Iterable[_Reception]) -> None:
        by_quality: dict[models.VideoQuality, list[str]] = defaultdict(list)
        for reception in receptions:
            by_quality[reception.quality].append(reception.sid)
        for quality, sids in by_quality.items():
            await self._connection.choose_layer(sids, quality, self._fps)
