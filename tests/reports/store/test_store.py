"""The store returns what was written, in order, and deletes a class with all its records."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta, timezone

import pytest

from reports.store import Store, StoreError
from reports.summary.classes import ClassState
from reports.summary.records import Consent, Marker, PulseRecord
from reports.summary.windows import PulseKind
from tests.reports.builders import SHARES, START, a_class, a_window
from tests.reports.store.databases import Database


async def test_an_empty_store_returns_nothing(store: Store) -> None:
    assert await store.classes() == []
    assert await store.get_class("c1") is None
    assert await store.windows("c1") == []
    assert await store.markers("c1") == []
    assert await store.pulses("c1") == []
    assert await store.consents("c1") == []
    assert await store.delete_class("c1") is False
    assert await store.recover(START) == []
    assert await store.purge(START, timedelta(0), timedelta(0)) == 0
    await store.erase_participant("c1", "p1")


async def test_a_stored_class_is_returned_unchanged(store: Store) -> None:
    running = a_class(synthetic=True, started_at=START + timedelta(microseconds=250))
    bare = a_class("c2", code=None, student_url=None, ended_at=START + timedelta(minutes=45))
    await store.put_class(running)
    await store.put_class(bare)
    assert await store.get_class("c1") == running
    assert await store.get_class("c2") == bare
    assert (await store.get_class("c1")).started_at.tzinfo is UTC  # type: ignore[union-attr]


async def test_storing_a_class_again_replaces_it_and_keeps_its_windows(store: Store) -> None:
    await store.put_class(a_class())
    await store.add_window(a_window())
    ended = a_class(state=ClassState.ENDED, reason="ended by the host", ended_at=START + timedelta(hours=1))
    await store.put_class(ended)
    assert await store.classes() == [ended]
    assert len(await store.windows("c1")) == 1


async def test_times_are_converted_to_utc_and_need_a_zone(store: Store) -> None:
    kolkata = timezone(timedelta(hours=5, minutes=30))
    await store.put_class(a_class(started_at=START.astimezone(kolkata)))
    found = await store.get_class("c1")
    assert found is not None
    assert found.started_at == START
    assert found.started_at.utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="zone"):
        await store.put_class(a_class("c2", started_at=START.replace(tzinfo=None)))
    assert len(await store.classes()) == 1


async def test_classes_are_returned_newest_first(store: Store) -> None:
    for number in (2, 0, 1):
        await store.put_class(a_class(f"c{number}", started_at=START + timedelta(days=number)))
    assert [info.id for info in await store.classes()] == ["c2", "c1", "c0"]


async def test_a_stored_window_is_returned_unchanged(store: Store) -> None:
    await store.put_class(a_class())
    window = a_window(
        12.345,
        expressions=SHARES,
        facing=0.8333,
        length_s=5.001,
        pulses={"lost": 2, "ok": 7, "too_slow": 1},
        votes={"lost": 1, "ok": 6, "too_slow": 0},
    )
    await store.add_window(window)
    assert await store.windows("c1") == [window]


async def test_windows_are_returned_oldest_first_from_a_given_start(store: Store) -> None:
    await store.put_class(a_class())
    await store.put_class(a_class("c2"))
    for start_s in (10.0, 0.0, 5.0):
        await store.add_window(a_window(start_s))
    await store.add_window(a_window(0.0, "c2"))
    assert await store.windows("c1") == [a_window(0.0), a_window(5.0), a_window(10.0)]
    assert [window.start_s for window in await store.windows("c1", since_s=5.0)] == [5.0, 10.0]
    assert await store.windows("c1", since_s=10.5) == []


async def test_a_published_start_selects_its_window_even_if_it_is_stored_unrounded(
    store: Store, database: Database
) -> None:
    """Older databases have starts as they were calculated, for example 4.199999999999999."""

    def store_unrounded() -> None:
        for index in range(10):
            start_s = index * 1.4
            database.execute(
                "UPDATE windows SET start_s = :new WHERE start_s = :old", new=start_s, old=round(start_s, 3)
            )

    await store.put_class(a_class())
    for index in range(10):
        await store.add_window(a_window(index * 1.4))
    await asyncio.to_thread(store_unrounded)
    published = [window.to_json()["start_s"] for window in await store.windows("c1")]
    assert published[3] > 3 * 1.4, "rounded up"
    for index, since_s in enumerate(published):
        assert len(await store.windows("c1", since_s)) == 10 - index


async def test_shares_and_times_of_a_window_are_rounded_when_it_is_created(store: Store) -> None:
    await store.put_class(a_class())
    window = a_window(1 / 3, expressions=SHARES | {"happy": 1 / 3, "sad": 2 / 3}, facing=2 / 3)
    assert (window.start_s, window.facing) == (0.333, 0.67)
    assert window.expressions == SHARES | {"happy": 0.33, "sad": 0.67}
    await store.add_window(window)
    assert await store.windows("c1") == [window]


async def test_a_second_window_with_the_same_start_or_one_without_a_class_is_refused(store: Store) -> None:
    await store.put_class(a_class())
    await store.add_window(a_window())
    with pytest.raises(StoreError, match="refused"):
        await store.add_window(a_window(analysed=0))
    with pytest.raises(StoreError, match="its class was deleted"):
        await store.add_window(a_window(0.0, "nobody"))
    assert await store.windows("c1") == [a_window()]


async def test_markers_and_pulses_are_returned_oldest_first(store: Store) -> None:
    await store.put_class(a_class())
    late, early = Marker("c1", 70.5, "Ohm's law 🙂"), Marker("c1", 3.25, "start")
    lost, ok = PulseRecord("c1", 61.0, PulseKind.LOST), PulseRecord("c1", 2.0, PulseKind.OK)
    for marker in (late, early):
        await store.add_marker(marker)
    for pulse in (lost, ok, ok):
        await store.add_pulse(pulse)
    assert await store.markers("c1") == [early, late]
    assert await store.pulses("c1") == [ok, ok, lost]


async def test_deleting_a_class_deletes_its_records_and_no_others(store: Store, database: Database) -> None:
    for class_id in ("c1", "c2"):
        await store.put_class(a_class(class_id))
        await store.add_window(a_window(0.0, class_id))
        await store.add_marker(Marker(class_id, 1.0, "here"))
        await store.add_pulse(PulseRecord(class_id, 1.0, PulseKind.OK))
        await store.add_consent(Consent(class_id, "p1", 0.0, False, None))
    assert await store.delete_class("c1") is True
    assert await store.delete_class("c1") is False
    assert [info.id for info in await store.classes()] == ["c2"]

    def counts() -> list[int]:
        tables = ("windows", "markers", "pulses", "consents")
        return [database.execute(f"SELECT count(*) FROM {table}")[0][0] for table in tables]

    assert await asyncio.to_thread(counts) == [1, 1, 1, 1]
