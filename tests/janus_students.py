"""Students of a Janus room: they publish synthetic cameras with aiortc, and use its chat."""

from __future__ import annotations

import asyncio
import json
import re
from types import TracebackType
from typing import Any, Self

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCSessionDescription,
)
from aiortc.rtcrtpsender import RTCRtpSender

from bot.rooms.janus.messages import JanusRefused, Reply
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.textroom import PLUGIN, ChatMessage, TextRoom
from bot.rooms.janus.videoroom import RoomAddress
from tests.cameras import SyntheticCamera
from tests.janus_server import OPEN_ROOM


class JanusStudent:
    """A student in a VideoRoom, with or without a camera; ``async with`` joins and leaves."""

    def __init__(
        self,
        url: str,
        display: str | None,
        room: int | str = OPEN_ROOM,
        pin: str | None = None,
        *,
        room_options: dict[str, Any] | None = None,
        grey: int = 128,
    ) -> None:
        """Set up; with ``room_options`` the student creates the room first, with these options."""
        self.camera = SyntheticCamera(grey=grey)
        self._opens = room_options
        self.feed: int | str = 0
        self._camera_up, self._somebody_left = asyncio.Event(), asyncio.Event()
        self._left_feeds: set[int | str] = set()
        self._session = JanusSession(url, 5.0)
        self._join: dict[str, Any] = {"request": "join", "ptype": "publisher", "room": room}
        if display is not None:
            self._join["display"] = display
        if pin is not None:
            self._join["pin"] = pin
        self._handle = 0
        self._connection: RTCPeerConnection | None = None

    async def __aenter__(self) -> Self:
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def join(self) -> None:
        await self._session.__aenter__()
        self._handle = await self._session.attach("janus.plugin.videoroom", self._on_event)
        if self._opens is not None:
            await self.request({"request": "create", "room": self._join["room"], **self._opens})
        reply = await self._session.request(self._handle, self._join)
        self.feed = reply.data["id"]

    async def publish(
        self,
        codec: str = "video/VP8",
        track: MediaStreamTrack | None = None,
        profile: str | None = None,
        *,
        screen: MediaStreamTrack | None = None,
    ) -> None:
        """Publish the camera, or another track in its place.

        Args:
            codec: MIME type of the codec.
            track: Published instead of the camera.
            profile: H.264 profile to announce instead of the real one.
            screen: A shared screen, published before the camera and described as a screen.
        """
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        offered = RTCRtpSender.getCapabilities("video").codecs
        chosen: list[RTCRtpCodecCapability] = [one for one in offered if one.mimeType == codec]
        for one in (screen, track or self.camera):
            if one is not None:
                transceiver = self._connection.addTransceiver(one, direction="sendonly")
                transceiver.setCodecPreferences(chosen)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = self._connection.localDescription.sdp
        if profile is not None:
            offer = re.sub("profile-level-id=[0-9a-f]{6}", f"profile-level-id={profile}", offer)
        publish: dict[str, object] = {"request": "publish"}
        if screen is not None:
            publish["descriptions"] = [{"mid": "0", "description": "My Screen"}]
        reply = await self._send_offer(publish, {"type": "offer", "sdp": offer})
        if profile is not None:
            reply = reply.replace(profile, "42001f")
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp=reply, type="answer"))

    async def wait_until_published(self) -> None:
        """Wait until Janus receives the camera and offers it to the others."""
        async with asyncio.timeout(20):
            await self._camera_up.wait()

    async def wait_until_left(self, feed: int | str) -> None:
        """Wait until Janus reports that the participant with this feed has left."""
        async with asyncio.timeout(20):
            while feed not in self._left_feeds:
                self._somebody_left.clear()
                await self._somebody_left.wait()

    async def wait_until_alone(self) -> None:
        """Wait until nobody else is in the room."""
        request = {"request": "listparticipants", "room": self._join["room"]}
        self._somebody_left.clear()
        while len((await self.request(request)).data["participants"]) > 1:
            await self._somebody_left.wait()
            self._somebody_left.clear()

    async def unpublish(self) -> None:
        await self.request({"request": "unpublish"})
        await self._hang_up()

    async def request(self, body: dict[str, Any]) -> Reply:
        """Send a request to the VideoRoom plugin and return the answer."""
        return await self._session.request(self._handle, body)

    async def leave(self) -> None:
        """Leave without notice, like a closed tab."""
        await self._session.__aexit__(None, None, None)
        await self._hang_up()

    def _on_event(self, reply: Reply) -> None:
        if reply.kind == "webrtcup":
            self._camera_up.set()
        if isinstance(feed := reply.data.get("leaving"), int | str):
            self._left_feeds.add(feed)
            self._somebody_left.set()

    async def _hang_up(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _send_offer(self, body: dict[str, object], jsep: dict[str, str]) -> str:
        # The bot never sends an offer, so its session has no method for it.
        message = {"janus": "message", "handle_id": self._handle, "body": body, "jsep": jsep}
        reply = await self._session._transport.ask(json.loads(json.dumps(message)))
        if (code := reply["plugindata"]["data"].get("error_code")) is not None:
            raise JanusRefused(code)
        sdp: str = reply["jsep"]["sdp"]
        return sdp


class ChatStudent:
    """A student in the chat of a room.

    Attributes:
        messages: The messages of the others, in order.
    """

    def __init__(self, url: str, display: str, room: int | str = OPEN_ROOM, pin: str | None = None) -> None:
        self.messages: asyncio.Queue[ChatMessage] = asyncio.Queue()
        self._session = JanusSession(url, 5.0)
        self._handle = 0
        self._chat = TextRoom(self._session, RoomAddress(url, room, pin, display, ""), self)

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        self._handle = await self._session.attach(PLUGIN, lambda _event: None)
        assert await self._chat.join(())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._chat.leave()
        await self._session.__aexit__(None, None, None)

    async def send(self, text: str) -> None:
        assert await self._chat.send(text)

    async def whisper(self, text: str, username: str) -> bool:
        return await self._chat.whisper(text, [username])

    async def request(self, request: str, **more: object) -> None:
        """Send a request to the TextRoom plugin; a room without a secret obeys everybody."""
        await self._session.request(self._handle, {"request": request, "room": OPEN_ROOM, **more})

    @property
    def username(self) -> str:
        return self._chat._username

    async def next_message(self) -> ChatMessage:
        """Wait for the next message of somebody else."""
        async with asyncio.timeout(20):
            return await self.messages.get()

    def on_chat_message(self, message: ChatMessage) -> None:
        self.messages.put_nowait(message)

    def on_chat_member_joined(self, username: str) -> None:
        """Ignored."""

    def on_chat_member_left(self, username: str) -> None:
        """Ignored."""

    def on_chat_joined(self, usernames: list[str]) -> None:
        """Ignored."""
