"""The chat beside a VideoRoom: a TextRoom of the same number, on a data channel of its own.

Comes in: lines to say. Goes out: lines others said, and who came. Where Janus has no such chat, or it
cannot be reached, there is none, and the class goes on without.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from bot.rooms.janus.client import JanusSession
from bot.rooms.janus.messages import JanusRefused, Reply
from bot.rooms.janus.videoroom import RoomAddress, read_name
from bot.webrtc.ice import rtc_servers
from bot.webrtc.peer import AIORTC_RAISES

_log = structlog.get_logger()

PLUGIN: Final = "janus.plugin.textroom"
MOST_LINE_CHARS: Final = 4000

_CHANNEL: Final = "JanusDataChannel"
_ENTER_TIMEOUT_S: Final = 8.0
_ANSWER_TIMEOUT_S: Final = 4.0
_CLOSE_TIMEOUT_S: Final = 3.0


class ChatError(Exception):
    """The chat cannot be had or used."""


class ChatRefused(ChatError):
    """The chat answers that it will not."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something said in the chat.

    Attributes:
        username: Who said it, unique in the chat.
        display: The name they gave.
        text: What they said.
    """

    username: str
    display: str | None
    text: str


class ChatListener(Protocol):
    """Who wants to know what happens in the chat."""

    def on_line(self, line: Line) -> None:
        """Somebody else said something."""
        ...

    def on_reader(self, username: str) -> None:
        """Somebody else came in."""
        ...

    def on_reader_gone(self, username: str) -> None:
        """Somebody else went."""
        ...

    def on_readers(self, usernames: list[str]) -> None:
        """The bot came in; these were there."""
        ...


class TextRoom:
    """One stay in the chat.

    Attributes:
        lost: Set when it no longer works.
        hopeless: Whether it is not worth another try: there is none, or it does not want the bot.
    """

    def __init__(self, session: JanusSession, address: RoomAddress, listener: ChatListener) -> None:
        """Set up; nothing is opened yet."""
        self.lost = asyncio.Event()
        self.hopeless = False
        self._session, self._address, self._listener = session, address, listener
        self._room: int | str = address.room
        self._username = f"classmood-{secrets.token_hex(4)}"
        self._displays: dict[str, str | None] = {}
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._handle: int | None = None
        self._connection: RTCPeerConnection | None = None
        self._channel: RTCDataChannel | None = None

    async def enter(self, ice_servers: tuple[str, ...]) -> bool:
        """Come in; False where there is no such chat.

        Raises:
            JanusGone: the session broke.
        """
        try:
            async with asyncio.timeout(_ENTER_TIMEOUT_S):
                self._handle = await self._session.attach(PLUGIN, self._on_event)
                if not await self._exists(self._handle):
                    self.hopeless = True
                    return False
                await self._connect(self._handle, ice_servers)
                await self._join()
        except (JanusRefused, ChatError, ConnectionError, ValueError, TimeoutError) as exc:
            no_plugin = isinstance(exc, JanusRefused) and self._handle is None
            self.hopeless = no_plugin or isinstance(exc, ChatRefused)
            _log.info("no chat in this room", reason=type(exc).__name__)
            return False
        return True

    @property
    def readers(self) -> list[str]:
        """Everybody else in the chat, by username."""
        return list(self._displays)

    async def say(self, text: str) -> bool:
        """Say something to everyone; whether Janus passed it on."""
        try:
            await self._ask({"textroom": "message", "text": text})
        except ChatError:
            return False
        return True

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        """Say something to some; whether Janus passed it on to those of them who are there."""
        try:
            await self._ask({"textroom": "message", "text": text, "tos": usernames})
        except ChatError:
            return False
        return True

    async def leave(self) -> None:
        """Go and close everything."""
        self.lost.set()
        if self._connection is not None:
            closing = asyncio.create_task(self._connection.close(), name="janus-chat-close")
            await asyncio.wait([closing], timeout=_CLOSE_TIMEOUT_S)
        if self._handle is not None:
            await self._session.detach(self._handle)

    async def _exists(self, handle: int) -> bool:
        """Whether there is such a chat; its rooms may have names where the others have numbers."""
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
            raise ChatError("the chat's connection cannot be made from what the server offers") from exc
        await self._session.request(handle, {"request": "ack"}, connection.localDescription.sdp)
        if channel.readyState != "open":
            await opened.wait()

    async def _join(self) -> None:
        request: dict[str, object] = {
            "textroom": "join",
            "username": self._username,
            "display": self._address.name,
            "history": False,  # what was said before the bot came is not its business
        }
        if self._address.pin is not None:
            request["pin"] = self._address.pin
        reply = await self._ask(request)
        for entry in reply.get("participants") or []:
            if isinstance(entry, dict) and isinstance(entry.get("username"), str):
                self._displays[entry["username"]] = read_name(entry.get("display"))
        self._displays.pop(self._username, None)
        self._listener.on_readers(self.readers)

    async def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        channel = self._channel
        if channel is None or channel.readyState != "open" or self.lost.is_set():
            raise ChatError("the chat's connection is closed")
        transaction = secrets.token_hex(8)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[transaction] = answer
        try:
            channel.send(json.dumps({**request, "transaction": transaction, "room": self._room}))
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                reply = await answer
        except TimeoutError as exc:
            raise ChatError("the chat does not answer") from exc
        except AIORTC_RAISES as exc:  # too long a line is a ValueError
            raise ChatError("the chat cannot pass on a request") from exc
        finally:
            del self._asked[transaction]
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
        asked = self._asked.get(str(message.get("transaction")))
        if asked is not None and kind in ("success", "error"):
            if not asked.done():
                asked.set_result(message)
        elif kind == "join" and isinstance(username, str) and username != self._username:
            self._displays[username] = read_name(message.get("display"))
            self._listener.on_reader(username)
        elif kind == "destroyed" or (kind == "kicked" and username == self._username):
            self.lost.set()
        elif kind in ("leave", "kicked") and isinstance(username, str):
            self._displays.pop(username, None)
            self._listener.on_reader_gone(username)
        elif kind == "message":
            self._take_line(message)

    def _take_line(self, message: dict[str, Any]) -> None:
        username, text = message.get("from"), message.get("text")
        if isinstance(username, str) and isinstance(text, str) and username != self._username:
            display = self._displays.get(username) or read_name(message.get("display"))
            self._listener.on_line(Line(username, display, text[:MOST_LINE_CHARS]))

    def _on_event(self, reply: Reply) -> None:
        if reply.kind in ("hangup", "detached"):
            self.lost.set()
