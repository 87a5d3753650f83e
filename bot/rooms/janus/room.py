"""A VideoRoom as a class's room: joining, chat, the way back after a loss.

Comes in: news of a ``Visit``. Goes out: room events. When the connection is lost everything of that stay is
dropped and a new one begun; ``People`` sees to it that persons keep their identifiers.
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
from bot.rooms.contract import RoomDenied, RoomEvent, RoomUnavailable
from bot.rooms.janus.announcer import Announcer
from bot.rooms.janus.camera import Reception
from bot.rooms.janus.events import EventQueue
from bot.rooms.janus.messages import JanusError, JanusRefused
from bot.rooms.janus.people import People
from bot.rooms.janus.reentry import RECONNECT_TIMEOUT_S, USUAL_PATIENCE, Patience, come_back
from bot.rooms.janus.textroom import Line
from bot.rooms.janus.videoroom import Feed, News, Person, RoomAddress, as_room_error
from bot.rooms.janus.visit import Visit
from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.receive_options import ReceiveOptions

_log = structlog.get_logger()

OPT_OUT_WORDS: Final = frozenset({"stop", "/stop", "/optout"})
HOW_TO_OPT_OUT: Final = "Write /optout here to be left out."
OPTED_OUT: Final = "You are left out from now on: your camera is not received, and open counts forget you."
NOT_FOUND: Final = (
    "No camera goes by your chat name. Give chat and camera the same name and write /optout again, "
    "or switch your camera off."
)

_CONNECTING_AT_A_TIME: Final = 4
_DECODE_THREADS: Final = 2
_MOST_ANSWERS: Final = 200
_MUST_TELL: Final = (
    "privacy.require_announcement asks that everyone can be told: "
    "give the room a chat again and start a new class"
)


class JanusRoom:
    """One class in one VideoRoom.

    Attributes:
        code: Always None: students come by the room's own page.
        public_url: The room URL without secrets.
        synthetic: Always False.
    """

    def __init__(
        self,
        address: RoomAddress,
        settings: WebrtcSettings,
        *,
        samples_per_s: float,
        receives: bool = True,
        must_announce: bool = False,
        patience: Patience = USUAL_PATIENCE,
        on_dropped: Callable[[int], None] = lambda _pictures: None,
    ) -> None:
        """Set up; nothing is opened yet.

        Args:
            address: The room.
            settings: ICE servers and timeouts.
            samples_per_s: Pictures looked at a second; the rate asked of Janus follows from it.
            receives: Whether cameras are received.
            must_announce: Whether to leave a room in which not everybody can be told.
            patience: How long to wait for what was lost.
            on_dropped: Told how many encoded pictures were thrown away.
        """
        self.code: str | None = None
        self.public_url = address.public_url
        self.synthetic = False
        self._address, self._settings, self._patience = address, settings, patience
        self._temporal = temporal_layer(samples_per_s)
        self._threads = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        self._options = ReceiveOptions(settings, self._threads, BatchTicks(), 2 * samples_per_s, on_dropped)
        self._events = EventQueue()
        self._people = People(self._events.put, receives=receives)
        self._visit: Visit | None = None
        self._announcer = Announcer(
            self,
            lambda: asyncio.get_running_loop().time(),
            self._on_untold,
            chat_patience_s=patience.chat_s,
        )
        self._announced, self._must_announce = False, must_announce
        self._stay: asyncio.Task[None] | None = None
        self._dropping: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[bool]] = set()

    async def __aenter__(self) -> JanusRoom:
        """Join.

        Raises:
            RoomError: the bot is not let in.
        """
        try:
            visit = await self._enter(self._settings.connect_timeout_s)
        except JanusRefused as exc:
            raise as_room_error(exc, self._address) from exc
        except JanusError as exc:
            raise RoomUnavailable(f"{exc}: check host, port and network") from exc
        self._begin(visit)
        self._stay = asyncio.create_task(self._follow(visit), name="janus-stay")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave, and close every connection."""
        if self._stay is not None:
            self._stay.cancel()
            await asyncio.wait([self._stay])
        if self._visit is not None:  # left before the task had begun
            await self._drop(self._visit)
        if self._dropping is not None:  # or while it was at it
            await asyncio.wait([self._dropping])
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._events.end()

    async def events(self) -> AsyncIterator[RoomEvent]:
        """What happens, in order, until the room is left.

        Raises:
            RoomError: the bot was put out, or the room is gone for good.
        """
        while (event := await self._events.get()) is not None:
            yield event

    async def announce(self, text: str) -> bool:
        """Say it in the chat, with how to opt out, and to everybody who comes into the chat later."""
        notice, visit = f"{text} {HOW_TO_OPT_OUT}", self._visit
        has_chat = visit is not None and await visit.has_chat()
        self._announcer.announce(notice)  # also where there is no chat: one may be there after a loss
        if visit is None or not has_chat:
            return False
        if not await visit.say(notice):
            return False
        self._announcer.told(visit.readers)  # Janus tells of who comes before it tells that a line went out
        self._announced = True
        return True

    async def leave_out(self, who: str) -> int:
        """Leave out everybody of that display name, as if they had written it in the chat."""
        return self._people.opt_out(who)

    async def say(self, text: str) -> bool:
        """Say something to everyone in the chat; whether it was passed on."""
        return self._visit is not None and await self._visit.say(text)

    async def whisper(self, text: str, usernames: list[str]) -> bool:
        """Say something to some in the chat; whether it was passed on."""
        return self._visit is not None and await self._visit.whisper(text, usernames)

    async def _enter(self, connect_timeout_s: float) -> Visit:
        visit = Visit(self._address, self._settings, self, connect_timeout_s)
        await visit.enter()
        return visit

    def _begin(self, visit: Visit) -> None:
        """A stay begins."""
        self._visit = visit
        reception = Reception(
            session=visit.session,
            address=visit.address,
            private_id=visit.private_id,
            options=self._options,
            temporal=self._temporal,
            turnstile=asyncio.Semaphore(_CONNECTING_AT_A_TIME),
        )
        self._people.begin(reception, visit.own_feed, visit.begin())

    async def _follow(self, visit: Visit) -> None:
        """Stay, and come back after a loss, until the room is left or gone."""
        try:
            while True:
                try:
                    reason = await visit.over()
                    said = f"{reason[0].upper()}{reason[1:]}: trying to come back."
                    self._events.put(contract.Disconnected(said))
                finally:
                    await self._drop(visit)
                visit = await self._come_back()
                self._events.put(contract.Reconnected())
                self._begin(visit)
        except Exception as exc:  # noqa: BLE001  # raised again by ``events``, which would wait for ever
            self._events.end(exc)

    async def _come_back(self) -> Visit:
        """Enter the room again, where everybody must be told with its chat.

        Raises:
            RoomError: it is gone for good, or no longer lets the bot in, or its chat is gone.
        """
        visit = await come_back(lambda: self._enter(RECONNECT_TIMEOUT_S), self._address, self._patience)
        try:
            # Before anything is received: who came meanwhile has to be told first.
            if self._announced and self._must_announce and not await visit.has_chat():
                raise RoomDenied(f"the room came back without its chat, and {_MUST_TELL}")
        except BaseException:
            await visit.leave()
            raise
        return visit

    async def _drop(self, visit: Visit) -> None:
        """End everything of a stay, in a task of its own: cut off half-way it would leave a session open."""
        self._visit = None
        self._dropping = asyncio.create_task(self._end(visit), name="janus-drop")
        await asyncio.shield(self._dropping)

    async def _end(self, visit: Visit) -> None:
        answers = list(self._answers)
        for answer in answers:
            answer.cancel()
        ending = (self._people.end(), self._announcer.close())
        await asyncio.gather(*ending, *answers, return_exceptions=True)
        await visit.leave()

    def on_news(self, news: News) -> None:
        """Something happened in the room."""
        self._people.on_news(news)

    def on_roll(self, here: list[Person], now: set[Feed]) -> None:
        """Who is there, in case Janus did not tell."""
        self._people.on_roll(here, now)

    def on_line(self, line: Line) -> None:
        """Somebody said something in the chat; only an opt-out is anybody's business."""
        if line.text.strip().casefold() not in OPT_OUT_WORDS:
            return
        meant = self._people.opt_out(line.display, line.username)
        self._answer(OPTED_OUT if meant else NOT_FOUND, line.username)

    def on_reader(self, username: str) -> None:
        """Somebody came into the chat: they are told what the others were told."""
        self._announcer.came(username)

    def on_reader_gone(self, username: str) -> None:
        """Somebody left the chat."""
        self._announcer.gone(username)

    def on_readers(self, usernames: list[str]) -> None:
        """The bot came into the chat, again perhaps."""
        self._people.hold(False)
        self._announcer.present(usernames)

    def on_chat_lost(self) -> None:
        """There is no chat for now: where everybody must be told, nobody new is looked at."""
        self._people.hold(self._must_announce and self._announced)
        self._announcer.chat_lost()

    def _on_untold(self) -> None:
        """Somebody came who cannot be told of the bot."""
        if self._must_announce and self._announced and self._visit is not None:
            error = RoomDenied(f"not everybody can be told by the chat any more, and {_MUST_TELL}")
            self._visit.finish(error)

    def _answer(self, text: str, username: str) -> None:
        if self._visit is not None and len(self._answers) < _MOST_ANSWERS:
            answer = asyncio.create_task(self._visit.whisper(text, [username]), name="janus-answer")
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)


def temporal_layer(samples_per_s: float) -> int:
    """Which rate of a stream in layers is enough.

    Of 15 pictures a second layer 0 has about 4, layers 0 and 1 have 7.
    """
    if samples_per_s <= 3:
        return 0
    return 1 if samples_per_s <= 6 else 2
