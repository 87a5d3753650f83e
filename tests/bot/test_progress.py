"""The windows of a running class, as the command line follows them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.progress import WindowFollower
from reports.store import Store, StoreError
from reports.summary.windows import WindowSummary
from reports.web.feed import LiveFeed
from tests.reports.builders import a_class, a_window


class UnreadableStore(Store):
    """A store whose windows cannot be read the first ``failures`` times."""

    failures = 0
    reads = 0

    async def windows(self, class_id: str, since_s: float = 0.0) -> list[WindowSummary]:
        self.reads += 1
        if self.reads <= self.failures:
            raise StoreError("the database cannot be reached: start it again")
        return await super().windows(class_id, since_s)


class PublishedClass:
    """A class whose windows are stored and published."""

    def __init__(self, store: UnreadableStore, feed: LiveFeed) -> None:
        self.store, self.feed = store, feed

    async def add_window(self, start_s: float) -> None:
        window = a_window(start_s)
        await self.store.add_window(window)
        self.feed.publish("c1", "summary", window.to_json())

    async def follow(self, follower: WindowFollower, *starts_s: float) -> None:
        """Publish all windows and close the feed before the follower starts to read."""
        with self.feed.subscribe("c1") as events:
            for start_s in starts_s:
                await self.add_window(start_s)
            self.feed.close("c1")
            await asyncio.wait_for(follower.follow(events), 5)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[UnreadableStore]:
    opened = await asyncio.to_thread(UnreadableStore.open, f"sqlite:///{tmp_path}/class.db")
    assert isinstance(opened, UnreadableStore)
    await opened.put_class(a_class())
    yield opened
    await asyncio.to_thread(opened.close)


def printed_starts(capsys: pytest.CaptureFixture[str]) -> list[float]:
    return [json.loads(line)["start_s"] for line in capsys.readouterr().out.splitlines() if line[0] == "{"]


async def test_a_class_without_windows_prints_nothing(
    store: UnreadableStore, capsys: pytest.CaptureFixture[str]
) -> None:
    follower = WindowFollower(store, "c1", print_windows=True)
    await PublishedClass(store, LiveFeed()).follow(follower)
    assert follower.last is None
    assert capsys.readouterr().out == ""


async def test_windows_are_printed_from_the_feed_without_reading_the_store(
    store: UnreadableStore, capsys: pytest.CaptureFixture[str]
) -> None:
    follower = WindowFollower(store, "c1", print_windows=True)
    await PublishedClass(store, LiveFeed()).follow(follower, 0, 5, 10)
    assert printed_starts(capsys) == [0.0, 5.0, 10.0]
    assert store.reads == 0


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_windows_that_the_feed_dropped_are_read_from_the_store(
    store: UnreadableStore, capsys: pytest.CaptureFixture[str], failures: int
) -> None:
    """The follower falls behind, and the store may be unreadable when it catches up."""
    store.failures = failures
    follower = WindowFollower(store, "c1", print_windows=True)
    await PublishedClass(store, LiveFeed(queue_size=2)).follow(follower, 0, 5, 10, 15)
    assert printed_starts(capsys) == [0.0, 5.0, 10.0, 15.0]
    assert follower.last == a_window(15).to_json()
    assert store.reads == failures + 1


async def test_windows_are_not_printed_unless_requested(
    store: UnreadableStore, capsys: pytest.CaptureFixture[str]
) -> None:
    follower = WindowFollower(store, "c1", print_windows=False)
    await PublishedClass(store, LiveFeed()).follow(follower, 0, 5)
    assert follower.last == a_window(5).to_json()
    assert capsys.readouterr().out == ""
