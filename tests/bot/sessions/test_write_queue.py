"""The write queue: order, retries, and which writes are dropped when it is full."""

import asyncio

import pytest

from bot.sessions import write_queue
from bot.sessions.write_queue import Write, WriteQueue
from reports.store import StoreError, StoreRefused


class QueuedStore:
    """A write queue in front of a store that fails while ``error`` is set."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.error: StoreError | None = None
        self.changes: list[tuple[int, str | None]] = []
        self.queue = WriteQueue(lambda queued, trouble: self.changes.append((queued, trouble)), retry_s=0.01)

    def write(self, name: str) -> Write:
        async def work() -> None:
            await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            self.written.append(name)

        return work


async def test_an_empty_queue_has_nothing_to_wait_for() -> None:
    store = QueuedStore()
    assert await store.queue.settle(1) == 0
    assert await store.queue.close(1) == 0
    assert store.changes == []


async def test_failed_writes_are_retried_in_order_and_the_trouble_is_reported() -> None:
    store = QueuedStore()
    store.error = StoreError("the disk is full")
    for name in ("a", "b"):
        store.queue.put(store.write(name))
    assert await store.queue.settle(0.05) == 2
    assert store.queue.trouble == "the disk is full"
    assert set(store.changes) == {(2, "the disk is full")}
    store.error = None
    assert await store.queue.settle(5) == 0
    assert store.written == ["a", "b"]
    assert store.changes[-1] == (0, None)


async def test_a_refused_write_is_not_retried() -> None:
    store = QueuedStore()
    store.error = StoreRefused("the class is gone")
    store.queue.put(store.write("refused"))
    assert await store.queue.settle(5) == 0
    store.error = None
    store.queue.put(store.write("accepted"))
    assert await store.queue.settle(5) == 0
    assert store.written == ["accepted"]


async def test_a_full_queue_drops_the_oldest_write_that_is_not_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write_queue, "MAX_QUEUED", 3)
    store = QueuedStore()
    store.error = StoreError("the disk is full")
    store.queue.put(store.write("erasure"), required=True)
    for name in ("window 1", "window 2", "window 3", "window 4"):
        store.queue.put(store.write(name))
    store.error = None
    assert await store.queue.settle(5) == 0
    assert store.written == ["erasure", "window 3", "window 4"]


async def test_closing_gives_up_writes_that_keep_failing() -> None:
    store = QueuedStore()
    store.error = StoreError("the disk is full")
    store.queue.put(store.write("a"))
    assert await store.queue.close(0.05) == 1
    assert store.written == []
