"""Expired data is deleted at start and every hour, but not while the wall clock jumps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.config import PrivacySettings
from bot.sessions.retention import INTERVAL_S, RETRY_S, Retention
from reports.store import Store
from reports.summary.classes import ClassState
from reports.summary.records import CheckIn, CheckInKind, Consent
from tests.reports.builders import START, a_class, a_window


class Clocks:
    """A wall clock, a steady clock, and a sleep that advances both."""

    def __init__(self) -> None:
        self.now, self.steady_s = START + timedelta(hours=1), 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
        if len(self.slept) >= 60:
            raise asyncio.CancelledError

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.steady_s += seconds


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db")
    await opened.put_class(a_class(state=ClassState.ENDED, ended_at=START + timedelta(hours=1)))
    await opened.add_window(a_window())
    await opened.add_consent(Consent("c1", "p1", 60.0, True, "Ada Lovelace"))
    await opened.add_check_in(CheckIn("c1", "p1", 90.0, CheckInKind.LOST, "tapped lost 3 times"))
    yield opened
    await asyncio.to_thread(opened.close)


def make_retention(store: Store, clocks: Clocks, **privacy: int) -> Retention:
    return Retention(
        store,
        PrivacySettings(**privacy),  # type: ignore[arg-type]
        now=lambda: clocks.now,
        clock=lambda: clocks.steady_s,
        sleep=clocks.sleep,
    )


def database_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("class.db*"))


async def test_individual_data_and_the_class_are_deleted_after_their_own_times(
    store: Store, tmp_path: Path
) -> None:
    clocks = Clocks()
    retention = make_retention(store, clocks, retention_days=3, individual_hours=48)
    assert b"Ada Lovelace" in await asyncio.to_thread(database_bytes, tmp_path)
    deleted_after_h: dict[str, int] = {}
    for hour in range(1, 80):
        assert await retention.once() == INTERVAL_S
        if not await store.check_ins("c1"):
            deleted_after_h.setdefault("individual", hour)
            remaining = await asyncio.to_thread(database_bytes, tmp_path)
            assert b"Ada Lovelace" not in remaining, "the bytes are overwritten, not only the row deleted"
            assert b"tapped lost" not in remaining
        if await store.get_class("c1") is None:
            deleted_after_h.setdefault("class", hour)
        clocks.advance(INTERVAL_S)
    assert deleted_after_h == {"individual": 49, "class": 74}


async def test_expired_data_is_deleted_at_once_if_a_recent_class_confirms_the_clock(store: Store) -> None:
    clocks = Clocks()
    clocks.now = START + timedelta(days=2, hours=3)
    await make_retention(store, clocks).once()
    assert await store.check_ins("c1") == []


async def test_at_start_with_an_unconfirmed_clock_nothing_is_deleted_for_an_hour(store: Store) -> None:
    """The clock may be 200 days ahead: then all classes look expired."""
    clocks = Clocks()
    clocks.now = START + timedelta(days=200)
    retention = make_retention(store, clocks)
    assert await retention.once() == INTERVAL_S
    assert len(await store.check_ins("c1")) == 1
    clocks.now -= timedelta(days=199)  # the clock is set right within the hour
    clocks.steady_s += INTERVAL_S
    await retention.once()
    assert len(await store.check_ins("c1")) == 1


async def test_expired_data_is_deleted_every_hour(store: Store) -> None:
    clocks = Clocks()
    clocks.now = START + timedelta(days=200)
    with pytest.raises(asyncio.CancelledError):
        await make_retention(store, clocks).run()
    assert await store.classes() == []
    assert set(clocks.slept) == {INTERVAL_S}


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)])
async def test_nothing_is_deleted_while_the_clock_jumps(store: Store, jump: timedelta) -> None:
    clocks = Clocks()
    retention = make_retention(store, clocks)
    await retention.once()
    clocks.advance(INTERVAL_S)
    clocks.now += jump
    assert await retention.once() == INTERVAL_S
    assert len(await store.check_ins("c1")) == 1
    clocks.advance(INTERVAL_S)
    clocks.now -= jump
    await retention.once()
    clocks.advance(INTERVAL_S)
    await retention.once()
    assert [info.id for info in await store.classes()] == ["c1"]


async def test_a_changed_clock_is_trusted_after_an_hour_without_another_jump(store: Store) -> None:
    clocks = Clocks()
    retention = make_retention(store, clocks)
    await retention.once()
    clocks.now += timedelta(days=400)
    await retention.once()
    assert len(await store.classes()) == 1
    clocks.advance(INTERVAL_S)
    await retention.once()
    assert await store.classes() == []


async def test_a_machine_that_is_suspended_every_day_deletes_expired_data(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux's monotonic clock does not advance while the machine is suspended; the wall clock does."""
    awake_s, asleep_s = 0.0, 0.0

    def clock_gettime(clock: int) -> float:
        return awake_s + (asleep_s if clock == time.CLOCK_BOOTTIME else 0.0)

    def now() -> datetime:
        return START + timedelta(hours=1, seconds=awake_s + asleep_s)

    monkeypatch.setattr("bot.clocks.time.clock_gettime", clock_gettime)
    retention = Retention(store, PrivacySettings(retention_days=3, individual_hours=48), now=now)
    for _ in range(5):
        await retention.once()
        awake_s, asleep_s = awake_s + INTERVAL_S, asleep_s + 23 * INTERVAL_S
    assert await store.check_ins("c1") == []
    assert await store.classes() == []


async def test_a_failed_deletion_is_retried_soon(store: Store) -> None:
    await asyncio.to_thread(store.close)
    assert await make_retention(store, Clocks()).once() == RETRY_S
