"""One stay in a VideoRoom, from joining to the loss of the connection; and the chat beside it.

Comes in: an address. Goes out: news of who comes, goes, publishes, to a listener; at the end, why it is over.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from bot.config import WebrtcSettings
from bot.janus import videoroom
from bot.janus.client import JanusSession
from bot.janus.messages import JanusError, JanusRefused, Reply
from bot.janus.textroom import ChatListener, TextRoom
from bot.janus.videoroom import Destroyed, Feed, News, Person, Present, PutOut, RoomAddress
from bot.room import RoomError, RoomRemoved, RoomUnavailable

_log = structlog.get_logger()

ROLL_INTERVAL_S: Final = 3.0
_CHAT_PAUSE_S: Final = 5.0


class VisitListener(ChatListener, Protocol):
    """Who wants to know what happens in the room."""

    def on_news(self, news: News) -> None:
        """Something happened."""
        ...

    def on_roll(self, here: list[Person], seen: set[Feed]) -> None:
        """Two calls of the roll in a row had all of ``here``; whoever is not in ``seen`` was in neither."""
        ...


class Visit:
    """One stay.

    Attributes:
        session: Its session.
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
        self._address, self._settings, self._listener = address, settings, listener
        self._end: asyncio.Future[RoomError] = asyncio.get_running_loop().create_future()
        self._chat: TextRoom | None = None
        self._chat_tried = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._early: list[News] | None = []  # what happened since joining, until the stay begins

    async def enter(self) -> list[News]:
        """Join; who is there already.

        Raises:
            JanusError: the server cannot be reached, or does not let the bot in; nothing is left open.
        """
        await self.session.__aenter__()
        try:
            handle = await self.session.attach(videoroom.PLUGIN, self._on_event)
            reply = await self.session.request(handle, videoroom.join_request(self._address))
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
        early, self._early = self._early or [], None
        return [*videoroom.read_news(reply.data), *map(Present, people or ()), *early]

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

    async def say(self, text: str, to: list[str] | None = None) -> bool:
        """Say something in the chat, to everyone or to some usernames; False where there is none."""
        await self._chat_tried.wait()
        return self._chat is not None and await self._chat.say(text, to)

    async def leave(self) -> None:
        """Go and close everything."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._chat_tried.set()
        await self.session.__aexit__(None, None, None)

    def _on_event(self, reply: Reply) -> None:
        for news in videoroom.read_news(reply.data):
            if isinstance(news, PutOut):
                self._finish(RoomRemoved("the bot was put out of the room by its moderator"))
            elif isinstance(news, Destroyed):
                self._finish(RoomUnavailable("the room was closed on the Janus server"))
            elif self._early is not None:
                self._early.append(news)  # nobody can be received yet: told now, it would be forgotten
            else:
                self._listener.on_news(news)

    def _finish(self, error: RoomError) -> None:
        if not self._end.done():
            self._end.set_result(error)

    async def _ask_who_is_there(self, handle: int) -> list[Person] | None:
        """Everybody, the bot too; None where Janus does not tell.

        Raises:
            JanusGone: no answer.
        """
        try:
            request = {"request": "listparticipants", "room": self._address.room}
            reply = await self.session.request(handle, request)
        except JanusRefused as exc:
            _log.info("Janus does not tell who is there: students without a camera go unseen", code=exc.code)
            return None
        return videoroom.read_participants(reply.data)

    async def _call_the_roll(self, handle: int) -> None:
        """Ask again and again: Janus tells of nobody without a camera unless the room is set to."""
        before: dict[Feed, Person] | None = None
        try:
            while (people := await self._ask_who_is_there(handle)) is not None:
                now = {person.feed: person for person in people}
                if before is not None:
                    # Twice, because events on their way and the answer may overtake one another.
                    here = [person for feed, person in now.items() if feed in before]
                    self._listener.on_roll(here, {*now, *before})
                before = now
                await asyncio.sleep(ROLL_INTERVAL_S)
        except JanusError:
            return  # the stay is over

    async def _keep_chat(self) -> None:
        """Be in the chat, if there is one, as long as the stay lasts."""
        found = False
        while not self.session.gone.done():
            chat = TextRoom(self.session, self._address, self._listener)
            try:
                if await chat.enter(self._settings.ice_servers):
                    found, self._chat = True, chat
                    self._chat_tried.set()
                    await chat.lost.wait()
            except JanusError:
                return
            finally:
                self._chat = None
                self._chat_tried.set()
                await chat.leave()
            if not found:
                return
            await asyncio.sleep(_CHAT_PAUSE_S)
