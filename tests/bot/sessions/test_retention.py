"""What is due is deleted at start and every hour; a clock that jumps deletes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.config import PrivacySettings
from bot.sessions.retention import AGAIN_S, EVERY_S, Retention
from reports.store import Store
from reports.summary.classes import ClassState
from reports.summary.records import CheckIn, CheckInKind, Consent
from tests.reports.builders import START, a_class, a_window


class Clocks:
    """A wall clock and a steady one, and a sleep that moves both."""

    def __init__(self) -> None:
        self.now, self.steady_s = START + timedelta(hours=1), 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_by(seconds)
        await asyncio.sleep(0)
        if len(self.slept) >= 60:
            raise asyncio.CancelledError

    def pass_by(self, seconds: float) -> None:
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


def make(store: Store, clocks: Clocks, **privacy: int) -> Retention:
    return Retention(
        store,
        PrivacySettings(**privacy),  # type: ignore[arg-type]
        now=lambda: clocks.now,
        clock=lambda: clocks.steady_s,
        sleep=clocks.sleep,
    )


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("class.db*"))


async def test_individual_data_goes_by_its_own_clock_and_the_class_by_its_own(
    store: Store, tmp_path: Path
) -> None:
    clocks = Clocks()
    retention = make(store, clocks, retention_days=3, individual_hours=48)
    assert b"Ada Lovelace" in await asyncio.to_thread(on_disk, tmp_path)
    gone_h: dict[str, int] = {}
    for hour in range(1, 80):
        assert await retention.once() == EVERY_S
        if not await store.check_ins("c1"):
            gone_h.setdefault("individual", hour)
            left = await asyncio.to_thread(on_disk, tmp_path)
            assert b"Ada Lovelace" not in left, "overwritten, not unlinked"
            assert b"tapped lost" not in left
        if await store.get_class("c1") is None:
            gone_h.setdefault("class", hour)
        clocks.pass_by(EVERY_S)
    assert gone_h == {"individual": 49, "class": 74}


async def test_it_runs_at_once_and_every_hour(store: Store) -> None:
    clocks = Clocks()
    clocks.now = START + timedelta(days=200)
    with pytest.raises(asyncio.CancelledError):
        await make(store, clocks).run()
    assert await store.classes() == []
    assert set(clocks.slept) == {EVERY_S}


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)])
async def test_while_the_clock_jumps_nothing_is_deleted(store: Store, jump: timedelta) -> None:
    clocks = Clocks()
    retention = make(store, clocks)
    await retention.once()
    clocks.pass_by(EVERY_S)
    clocks.now += jump
    assert await retention.once() == EVERY_S
    assert len(await store.check_ins("c1")) == 1
    clocks.pass_by(EVERY_S)
    clocks.now -= jump
    await retention.once()
    clocks.pass_by(EVERY_S)
    await retention.once()
    assert [info.id for info in await store.classes()] == ["c1"]


async def test_a_clock_that_stays_where_it_jumped_to_is_believed_after_an_hour(store: Store) -> None:
    clocks = Clocks()
    retention = make(store, clocks)
    await retention.once()
    clocks.now += timedelta(days=400)
    await retention.once()
    assert len(await store.classes()) == 1
    clocks.pass_by(EVERY_S)
    await retention.once()
    assert await store.classes() == []


async def test_a_machine_that_is_suspended_every_day_deletes_what_is_due(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux' monotonic clock stands still meanwhile, the wall clock does not."""
    awake_s, asleep_s = 0.0, 0.0

    def clock_gettime(clock: int) -> float:
        return awake_s + (asleep_s if clock == time.CLOCK_BOOTTIME else 0.0)

    def now() -> datetime:
        return START + timedelta(hours=1, seconds=awake_s + asleep_s)

    monkeypatch.setattr("bot.clocks.time.clock_gettime", clock_gettime)
    retention = Retention(store, PrivacySettings(retention_days=3, individual_hours=48), now=now)
    for _ in range(5):
        await retention.once()
        awake_s, asleep_s = awake_s + EVERY_S, asleep_s + 23 * EVERY_S
    assert await store.check_ins("c1") == []
    assert await store.classes() == []


async def test_a_deletion_that_fails_is_tried_again_soon(store: Store) -> None:
    await asyncio.to_thread(store.close)
    assert await make(store, Clocks()).once() == AGAIN_S
