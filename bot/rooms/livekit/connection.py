"""One connection to a LiveKit room, from joining until it is lost: messages, video, and chat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

import structlog
from aiortc import RTCIceServer
from livekit.protocol import models, rtc

from bot.rooms.contract import RoomError
from bot.rooms.livekit.access import Access
from bot.rooms.livekit.chat import ChatMessage, ChatReader, write_message
from bot.rooms.livekit.publisher import Publisher
from bot.rooms.livekit.refusals import check_permission, farewell
from bot.rooms.livekit.signalling import Signalling
from bot.tracks import LatestFrameTrack
from bot.webrtc.camera_offers import OfferedCamera
from bot.webrtc.ice import rtc_servers
from bot.webrtc.offers import OfferError
from bot.webrtc.peer import PeerError
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.shared_connection import SharedConnection
from bot.webrtc.stream import VideoStream

_log = structlog.get_logger()

_MAX_WAITING: Final = 64
"""Offers or candidates that wait to be processed; a server sends no offer before the last one is answered."""

Item = TypeVar("Item")


class ConnectionListener(Protocol):
    """Receives what happens in the room."""

    def on_participants(self, participants: list[models.ParticipantInfo]) -> None:
        """The server reported some participants."""
        ...

    def on_offer(self, cameras: Mapping[str, OfferedCamera]) -> None:
        """The server offers these cameras; called before the answer is sent."""
        ...

    def on_camera_refused(self, track_sid: str) -> None:
        """The server cannot send a camera in a codec that can be decoded."""
        ...

    def on_camera_permission(self, participant_sid: str, allowed: bool) -> None:
        """A participant allowed the bot to receive their camera, or no longer does."""
        ...

    def on_chat_message(self, message: ChatMessage) -> None:
        """Somebody wrote to the chat."""
        ...

    def on_chat_permission(self, allowed: bool) -> None:
        """The bot may write to the chat, or no longer may."""
        ...


class RoomConnection:
    """One connection to a room.

    Attributes:
        identity: The bot's identity in the room.
        may_write: Whether the bot may write to the chat.
    """

    def __init__(
        self,
        server_url: str,
        room: str,
        access: Access,
        options: ReceiveOptions,
        listener: ConnectionListener,
    ) -> None:
        """Set up; nothing is opened yet."""
        self.identity = ""
        self.may_write = False
        self._room, self._access, self._options, self._listener = room, access, options, listener
        self._signalling = Signalling(server_url, room, self._on_message)
        self._end: asyncio.Future[RoomError] = asyncio.get_running_loop().create_future()
        self._early: list[rtc.SignalResponse] | None = []  # messages before ``start``; None afterwards
        self._offers: asyncio.Queue[rtc.SessionDescription] = asyncio.Queue(_MAX_WAITING)
        self._chat = ChatReader()
        self._video: SharedConnection | None = None
        self._publisher: Publisher | None = None
        self._trickled: asyncio.Queue[rtc.TrickleRequest] = asyncio.Queue(_MAX_WAITING)
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, timeout_s: float) -> list[models.ParticipantInfo]:
        """Join the room and return everybody else there; messages wait until ``start``.

        Raises:
            RoomError: the server cannot be reached or refuses the bot, or the bot may not do what it has to.
        """
        joined = await self._signalling.open(self._access.token(), timeout_s)
        try:
            check_permission(joined.participant.permission)
        except RoomError:
            await self.leave()
            raise
        self.identity = joined.participant.identity
        self.may_write = joined.participant.permission.can_publish_data
        servers = self._ice_servers(joined)
        self._video = SharedConnection(self._options, servers, self._on_data, self._signalling.lose)
        timeout_s = self._options.settings.connect_timeout_s
        self._publisher = Publisher(servers, timeout_s, self._signalling.lose)
        return list(joined.other_participants)

    def start(self) -> None:
        """Pass on messages from now on, receive video, and open the chat."""
        early, self._early = self._early or [], None
        for message in early:
            self._on_message(message)
        if self._video is None or self._publisher is None:
            raise RuntimeError("join first")
        self._tasks = [
            asyncio.create_task(self._answer_offers(self._video), name="livekit-offers"),
            asyncio.create_task(
                self._add_candidates(self._video, self._publisher), name="livekit-candidates"
            ),
            asyncio.create_task(self._open_chat(self._publisher), name="livekit-chat"),
        ]

    async def wait_until_lost(self) -> str:
        """Wait until the connection is lost and return the reason.

        Raises:
            RoomError: the bot was sent away, or ``finish`` was called.
        """
        await asyncio.wait((self._signalling.lost, self._end), return_when=asyncio.FIRST_COMPLETED)
        if self._end.done():
            raise self._end.result()
        return self._signalling.lost.result()

    def finish(self, error: RoomError) -> None:
        """End the connection for good with this error; only the first call counts."""
        if not self._end.done():
            self._end.set_result(error)

    async def has_chat(self) -> bool:
        """Whether the bot can write to the chat; waits for the first attempt to open it."""
        if not self.may_write or self._publisher is None:
            return False
        await self._publisher.opened.wait()
        return self.may_write and self._publisher.usable

    async def write(self, text: str, to: list[str]) -> bool:
        """Write to the chat, to everybody or to some; return whether the connection accepted it."""
        if not await self.has_chat() or self._publisher is None:
            return False
        return self._publisher.send(write_message(text, to))

    async def subscribe(self, sids: list[str], wanted: bool) -> None:
        """Ask the server to send these tracks, or to stop."""
        request = rtc.UpdateSubscription(track_sids=sids, subscribe=wanted)
        await self._signalling.send(subscription=request)

    async def choose_layer(self, sids: list[str], quality: models.VideoQuality, fps: int) -> None:
        """Ask for a simulcast layer and a frame rate."""
        request = rtc.UpdateTrackSettings(track_sids=sids, quality=quality, fps=fps)
        await self._signalling.send(track_setting=request)

    def receive(self, camera: OfferedCamera, track: LatestFrameTrack) -> VideoStream:
        """Receive a camera of the newest offer."""
        if self._video is None:
            raise RuntimeError("join first")
        return self._video.receive(camera, track)

    def stop_receiving(self, stream: VideoStream) -> None:
        """Stop receiving a camera; its track ends."""
        if self._video is not None:
            self._video.stop_receiving(stream)

    async def leave(self) -> None:
        """Leave the room and close everything."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        closing = [self._signalling.close(leave=True)]
        closing += [part.close() for part in (self._video, self._publisher) if part is not None]
        await asyncio.gather(*closing)

    def _ice_servers(self, joined: rtc.JoinResponse) -> list[RTCIceServer]:
        """The operator's own servers; else the TURN servers of the room.

        A STUN server is of no use for reaching a public server, and an unreachable one delays joining by 5 s.
        """
        if self._options.settings.ice_servers:
            return rtc_servers(self._options.settings.ice_servers)
        return [
            RTCIceServer(urls=url, username=server.username, credential=server.credential)
            for server in joined.ice_servers
            for url in server.urls
            if url.startswith(("turn:", "turns:"))
        ]

    def _on_message(self, message: rtc.SignalResponse) -> None:
        kind = message.WhichOneof("message")
        if kind == "leave":
            self._on_leave(message.leave)
        elif self._early is not None:
            self._early.append(message)
        else:
            self._pass_on(kind or "", message)

    def _on_leave(self, leave: rtc.LeaveRequest) -> None:
        meaning = farewell(leave)
        if isinstance(meaning, RoomError):
            self.finish(meaning)
        else:
            self._signalling.lose(meaning)

    def _pass_on(self, kind: str, message: rtc.SignalResponse) -> None:
        match kind:
            case "update":
                self._on_update(list(message.update.participants))
            case "offer":
                self._put(self._offers, message.offer)
            case "trickle":
                self._put(self._trickled, message.trickle)
            case "answer" if self._publisher is not None:
                self._publisher.on_answer(message.answer.sdp)
            case "refresh_token":
                self._access.renew(message.refresh_token)
            case "subscription_response":
                if message.subscription_response.err == models.SubscriptionError.SE_CODEC_UNSUPPORTED:
                    self._listener.on_camera_refused(message.subscription_response.track_sid)
            case "subscription_permission_update":
                update = message.subscription_permission_update
                self._listener.on_camera_permission(update.participant_sid, update.allowed)

    def _on_update(self, participants: list[models.ParticipantInfo]) -> None:
        own = next((info for info in participants if info.identity == self.identity), None)
        if own is not None and own.HasField("permission"):
            try:
                check_permission(own.permission)
            except RoomError as exc:
                self.finish(exc)
            if own.permission.can_publish_data is not self.may_write:
                self.may_write = own.permission.can_publish_data
                self._listener.on_chat_permission(self.may_write)
        self._listener.on_participants(participants)

    def _put(self, queue: asyncio.Queue[Item], item: Item) -> None:
        try:
            queue.put_nowait(item)
        except asyncio.QueueFull:
            self._signalling.lose("the LiveKit server sends more than it should")

    async def _answer_offers(self, video: SharedConnection) -> None:
        """Answer the server's offers one after the other."""
        while True:
            offer = await self._offers.get()
            try:
                answer = await video.answer(offer.sdp)
            except (OfferError, PeerError) as exc:
                self._signalling.lose(str(exc))
                return
            self._listener.on_offer(video.cameras)
            description = rtc.SessionDescription(type="answer", sdp=answer, id=offer.id)
            await self._signalling.send(answer=description)

    async def _add_candidates(self, video: SharedConnection, publisher: Publisher) -> None:
        while True:
            trickle = await self._trickled.get()
            try:
                line = json.loads(trickle.candidateInit).get("candidate", "")
            except (ValueError, AttributeError):
                continue
            # isprintable: a line break could add lines to an SDP.
            if isinstance(line, str) and line.startswith("candidate:") and line.isprintable():
                target = video if trickle.target == rtc.SignalTarget.SUBSCRIBER else publisher
                await target.add_candidate(line)

    async def _open_chat(self, publisher: Publisher) -> None:
        if not self.may_write:
            publisher.opened.set()
            return

        async def send_offer(sdp: str) -> None:
            await self._signalling.send(offer=rtc.SessionDescription(type="offer", sdp=sdp, id=1))

        await publisher.open(send_offer)

    def _on_data(self, data: bytes) -> None:
        message = self._chat.read(data)
        if message is not None and message.identity != self.identity:
            self._listener.on_chat_message(message)
