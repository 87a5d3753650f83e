"""Writes that wait: in order, again and again, and what is lost when too many do."""

import asyncio

import pytest

from bot.sessions import backlog
from bot.sessions.backlog import Backlog, Write
from reports.store import StoreError, StoreRefused


class KeyStore:
    """Takes writes, or not."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.trouble: StoreError | None = None
        self.told: list[tuple[int, str | None]] = []
        self.backlog = Backlog(lambda waiting, trouble: self.told.append((waiting, trouble)), retry_s=0.01)

    def write(self, name: str) -> Write:
        async def work() -> None:
            await asyncio.sleep(0)
            if self.trouble is not None:
                raise self.trouble
            self.taken.append(name)

        return work


async def test_nothing_put_nothing_to_wait_for() -> None:
    shelf = KeyStore()
    assert await shelf.backlog.settle(1) == 0
    assert await shelf.backlog.close(1) == 0
    assert shelf.told == []


async def test_what_is_in_trouble_is_tried_again_in_order_and_told() -> None:
    shelf = KeyStore()
    shelf.trouble = StoreError("the disk is full")
    for name in ("a", "b"):
        shelf.backlog.put(shelf.write(name))
    assert await shelf.backlog.settle(0.05) == 2
    assert shelf.backlog.trouble == "the disk is full"
    assert set(shelf.told) == {(2, "the disk is full")}
    shelf.trouble = None
    assert await shelf.backlog.settle(5) == 0
    assert shelf.taken == ["a", "b"]
    assert shelf.told[-1] == (0, None)


async def test_what_is_refused_for_good_holds_nothing_up() -> None:
    shelf = KeyStore()
    shelf.trouble = StoreRefused("the class is gone")
    shelf.backlog.put(shelf.write("refused"))
    assert await shelf.backlog.settle(5) == 0
    shelf.trouble = None
    shelf.backlog.put(shelf.write("taken"))
    assert await shelf.backlog.settle(5) == 0
    assert shelf.taken == ["taken"]


async def test_of_too_many_the_oldest_are_lost_but_no_erasure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST_WAITING", 3)
    shelf = KeyStore()
    shelf.trouble = StoreError("the disk is full")
    shelf.backlog.put(shelf.write("erasure"), must=True)
    for name in ("window 1", "window 2", "window 3", "window 4"):
        shelf.backlog.put(shelf.write(name))
    shelf.trouble = None
    assert await shelf.backlog.settle(5) == 0
    assert shelf.taken == ["erasure", "window 3", "window 4"]


async def test_closing_gives_up_what_cannot_be_written() -> None:
    shelf = KeyStore()
    shelf.trouble = StoreError("the disk is full")
    shelf.backlog.put(shelf.write("a"))
    assert await shelf.backlog.close(0.05) == 1
    assert shelf.taken == []
