"""A VideoRoom as a class's room: joining, chat, the way back after a loss.

Comes in: news of a ``Visit``. Goes out: room events. When the connection is lost everything of that stay is
dropped and a new one begun; ``People`` sees to it that persons keep their identifiers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import structlog

from bot import room as rooms
from bot.config import WebrtcSettings
from bot.janus.announcer import Announcer
from bot.janus.camera import Reception
from bot.janus.events import EventQueue
from bot.janus.messages import JanusError, JanusRefused
from bot.janus.people import People
from bot.janus.textroom import Line
from bot.janus.videoroom import (
    NO_SUCH_ROOM,
    Feed,
    News,
    Person,
    RoomAddress,
    as_room_error,
)
from bot.janus.visit import Visit
from bot.room import RoomDenied, RoomEvent, RoomUnavailable

_log = structlog.get_logger()

OPT_OUT_WORDS: Final = frozenset({"stop", "/stop", "/optout"})
HOW_TO_OPT_OUT: Final = "Write /optout here to be left out."
OPTED_OUT: Final = "You are left out from now on: your camera is not received, and open counts forget you."
NOT_FOUND: Final = (
    "No camera goes by your chat name. Give chat and camera the same name and write /optout again, "
    "or switch your camera off."
)

_PAUSES_S: Final = (0.2, 0.4, 0.8, 1.0)
_RECONNECT_TIMEOUT_S: Final = 2.5
_CONNECTING_AT_A_TIME: Final = 4
_DECODE_THREADS: Final = 2
_MOST_WHISPERS: Final = 200


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the bot tries to come back.

    Attributes:
        server_s: While the server cannot be reached, seconds.
        room_s: While it is back without the room, seconds.
    """

    server_s: float = 300.0
    room_s: float = 60.0


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
        patience: Patience = Patience(),
        on_dropped: Callable[[int], None] = lambda _pictures: None,
    ) -> None:
        """Set up; nothing is opened yet.

        Args:
            address: The room.
            settings: ICE servers and timeouts.
            samples_per_s: Pictures looked at a second; the rate asked of Janus follows from it.
            receives: Whether cameras are received.
            must_announce: Whether to stay out of a room that came back without its chat.
            patience: How long to try to come back.
            on_dropped: Told how many encoded pictures were thrown away.
        """
        self._on_dropped = on_dropped
        self.code: str | None = None
        self.public_url = address.public_url
        self.synthetic = False
        self._address, self._settings, self._patience = address, settings, patience
        self._samples_per_s = samples_per_s
        self._threads = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        self._events = EventQueue()
        self._people = People(self._events.put, receives=receives)
        self._visit: Visit | None = None
        self._announcer = Announcer(self._say, lambda: asyncio.get_running_loop().time())
        self._announced, self._must_announce = False, must_announce
        self._stay: asyncio.Task[None] | None = None
        self._whispers: set[asyncio.Task[bool]] = set()

    async def __aenter__(self) -> JanusRoom:
        """Join.

        Raises:
            RoomError: the bot is not let in.
        """
        try:
            visit, news = await self._enter(self._settings.connect_timeout_s)
        except JanusRefused as exc:
            raise as_room_error(exc, self._address) from exc
        except JanusError as exc:
            raise RoomUnavailable(f"{exc}: check host, port and network") from exc
        self._begin(visit, news)
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
        visit = self._visit
        notice = f"{text} {HOW_TO_OPT_OUT}"
        if visit is None or not await visit.say(notice):
            return False
        self._announcer.announced(notice, visit.readers)
        self._announced = True
        return True

    async def leave_out(self, who: str) -> int:
        """Leave out everybody of that display name, as if they had written it in the chat."""
        return self._people.opt_out(who)

    async def _enter(self, connect_timeout_s: float) -> tuple[Visit, list[News]]:
        visit = Visit(self._address, self._settings, self, connect_timeout_s)
        return visit, await visit.enter()

    def _begin(self, visit: Visit, news: list[News]) -> None:
        """A stay begins."""
        self._visit = visit
        reception = Reception(
            session=visit.session,
            address=self._address,
            private_id=visit.private_id,
            settings=self._settings,
            threads=self._threads,
            temporal=temporal_layer(self._samples_per_s),
            wanted_fps=2 * self._samples_per_s,
            turnstile=asyncio.Semaphore(_CONNECTING_AT_A_TIME),
            on_dropped=self._on_dropped,
        )
        self._people.begin(reception, visit.own_feed, news)

    async def _follow(self, visit: Visit) -> None:
        """Stay, and come back after a loss, until the room is left or gone."""
        try:
            while True:
                try:
                    reason = await visit.over()
                    said = f"{reason[0].upper()}{reason[1:]}: trying to come back."
                    self._events.put(rooms.Disconnected(said))
                finally:
                    await self._drop(visit)
                visit, news = await self._come_back()
                # Before anything is received: who came meanwhile has to be told first.
                if self._announced and self._must_announce and not await visit.has_chat():
                    await visit.leave()
                    raise RoomDenied(
                        "the room came back without its chat, and privacy.require_announcement asks that "
                        "everyone can be told: give the room a chat again and start a new class"
                    )
                self._events.put(rooms.Reconnected())
                self._begin(visit, news)
        except Exception as exc:  # noqa: BLE001  # raised again by ``events``, which would wait for ever
            self._events.end(exc)

    async def _come_back(self) -> tuple[Visit, list[News]]:
        """Try until the room is entered again.

        Raises:
            RoomError: it is gone for good, or no longer lets the bot in.
        """
        clock = asyncio.get_running_loop().time
        lost_s, roomless_s, tries = clock(), None, 0
        while True:
            try:
                return await self._enter(_RECONNECT_TIMEOUT_S)
            except JanusRefused as exc:
                if exc.code != NO_SUCH_ROOM:
                    raise as_room_error(exc, self._address) from exc
                roomless_s = clock() if roomless_s is None else roomless_s
                if clock() - roomless_s >= self._patience.room_s:
                    raise RoomUnavailable(
                        f"room {self._address.room} is gone: the Janus server came back without it"
                    ) from exc
            except JanusError as exc:
                roomless_s = None
                if clock() - lost_s >= self._patience.server_s:
                    raise RoomUnavailable(
                        "the Janus server was lost and did not come back within "
                        f"{self._patience.server_s:.0f} s: check the server and the network"
                    ) from exc
            await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
            tries += 1

    async def _drop(self, visit: Visit) -> None:
        """End everything of a stay."""
        self._visit = None
        whispers = list(self._whispers)
        for whisper in whispers:
            whisper.cancel()
        ending = (self._people.end(), self._announcer.close())
        await asyncio.gather(*ending, *whispers, return_exceptions=True)
        await visit.leave()

    def on_news(self, news: News) -> None:
        """Something happened in the room."""
        self._people.on_news(news)

    def on_roll(self, here: list[Person], seen: set[Feed]) -> None:
        """Who is there, in case Janus did not tell."""
        self._people.on_roll(here, seen)

    def on_line(self, line: Line) -> None:
        """Somebody said something in the chat; only an opt-out is anybody's business."""
        if line.text.strip().casefold() not in OPT_OUT_WORDS:
            return
        meant = self._people.opt_out(line.display, line.username)
        self._whisper(OPTED_OUT if meant else NOT_FOUND, line.username)

    def on_reader(self, username: str) -> None:
        """Somebody came into the chat: they are told what the others were told."""
        self._announcer.came(username)

    def on_readers(self, usernames: list[str]) -> None:
        """The bot came into the chat, again perhaps."""
        self._announcer.present(usernames)

    async def _say(self, text: str, usernames: list[str]) -> bool:
        return self._visit is not None and await self._visit.say(text, usernames)

    def _whisper(self, text: str, username: str) -> None:
        if self._visit is not None and len(self._whispers) < _MOST_WHISPERS:
            whisper = asyncio.create_task(self._visit.say(text, [username]), name="janus-whisper")
            self._whispers.add(whisper)
            whisper.add_done_callback(self._whispers.discard)


def temporal_layer(samples_per_s: float) -> int:
    """Which rate of a stream in layers is enough.

    Of 15 pictures a second layer 0 has about 4, layers 0 and 1 have 7.
    """
    if samples_per_s <= 3:
        return 0
    return 1 if samples_per_s <= 6 else 2
