"""The watch notices a database in trouble without a write, and takes up the classes of lost servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.metrics import Metrics
from bot.sessions.recorder import Recorder
from bot.sessions.store_watch import StoreWatch
from reports.store import Store
from reports.store.ownership import LOST_AFTER_S
from reports.summary.classes import ClassState
from tests.postgres_server import PostgresServer
from tests.reports.builders import START, a_class


class Watched:
    """A watch with a clock that a test moves."""

    def __init__(self, store: Store) -> None:
        self.recorder = Recorder(store, Metrics())
        self.clock_s, self.restored = 0.0, 0
        self.watch = StoreWatch(
            store,
            self.recorder,
            self._restore,
            now=lambda: START + timedelta(hours=1),
            clock=lambda: self.clock_s,
        )

    def _restore(self) -> None:
        self.restored += 1

    async def once(self, clock_s: float) -> None:
        self.clock_s = clock_s
        await self.watch.once()


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    name = postgres.create()
    yield name
    postgres.drop(name)


async def test_a_deleted_file_is_noticed_while_nothing_is_written(tmp_path: Path) -> None:
    store = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db")
    watched = Watched(store)
    await watched.once(0)
    assert watched.recorder.trouble is None
    (tmp_path / "class.db").unlink()
    await watched.once(2)
    assert "the file was deleted or replaced" in (watched.recorder.trouble or "")
    await asyncio.to_thread(store.close)


@pytest.mark.real_time
async def test_a_server_that_hangs_is_noticed_and_its_return_too(
    postgres: PostgresServer, database: str
) -> None:
    store = await asyncio.to_thread(Store.open, postgres.url(database))
    watched = Watched(store)
    await watched.once(0)
    assert watched.recorder.trouble is None
    with postgres.frozen(database):
        await watched.once(2)
        assert "does not answer" in (watched.recorder.trouble or "")
    async with asyncio.timeout(20):
        while watched.recorder.trouble is not None:
            await watched.once(4)
    await asyncio.to_thread(store.close)


async def test_classes_of_a_lost_server_are_marked_but_not_soon_after_an_outage(
    postgres: PostgresServer, database: str
) -> None:
    lost = await asyncio.to_thread(Store.open, postgres.url(database))
    await lost.put_class(a_class("c1"))
    store = await asyncio.to_thread(Store.open, postgres.url(database))
    watched = Watched(store)
    age = f"UPDATE servers SET seen_at = seen_at - interval '60 seconds' WHERE id = '{lost.owner}'"
    await asyncio.to_thread(postgres.execute, database, age)

    async def state() -> ClassState:
        (info,) = await store.classes()
        return info.state

    await watched.once(LOST_AFTER_S - 1)
    assert await state() is ClassState.LIVE, "the watch has not been steady for long enough"
    await watched.once(LOST_AFTER_S + 1)
    assert await state() is ClassState.INTERRUPTED

    came_back = Watched(lost)
    await came_back.once(0)
    assert came_back.restored == 1, "it stores the states of its classes again"
    for one in (lost, store):
        await asyncio.to_thread(one.close)


def test_the_owner_of_a_file_is_not_watched_for_by_others(tmp_path: Path) -> None:
    with closing(Store.open(f"sqlite:///{tmp_path}/class.db")) as store:
        assert store.owner is None
        asyncio.run(store.put_class(a_class("c1")))
        assert [info.id for info in asyncio.run(store.recover(START))] == ["c1"]
