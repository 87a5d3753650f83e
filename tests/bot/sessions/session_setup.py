"""Sessions with a fake room and a real store, and a way to make the store's database unwritable."""

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
from bot.sessions.recorder import Recorder
from reports.store import Store
from reports.summary.classes import ClassInfo, ClassState
from reports.web.feed import LiveFeed
from tests.fakes import FakeRoom, ScriptedReader, one_face


class FakeAdapter:
    """Opens the same fake room for every URL but one."""

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


class SessionSetup:
    """Sessions whose only room is a fake one.

    Attributes:
        clock_offset: Added to the wall clock that the sessions read.
    """

    def __init__(
        self, store: Store, room: FakeRoom, settings: Settings, *, analyses_faces: bool = True
    ) -> None:
        self.store, self.room, self.feed = store, room, LiveFeed()
        self.clock_offset = timedelta()
        self.metrics = Metrics()
        self.recorder = Recorder(store, self.metrics)
        self.reader = ScriptedReader({100: one_face("happy")})
        self.sessions = Sessions(
            store=store,
            recorder=self.recorder,
            feed=self.feed,
            adapters={"fake": FakeAdapter(room)},
            reader=self.reader if analyses_faces else None,
            settings=settings,
            metrics=self.metrics,
            public_url="http://here",
            now=lambda: datetime.now(UTC) + self.clock_offset,
        )

    async def start(self) -> ClassInfo:
        """Start a class in the fake room."""
        return await self.sessions.start("fake:room", "Biology")

    async def stored_state(self, class_id: str, wanted: ClassState) -> ClassInfo:
        """The class as stored, as soon as it has the wanted state."""
        async with asyncio.timeout(10):
            while True:
                info = await self.store.get_class(class_id)
                assert info is not None
                if info.state is wanted:
                    return info
                await asyncio.sleep(0.02)


class DatabaseLock:
    """Makes the store's database unwritable from outside, as another program's lock or a full disk does."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def acquire(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


async def lock_database(folder: Path) -> DatabaseLock:
    """Lock ``class.db`` in a folder."""
    lock = await asyncio.to_thread(DatabaseLock, folder / "class.db")
    await asyncio.to_thread(lock.acquire)
    return lock
