"""One connection to a VideoRoom and its chat, from joining until the connection is lost."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from bot.config import WebrtcSettings
from bot.rooms.contract import RoomError, RoomRemoved, RoomUnavailable
from bot.rooms.janus import videoroom
from bot.rooms.janus.messages import JanusError, JanusRefused, JanusUnavailable, Reply
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.textroom import ChatListener, TextRoom
from bot.rooms.janus.videoroom import (
    INVALID_ELEMENT,
    Destroyed,
    Feed,
    Kicked,
    Notification,
    Present,
    RoomAddress,
    RoomMember,
)

_log = structlog.get_logger()

PARTICIPANT_LIST_INTERVAL_S: Final = 3.0
_CHAT_PAUSES_S: Final = (5.0, 5.0, 5.0, 5.0, 10.0, 20.0, 40.0, 60.0)


class ConnectionListener(ChatListener, Protocol):
    """Receives the events of the room and its chat."""

    def on_notification(self, notification: Notification) -> None:
        """Janus reported a change in the room."""
        ...

    def on_participant_list(self, confirmed: list[RoomMember], listed: set[Feed]) -> None:
        """Janus listed the participants; ``confirmed`` are those who are also on the previous list."""
        ...

    def on_chat_lost(self) -> None:
        """The chat was lost; ``on_chat_joined`` reports when it is back."""
        ...


class RoomConnection:
    """One connection to a VideoRoom and its chat.

    Attributes:
        session: The session on the Janus server.
        address: The room, with a number or a name as the server requires.
        private_id: Janus' proof that the bot is a participant, sent with each subscription.
        own_feed: The bot's own feed.
    """

    def __init__(
        self,
        address: RoomAddress,
        settings: WebrtcSettings,
        listener: ConnectionListener,
        connect_timeout_s: float,
    ) -> None:
        """Set up; nothing is opened yet."""
        self.session = JanusSession(address.socket_url, connect_timeout_s)
        self.private_id: object = None
        self.own_feed: Feed | None = None
        self.address = address
        self._settings, self._listener = settings, listener
        self._end: asyncio.Future[RoomError] = asyncio.get_running_loop().create_future()
        self._chat: TextRoom | None = None
        self._had_chat, self._chat_failures = False, 0
        self._chat_attempted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving_chat: asyncio.Task[None] | None = None
        # Participants present at joining and changes since then; None after ``start``.
        self._early_notifications: list[Notification] | None = []

    async def join(self) -> None:
        """Connect and join the room.

        Raises:
            JanusError: the server cannot be reached or refuses the bot; nothing stays open.
        """
        await self.session.__aenter__()
        try:
            handle = await self.session.attach(videoroom.PLUGIN, self._on_event)
            reply = await self._join_room(handle)
            members = await self._list_participants(handle)
        except BaseException:
            await self.session.__aexit__(None, None, None)
            raise
        self.private_id, own = reply.data.get("private_id"), reply.data.get("id")
        self.own_feed = own if isinstance(own, int | str) else None
        self._tasks = [
            asyncio.create_task(self._poll_participants(handle), name="janus-participants"),
            asyncio.create_task(self._stay_in_chat(), name="janus-chat"),
        ]
        initial = [*videoroom.read_notifications(reply.data), *map(Present, members or ())]
        self._early_notifications = [*initial, *(self._early_notifications or [])]

    def start(self) -> list[Notification]:
        """Return the participants at joining and all changes since; later changes go to the listener."""
        early, self._early_notifications = self._early_notifications or [], None
        return early

    async def wait_until_lost(self) -> str:
        """Wait until the connection is lost and return the reason.

        Raises:
            RoomError: the bot was kicked, the room was closed, or ``finish`` was called.
        """
        await asyncio.wait((self.session.lost, self._end), return_when=asyncio.FIRST_COMPLETED)
        if self._end.done():
            raise self._end.result()
        return self.session.lost.result()

    @property
    def chat_members(self) -> list[str]:
        """Usernames of everybody else in the chat; empty without a chat."""
        return [] if self._chat is None else self._chat.members

    async def has_chat(self) -> bool:
        """Whether the bot is in a chat; waits for the first attempt to join it."""
        await self._chat_attempted.wait()
        return self._chat is not None

    async def send(self, text: str) -> bool:
        """Send a chat message to everybody; False without a chat."""
        await self._chat_attempted.wait()
        return self._chat is not None and await self._chat.send(text)

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        """Send a private chat message to some members; False without a chat."""
        return self._chat is not None and await self._chat.whisper(text, usernames)

    def finish(self, error: RoomError) -> None:
        """End the connection for good with this error; only the first call counts."""
        if not self._end.done():
            self._end.set_result(error)

    async def leave(self) -> None:
        """Leave the room and close everything."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._leaving_chat is not None:
            await asyncio.wait([self._leaving_chat])
        self._chat_attempted.set()
        await self.session.__aexit__(None, None, None)

    def _on_event(self, reply: Reply) -> None:
        if reply.kind == "detached":  # the operator removed the handle: no more events would arrive
            self.session.lose("the Janus server detached the bot")
        for notification in videoroom.read_notifications(reply.data):
            if isinstance(notification, Kicked):
                self.finish(RoomRemoved("a moderator removed the bot from the room"))
            elif isinstance(notification, Destroyed):
                self.finish(RoomUnavailable("the room was closed on the Janus server"))
            elif self._early_notifications is not None:
                # Kept until ``start``: the listener cannot receive cameras before.
                self._early_notifications.append(notification)
            else:
                self._listener.on_notification(notification)

    async def _join_room(self, handle: int) -> Reply:
        try:
            return await self.session.request(handle, videoroom.join_request(self.address))
        except JanusRefused as exc:
            address = self.address.with_text_id()
            if exc.code != INVALID_ELEMENT or address is None:
                raise
            self.address = address  # the server has ``string_ids``
            return await self.session.request(handle, videoroom.join_request(address))

    async def _list_participants(self, handle: int) -> list[RoomMember] | None:
        """List everybody in the room, including the bot; None if Janus refuses.

        Raises:
            JanusUnavailable: no answer.
        """
        try:
            request = {"request": "listparticipants", "room": self.address.room}
            reply = await self.session.request(handle, request)
        except JanusRefused as exc:
            _log.info("Janus lists no participants: those without a camera stay unknown", code=exc.code)
            return None
        return videoroom.read_participants(reply.data)

    async def _poll_participants(self, handle: int) -> None:
        """Poll the list: without ``notify_joining`` Janus reports no participants without a camera."""
        previous: set[Feed] = set()
        while not self.session.lost.done():
            try:
                members = await self._list_participants(handle)
                if members is None:
                    return
                listed = {member.feed for member in members}
                if previous and self._early_notifications is None:
                    # A single list may be older than the events received before it, so two must agree.
                    confirmed = [member for member in members if member.feed in previous]
                    self._listener.on_participant_list(confirmed, listed)
                previous = listed
            except JanusUnavailable as exc:
                # One missed list does no harm; if the session is lost, the loop ends.
                _log.info("participants could not be listed", reason=str(exc))
            await asyncio.sleep(PARTICIPANT_LIST_INTERVAL_S)

    async def _stay_in_chat(self) -> None:
        """Stay in the chat, if there is one, as long as the connection lasts."""
        try:
            while not self.session.lost.done():
                if not await self._use_chat():
                    return
                await asyncio.sleep(_CHAT_PAUSES_S[min(self._chat_failures, len(_CHAT_PAUSES_S) - 1)])
        finally:
            self._chat_attempted.set()

    async def _use_chat(self) -> bool:
        """Join the chat and wait until it is lost; False if a retry is pointless."""
        chat = TextRoom(self.session, self.address, self._listener)
        try:
            self._chat_failures += 1
            if not await chat.join(self._settings.ice_servers):
                return self._had_chat or not chat.hopeless
            self._chat, self._had_chat, self._chat_failures = chat, True, 0
            self._chat_attempted.set()
            await chat.lost.wait()
            self._listener.on_chat_lost()
            return True
        except JanusError:
            return True
        finally:
            self._chat = None
            self._chat_attempted.set()
            # A separate task, so that cancelling this one does not interrupt the closing.
            self._leaving_chat = asyncio.create_task(chat.leave(), name="janus-chat-leave")
            await asyncio.shield(self._leaving_chat)
