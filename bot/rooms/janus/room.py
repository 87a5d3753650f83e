"""Joins a Janus VideoRoom for a class, uses its chat, and reconnects when the connection is lost.

When the connection is lost, everything that belongs to it is closed and a new one is made. ``Participants``
keeps the participants' identifiers the same across connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final

import structlog

from bot.config import WebrtcSettings
from bot.rooms import contract
from bot.rooms.common.announcer import Announcer
from bot.rooms.common.chat_commands import HOW_TO_OPT_OUT, OPTED_OUT, answer_in, is_opt_out
from bot.rooms.common.event_queue import EventQueue
from bot.rooms.contract import RoomDenied, RoomEvent, RoomUnavailable
from bot.rooms.janus.camera import Reception
from bot.rooms.janus.connection import RoomConnection
from bot.rooms.janus.messages import JanusError, JanusRefused
from bot.rooms.janus.participants import Participants
from bot.rooms.janus.reconnect import ATTEMPT_TIMEOUT_S, DEFAULT_TIMEOUTS, ReconnectTimeouts, reconnect
from bot.rooms.janus.textroom import ChatMessage
from bot.rooms.janus.videoroom import Feed, Notification, RoomAddress, RoomMember, as_room_error
from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.receive_options import ReceiveOptions
from reports.summary.asks import Ask
from reports.summary.words import N_, chat_question

_log = structlog.get_logger()

NOT_FOUND: Final = N_(
    "Use the same name in the chat and for your camera and write /optout again, "
    "or switch your camera off: no camera has your chat name."
)

_MAX_CONNECTING: Final = 4
_DECODE_THREADS: Final = 2
_MAX_CHAT_REPLIES: Final = 200
_MUST_ANNOUNCE: Final = (
    "ClassMood must be able to inform everybody: give the room a chat again and start a new class"
)


class JanusRoom:
    """One class in one VideoRoom.

    Attributes:
        code: Always None: students join on the room's own page.
        public_url: The room URL without secrets.
        key: Identifies the room on its server.
        synthetic: Always False.
    """

    def __init__(
        self,
        address: RoomAddress,
        settings: WebrtcSettings,
        *,
        samples_per_s: float,
        key: str | None = None,
        receives: bool = True,
        must_announce: bool = False,
        say: Callable[[str], str] = str,
        timeouts: ReconnectTimeouts = DEFAULT_TIMEOUTS,
        on_dropped: Callable[[int], None] = lambda _frames: None,
    ) -> None:
        """Set up; nothing is opened yet.

        Args:
            address: The room.
            settings: ICE servers and timeouts.
            samples_per_s: Frames analysed per second and camera; decides the temporal layer to request.
            key: Identifies the room on its server; the public URL by default.
            receives: Whether cameras are received.
            must_announce: Whether to leave a room if somebody there cannot be informed about the bot.
            say: Translates what the bot says in the chat.
            timeouts: How long to wait for a lost server, room or chat.
            on_dropped: Called with the number of encoded frames dropped.
        """
        self.code: str | None = None
        self.public_url, self.key = address.public_url, key or address.public_url
        self.synthetic = False
        self._say = say
        self._address, self._settings, self._timeouts = address, settings, timeouts
        self._temporal = temporal_layer(samples_per_s)
        self._threads = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        self._options = ReceiveOptions(settings, self._threads, BatchTicks(), 2 * samples_per_s, on_dropped)
        self._events = EventQueue()
        self._participants = Participants(self._events.put, receives=receives)
        self._connection: RoomConnection | None = None
        self._announcer = Announcer(
            self,
            lambda: asyncio.get_running_loop().time(),
            self._on_unreachable,
            chat_timeout_s=timeouts.chat_s,
        )
        self._has_announced, self._must_announce = False, must_announce
        self._following: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._chat_replies: set[asyncio.Task[bool]] = set()

    async def __aenter__(self) -> JanusRoom:
        """Join the room.

        Raises:
            RoomError: the server cannot be reached or refuses the bot.
        """
        try:
            connection = await self._join(self._settings.connect_timeout_s)
        except JanusRefused as exc:
            raise as_room_error(exc, self._address) from exc
        except JanusError as exc:
            raise RoomUnavailable(f"{exc}: check host, port and network") from exc
        self._use(connection)
        self._following = asyncio.create_task(self._follow(connection), name="janus-room")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave, and close every connection."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        if self._connection is not None:  # cancelled before the task started
            await self._close(self._connection)
        if self._closing is not None:  # cancelled while it was closing a connection
            await asyncio.wait([self._closing])
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._events.end()

    async def events(self) -> AsyncIterator[RoomEvent]:
        """Yield the room's events in order until the bot leaves.

        Raises:
            RoomError: the bot was removed, or the room cannot be reached any more.
        """
        while (event := await self._events.get()) is not None:
            yield event

    async def announce(self, text: str) -> bool:
        """Send the text and how to opt out to everybody in the chat, now or later; False without a chat."""
        notice, connection = f"{text} {self._say(HOW_TO_OPT_OUT)}", self._connection
        has_chat = connection is not None and await connection.has_chat()
        self._announcer.set_notice(notice)  # even without a chat: the room may have one after a reconnect
        if connection is None or not has_chat:
            return False
        if not await connection.send(notice):
            return False
        # Janus reports a new member before it confirms a message, so these members have all received it.
        self._announcer.mark_informed(connection.chat_members)
        self._has_announced = True
        return True

    async def ask(self, question: Ask | None) -> bool:
        """Ask in the chat; a digit there is an answer. Nothing is said when the question closes."""
        return question is not None and await self.send(chat_question(question, self._say))

    async def leave_out(self, who: str) -> int:
        """Opt out everybody with this display name, as if they had written ``/optout`` in the chat."""
        return self._participants.opt_out(who)

    async def send(self, text: str) -> bool:
        """Send a chat message to everybody; return whether it was delivered."""
        return self._connection is not None and await self._connection.send(text)

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        """Send a private chat message to some members; return whether it was delivered."""
        return self._connection is not None and await self._connection.whisper(text, usernames)

    async def _join(self, connect_timeout_s: float) -> RoomConnection:
        connection = RoomConnection(self._address, self._settings, self, connect_timeout_s)
        await connection.join()
        return connection

    def _use(self, connection: RoomConnection) -> None:
        """Make this connection the current one and receive its cameras."""
        self._connection = connection
        reception = Reception(
            session=connection.session,
            address=connection.address,
            private_id=connection.private_id,
            options=self._options,
            temporal=self._temporal,
            connection_limit=asyncio.Semaphore(_MAX_CONNECTING),
        )
        self._participants.connect(reception, connection.own_feed, connection.start())

    async def _follow(self, connection: RoomConnection) -> None:
        """Reconnect after each loss, until the bot leaves or reconnecting fails."""
        try:
            while True:
                try:
                    reason = await connection.wait_until_lost()
                    sentence = f"{reason[0].upper()}{reason[1:]}: reconnecting."
                    self._events.put(contract.Disconnected(sentence))
                finally:
                    await self._close(connection)
                connection = await self._reconnect()
                self._events.put(contract.Reconnected())
                self._use(connection)
        except Exception as exc:  # noqa: BLE001  # raised by ``events``, which would wait forever otherwise
            self._events.end(exc)

    async def _reconnect(self) -> RoomConnection:
        """Join the room again; with ``must_announce`` only together with its chat.

        Raises:
            RoomError: reconnecting timed out, the room refuses the bot, or its chat is missing.
        """
        connection = await reconnect(lambda: self._join(ATTEMPT_TIMEOUT_S), self._address, self._timeouts)
        try:
            # Checked before any camera is received: participants who joined meanwhile must be informed first.
            if self._has_announced and self._must_announce and not await connection.has_chat():
                raise RoomDenied(f"the room came back without its chat, and {_MUST_ANNOUNCE}")
        except BaseException:
            await connection.leave()
            raise
        return connection

    async def _close(self, connection: RoomConnection) -> None:
        """Close a connection in a separate task: a cancellation halfway would leave a session open."""
        self._connection = None
        self._closing = asyncio.create_task(self._close_all(connection), name="janus-close")
        await asyncio.shield(self._closing)

    async def _close_all(self, connection: RoomConnection) -> None:
        replies = list(self._chat_replies)
        for reply in replies:
            reply.cancel()
        ending = (self._participants.disconnect(), self._announcer.close())
        await asyncio.gather(*ending, *replies, return_exceptions=True)
        await connection.leave()

    def on_notification(self, notification: Notification) -> None:
        """Janus reported a change in the room."""
        self._participants.on_notification(notification)

    def on_participant_list(self, confirmed: list[RoomMember], listed: set[Feed]) -> None:
        """Janus listed the participants: add and remove those whom its events did not report."""
        self._participants.on_participant_list(confirmed, listed)

    def on_chat_message(self, message: ChatMessage) -> None:
        """A member sent a chat message; everything except an opt-out and a single digit is ignored."""
        number = answer_in(message.text)
        if number is not None:
            self._participants.answer(number, message.display, message.username)
            return
        if not is_opt_out(message.text):
            return
        opted_out = self._participants.opt_out(message.display, message.username)
        self._reply_in_chat(self._say(OPTED_OUT if opted_out else NOT_FOUND), message.username)

    def on_chat_member_joined(self, username: str) -> None:
        """A member joined the chat and gets the notice."""
        self._announcer.on_member_joined(username)

    def on_chat_member_left(self, username: str) -> None:
        """A member left the chat."""
        self._announcer.on_member_left(username)

    def on_chat_joined(self, usernames: list[str]) -> None:
        """The bot joined the chat, possibly again."""
        self._participants.pause_new_cameras(False)
        self._announcer.on_chat_joined(usernames)

    def on_chat_lost(self) -> None:
        """The chat was lost; with ``must_announce`` no new camera is received until it is back."""
        self._participants.pause_new_cameras(self._must_announce and self._has_announced)
        self._announcer.on_chat_lost()

    def _on_unreachable(self) -> None:
        """Some members cannot be informed about the bot; with ``must_announce`` that ends the class."""
        if self._must_announce and self._has_announced and self._connection is not None:
            error = RoomDenied(f"the chat no longer reaches everybody, and {_MUST_ANNOUNCE}")
            self._connection.finish(error)

    def _reply_in_chat(self, text: str, username: str) -> None:
        if self._connection is not None and len(self._chat_replies) < _MAX_CHAT_REPLIES:
            reply = asyncio.create_task(self._connection.whisper(text, [username]), name="janus-reply")
            self._chat_replies.add(reply)
            reply.add_done_callback(self._chat_replies.discard)


def temporal_layer(samples_per_s: float) -> int:
    """Choose the lowest temporal layer with enough frames.

    Of a camera's 15 frames per second, layer 0 has about 4, and layers 0 and 1 together have about 7.
    """
    if samples_per_s <= 3:
        return 0
    return 1 if samples_per_s <= 6 else 2
