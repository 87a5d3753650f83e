"""Sessions with a fake room and a real store, and a database that takes nothing for a while."""

import asyncio
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from bot.config import Settings
from bot.metrics import Metrics
from bot.rooms.contract import Room, RoomUrlError
from bot.sessions.lifecycle import Sessions
from reports.store import Store
from reports.summary.classes import ClassInfo, ClassState
from reports.web.feed import LiveFeed
from tests.fakes import FakeRoom, ScriptedReader, one_face


class FakeAdapter:
    """Gives out one room."""

    scheme = "fake"
    example = "fake:room"

    def __init__(self, room: FakeRoom) -> None:
        self.room = room

    def open(self, url: str) -> Room:
        if url == "fake:wrong":
            raise RoomUrlError("'fake:wrong': give fake:room")
        return self.room

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return ()


class Desk:
    """Sessions with one fake room."""

    def __init__(self, store: Store, room: FakeRoom, settings: Settings) -> None:
        self.store, self.room, self.feed = store, room, LiveFeed()
        self.jump = timedelta()
        self.metrics = Metrics()
        self.reader = ScriptedReader({100: one_face("happy")})
        self.sessions = Sessions(
            store=store,
            feed=self.feed,
            adapters={"fake": FakeAdapter(room)},
            reader=self.reader,
            settings=settings,
            metrics=self.metrics,
            public_url=lambda: "http://here",
            now=lambda: datetime.now(UTC) + self.jump,
        )

    async def start(self) -> ClassInfo:
        return await self.sessions.start("fake:room", "Biology")

    async def state(self, class_id: str, wanted: ClassState) -> ClassInfo:
        async with asyncio.timeout(10):
            while True:
                info = await self.store.get_class(class_id)
                assert info is not None
                if info.state is wanted:
                    return info
                await asyncio.sleep(0.02)


class Trouble:
    """Makes the store's database unwritable from outside, as another program's lock or a full disk does."""

    def __init__(self, path: Path) -> None:
        self._other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def begin(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        self._other.execute("ROLLBACK")
        self._other.close()
