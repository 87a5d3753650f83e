"""The chat of a VideoRoom: the TextRoom with the same number or name, over its own data channel.

If Janus has no such TextRoom, or it cannot be reached, the class continues without a chat.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from bot.rooms.janus.messages import JanusRefused, Reply
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.videoroom import RoomAddress, normalize_name
from bot.webrtc.ice import rtc_servers
from bot.webrtc.peer import AIORTC_RAISES

_log = structlog.get_logger()

PLUGIN: Final = "janus.plugin.textroom"
MAX_MESSAGE_CHARS: Final = 4000
"""Received messages are cut to this length."""

_CHANNEL: Final = "JanusDataChannel"
_JOIN_TIMEOUT_S: Final = 8.0
_ANSWER_TIMEOUT_S: Final = 4.0
_CLOSE_TIMEOUT_S: Final = 3.0


class ChatError(Exception):
    """The chat cannot be joined or used."""


class ChatRefused(ChatError):
    """The chat answered a request with an error."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message that somebody else sent to the chat.

    Attributes:
        username: The sender's identifier, unique in the chat.
        display: The sender's display name.
        text: The text, cut to ``MAX_MESSAGE_CHARS``.
    """

    username: str
    display: str | None
    text: str


class ChatListener(Protocol):
    """Receives the events of the chat. Only other members are reported, never the bot itself."""

    def on_chat_message(self, message: ChatMessage) -> None:
        """A member sent a message."""
        ...

    def on_chat_member_joined(self, username: str) -> None:
        """A member joined."""
        ...

    def on_chat_member_left(self, username: str) -> None:
        """A member left or was kicked."""
        ...

    def on_chat_joined(self, usernames: list[str]) -> None:
        """The bot joined; ``usernames`` are the members present."""
        ...


class TextRoom:
    """One connection to the chat.

    Attributes:
        lost: Set when the chat can no longer be used.
        hopeless: Whether a retry is pointless: there is no chat, or it refuses the bot.
    """

    def __init__(self, session: JanusSession, address: RoomAddress, listener: ChatListener) -> None:
        """Set up; nothing is opened yet."""
        self.lost = asyncio.Event()
        self.hopeless = False
        self._session, self._address, self._listener = session, address, listener
        self._room: int | str = address.room
        self._username = f"classmood-{secrets.token_hex(4)}"
        self._displays: dict[str, str | None] = {}
        self._pending: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._handle: int | None = None
        self._connection: RTCPeerConnection | None = None
        self._channel: RTCDataChannel | None = None

    async def join(self, ice_servers: tuple[str, ...]) -> bool:
        """Connect and join; False if there is no such chat or it cannot be joined.

        Raises:
            JanusUnavailable: the session was lost.
        """
        try:
            async with asyncio.timeout(_JOIN_TIMEOUT_S):
                self._handle = await self._session.attach(PLUGIN, self._on_event)
                if not await self._exists(self._handle):
                    self.hopeless = True
                    return False
                await self._connect(self._handle, ice_servers)
                await self._enter_room()
        except (JanusRefused, ChatError, ConnectionError, ValueError, TimeoutError) as exc:
            # A refusal before there is a handle means that the plugin is missing; others may be temporary.
            no_plugin = isinstance(exc, JanusRefused) and self._handle is None
            self.hopeless = no_plugin or isinstance(exc, ChatRefused)
            _log.info("the chat of this room could not be joined", reason=type(exc).__name__)
            return False
        return True

    @property
    def members(self) -> list[str]:
        """Usernames of everybody else in the chat."""
        return list(self._displays)

    async def send(self, text: str) -> bool:
        """Send a message to everybody; return whether Janus delivered it."""
        try:
            await self._ask({"textroom": "message", "text": text})
        except ChatError:
            return False
        return True

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        """Send a private message; return whether Janus delivered it to the members who are still present."""
        try:
            await self._ask({"textroom": "message", "text": text, "tos": usernames})
        except ChatError:
            return False
        return True

    async def leave(self) -> None:
        """Leave the chat and close its connection."""
        self.lost.set()
        if self._connection is not None:
            closing = asyncio.create_task(self._connection.close(), name="janus-chat-close")
            await asyncio.wait([closing], timeout=_CLOSE_TIMEOUT_S)
        if self._handle is not None:
            await self._session.detach(self._handle)

    async def _exists(self, handle: int) -> bool:
        """Whether the TextRoom exists, by number or, as on servers with ``string_ids``, by name."""
        request = {"request": "exists", "room": self._room}
        try:
            reply = await self._session.request(handle, request)
        except JanusRefused:
            if isinstance(self._room, str):
                return False
            self._room = str(self._room)
            reply = await self._session.request(handle, request | {"room": self._room})
        return reply.data.get("exists") is True

    async def _connect(self, handle: int, ice_servers: tuple[str, ...]) -> None:
        offer = await self._session.request(handle, {"request": "setup"})
        servers = rtc_servers(ice_servers)
        connection = self._connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp=offer.sdp or "", type="offer"))
            channel = self._channel = connection.createDataChannel(_CHANNEL)
            opened = asyncio.Event()
            channel.on("open", opened.set)
            channel.on("close", self.lost.set)
            channel.on("message", self._on_message)
            await connection.setLocalDescription(await connection.createAnswer())
        except AIORTC_RAISES as exc:
            raise ChatError("the server's offer for the chat connection is not usable") from exc
        await self._session.request(handle, {"request": "ack"}, connection.localDescription.sdp)
        if channel.readyState != "open":
            await opened.wait()

    async def _enter_room(self) -> None:
        request: dict[str, object] = {
            "textroom": "join",
            "username": self._username,
            "display": self._address.name,
            "history": False,  # data minimisation: no messages from before the bot joined
        }
        if self._address.pin is not None:
            request["pin"] = self._address.pin
        reply = await self._ask(request)
        for entry in reply.get("participants") or []:
            if isinstance(entry, dict) and isinstance(entry.get("username"), str):
                self._displays[entry["username"]] = normalize_name(entry.get("display"))
        self._displays.pop(self._username, None)
        self._listener.on_chat_joined(self.members)

    async def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        channel = self._channel
        if channel is None or channel.readyState != "open" or self.lost.is_set():
            raise ChatError("the chat connection is closed")
        transaction = secrets.token_hex(8)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[transaction] = answer
        try:
            channel.send(json.dumps({**request, "transaction": transaction, "room": self._room}))
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                reply = await answer
        except TimeoutError as exc:
            raise ChatError("the chat does not answer") from exc
        except AIORTC_RAISES as exc:  # for example ValueError for a message that is too long
            raise ChatError("the request could not be sent to the chat") from exc
        finally:
            del self._pending[transaction]
        if reply.get("textroom") == "error":
            raise ChatRefused("the chat refused a request")
        return reply

    def _on_message(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        kind, username = message.get("textroom"), message.get("username")
        pending = self._pending.get(str(message.get("transaction")))
        if pending is not None and kind in ("success", "error"):
            if not pending.done():
                pending.set_result(message)
        elif kind == "join" and isinstance(username, str) and username != self._username:
            self._displays[username] = normalize_name(message.get("display"))
            self._listener.on_chat_member_joined(username)
        elif kind == "destroyed" or (kind == "kicked" and username == self._username):
            self.lost.set()
        elif kind in ("leave", "kicked") and isinstance(username, str):
            self._displays.pop(username, None)
            self._listener.on_chat_member_left(username)
        elif kind == "message":
            self._receive(message)

    def _receive(self, message: dict[str, Any]) -> None:
        username, text = message.get("from"), message.get("text")
        if isinstance(username, str) and isinstance(text, str) and username != self._username:
            display = self._displays.get(username) or normalize_name(message.get("display"))
            self._listener.on_chat_message(ChatMessage(username, display, text[:MAX_MESSAGE_CHARS]))

    def _on_event(self, reply: Reply) -> None:
        if reply.kind in ("hangup", "detached"):
            self.lost.set()
