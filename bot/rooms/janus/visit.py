"""One stay in a VideoRoom, from joining to the loss of the connection; and the chat beside it.

Comes in: an address. Goes out: news of who comes, goes, publishes, to a listener; at the end, why it is over.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from bot.config import WebrtcSettings
from bot.rooms.contract import RoomError, RoomRemoved, RoomUnavailable
from bot.rooms.janus import videoroom
from bot.rooms.janus.client import JanusSession
from bot.rooms.janus.messages import JanusError, JanusGone, JanusRefused, Reply
from bot.rooms.janus.textroom import ChatListener, TextRoom
from bot.rooms.janus.videoroom import WRONG_TYPE, Destroyed, Feed, News, Person, Present, PutOut, RoomAddress

_log = structlog.get_logger()

ROLL_INTERVAL_S: Final = 3.0
_CHAT_PAUSES_S: Final = (5.0, 5.0, 5.0, 5.0, 10.0, 20.0, 40.0, 60.0)


class VisitListener(ChatListener, Protocol):
    """Who wants to know what happens in the room."""

    def on_news(self, news: News) -> None:
        """Something happened."""
        ...

    def on_roll(self, here: list[Person], now: set[Feed]) -> None:
        """The roll was called: ``now`` are there; all of ``here`` were there the time before, too."""
        ...

    def on_chat_lost(self) -> None:
        """There was a chat, and it is gone; ``on_readers`` tells when it is back."""
        ...


class Visit:
    """One stay.

    Attributes:
        session: Its session.
        address: The room, as the server wants it called.
        private_id: What Janus gave the bot to show that it is a participant.
        own_feed: What Janus calls the bot.
    """

    def __init__(
        self,
        address: RoomAddress,
        settings: WebrtcSettings,
        listener: VisitListener,
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
        self._chat_tried = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving_chat: asyncio.Task[None] | None = None
        self._early: list[News] | None = []  # who was there and what happened since, until the stay begins

    async def enter(self) -> None:
        """Join.

        Raises:
            JanusError: the server cannot be reached, or does not let the bot in; nothing is left open.
        """
        await self.session.__aenter__()
        try:
            handle = await self.session.attach(videoroom.PLUGIN, self._on_event)
            reply = await self._join(handle)
            people = await self._ask_who_is_there(handle)
        except BaseException:
            await self.session.__aexit__(None, None, None)
            raise
        self.private_id, own = reply.data.get("private_id"), reply.data.get("id")
        self.own_feed = own if isinstance(own, int | str) else None
        self._tasks = [
            asyncio.create_task(self._call_the_roll(handle), name="janus-roll"),
            asyncio.create_task(self._keep_chat(), name="janus-chat"),
        ]
        there = [*videoroom.read_news(reply.data), *map(Present, people or ())]
        self._early = [*there, *(self._early or [])]

    def begin(self) -> list[News]:
        """Who was there when the bot joined, and what happened since; from now on the listener is told."""
        early, self._early = self._early or [], None
        return early

    async def over(self) -> str:
        """Wait until the connection is lost; why.

        Raises:
            RoomError: the bot was put out, or the room is no more.
        """
        await asyncio.wait((self.session.gone, self._end), return_when=asyncio.FIRST_COMPLETED)
        if self._end.done():
            raise self._end.result()
        return self.session.gone.result()

    @property
    def readers(self) -> list[str]:
        """Everybody in the chat, by username; nobody where there is none."""
        return [] if self._chat is None else self._chat.readers

    async def has_chat(self) -> bool:
        """Whether there is a chat."""
        await self._chat_tried.wait()
        return self._chat is not None

    async def say(self, text: str) -> bool:
        """Say something in the chat to everyone; False where there is none."""
        await self._chat_tried.wait()
        return self._chat is not None and await self._chat.say(text)

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        """Say something in the chat to some; False where there is none."""
        return self._chat is not None and await self._chat.whisper(text, usernames)

    def finish(self, error: RoomError) -> None:
        """Have the stay end for good, and why; the first word counts."""
        if not self._end.done():
            self._end.set_result(error)

    async def leave(self) -> None:
        """Go and close everything."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._leaving_chat is not None:
            await asyncio.wait([self._leaving_chat])
        self._chat_tried.set()
        await self.session.__aexit__(None, None, None)

    def _on_event(self, reply: Reply) -> None:
        if reply.kind == "detached":  # by whoever runs the server: nothing is told any more
            self.session.lose("the Janus server let go of the bot")
        for news in videoroom.read_news(reply.data):
            if isinstance(news, PutOut):
                self.finish(RoomRemoved("the bot was put out of the room by its moderator"))
            elif isinstance(news, Destroyed):
                self.finish(RoomUnavailable("the room was closed on the Janus server"))
            elif self._early is not None:
                self._early.append(news)  # nobody can be received yet: told now, it would be forgotten
            else:
                self._listener.on_news(news)

    async def _join(self, handle: int) -> Reply:
        try:
            return await self.session.request(handle, videoroom.join_request(self.address))
        except JanusRefused as exc:
            named = self.address.named()
            if exc.code != WRONG_TYPE or named is None:
                raise
            self.address = named
            return await self.session.request(handle, videoroom.join_request(named))

    async def _ask_who_is_there(self, handle: int) -> list[Person] | None:
        """Everybody, the bot too; None where Janus does not tell.

        Raises:
            JanusGone: no answer.
        """
        try:
            request = {"request": "listparticipants", "room": self.address.room}
            reply = await self.session.request(handle, request)
        except JanusRefused as exc:
            _log.info("Janus does not tell who is there: students without a camera go unseen", code=exc.code)
            return None
        return videoroom.read_participants(reply.data)

    async def _call_the_roll(self, handle: int) -> None:
        """Ask again and again: Janus tells of nobody without a camera unless the room is set to."""
        before: set[Feed] = set()
        while not self.session.gone.done():
            try:
                people = await self._ask_who_is_there(handle)
                if people is None:
                    return
                now = {person.feed for person in people}
                if before and self._early is None:
                    # Twice, because events on their way and the answer may overtake one another.
                    self._listener.on_roll([person for person in people if person.feed in before], now)
                before = now
            except JanusGone as exc:
                _log.info("the roll could not be called", reason=str(exc))  # once, or the stay is over
            await asyncio.sleep(ROLL_INTERVAL_S)

    async def _keep_chat(self) -> None:
        """Be in the chat, if there is one, as long as the stay lasts."""
        try:
            while not self.session.gone.done():
                if not await self._be_in_chat():
                    return
                await asyncio.sleep(_CHAT_PAUSES_S[min(self._chat_failures, len(_CHAT_PAUSES_S) - 1)])
        finally:
            self._chat_tried.set()

    async def _be_in_chat(self) -> bool:
        """Be in the chat until it is lost; False where another try is hopeless."""
        chat = TextRoom(self.session, self.address, self._listener)
        try:
            self._chat_failures += 1
            if not await chat.enter(self._settings.ice_servers):
                return self._had_chat or not chat.hopeless
            self._chat, self._had_chat, self._chat_failures = chat, True, 0
            self._chat_tried.set()
            await chat.lost.wait()
            self._listener.on_chat_lost()
            return True
        except JanusError:
            return True
        finally:
            self._chat = None
            self._chat_tried.set()
            # In a task of its own: the end of the stay must not cut it off half-way.
            self._leaving_chat = asyncio.create_task(chat.leave(), name="janus-chat-leave")
            await asyncio.shield(self._leaving_chat)
