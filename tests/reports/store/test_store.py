"""The store on real SQLite files: what goes in comes out, and survives; what must not be kept is not."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest

from reports.store import Store, StoreError
from reports.summary.classes import ClassState
from reports.summary.records import Consent, Marker, PulseRecord
from reports.summary.windows import PulseKind
from tests.reports.builders import SHARES, START, a_class, a_window, bytes_on_disk

# What goes in comes out


async def test_empty_store_has_nothing(store: Store) -> None:
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


async def test_class_comes_back_as_it_went_in(store: Store) -> None:
    running = a_class(synthetic=True, started_at=START + timedelta(microseconds=250))
    bare = a_class("c2", code=None, student_url=None, ended_at=START + timedelta(minutes=45))
    await store.put_class(running)
    await store.put_class(bare)
    assert await store.get_class("c1") == running
    assert await store.get_class("c2") == bare
    assert (await store.get_class("c1")).started_at.tzinfo is UTC  # type: ignore[union-attr]


async def test_put_class_replaces_the_class_and_keeps_its_windows(store: Store) -> None:
    await store.put_class(a_class())
    await store.add_window(a_window())
    ended = a_class(state=ClassState.ENDED, reason="ended by the host", ended_at=START + timedelta(hours=1))
    await store.put_class(ended)
    assert await store.classes() == [ended]
    assert len(await store.windows("c1")) == 1


async def test_times_are_utc_whatever_the_zone_they_came_in(store: Store) -> None:
    kolkata = timezone(timedelta(hours=5, minutes=30))
    await store.put_class(a_class(started_at=START.astimezone(kolkata)))
    found = await store.get_class("c1")
    assert found is not None
    assert found.started_at == START
    assert found.started_at.utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="zone"):
        await store.put_class(a_class("c2", started_at=START.replace(tzinfo=None)))
    assert len(await store.classes()) == 1


async def test_classes_newest_first(store: Store) -> None:
    for number in (2, 0, 1):
        await store.put_class(a_class(f"c{number}", started_at=START + timedelta(days=number)))
    assert [info.id for info in await store.classes()] == ["c2", "c1", "c0"]


async def test_window_comes_back_as_it_went_in(store: Store) -> None:
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


async def test_windows_come_back_in_order_and_since(store: Store) -> None:
    await store.put_class(a_class())
    await store.put_class(a_class("c2"))
    for start_s in (10.0, 0.0, 5.0):
        await store.add_window(a_window(start_s))
    await store.add_window(a_window(0.0, "c2"))
    assert await store.windows("c1") == [a_window(0.0), a_window(5.0), a_window(10.0)]
    assert [window.start_s for window in await store.windows("c1", since_s=5.0)] == [5.0, 10.0]
    assert await store.windows("c1", since_s=10.5) == []


async def test_a_published_start_selects_its_window_even_where_it_is_stored_unrounded(
    store: Store, path: Path
) -> None:
    """Older databases have starts as they were calculated, for example 4.199999999999999."""

    def store_unrounded() -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            for index in range(10):
                start_s = index * 1.4
                connection.execute(
                    "UPDATE windows SET start_s = ? WHERE start_s = ?", (start_s, round(start_s, 3))
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
    window = a_window(1 / 3, expressions=SHARES | {"happy": 1 / 3}, facing=2 / 3)
    assert (window.start_s, window.facing) == (0.333, 0.6667)
    assert window.expressions == SHARES | {"happy": 0.3333}
    await store.add_window(window)
    assert await store.windows("c1") == [window]


async def test_window_is_kept_once_and_only_for_a_class(store: Store) -> None:
    await store.put_class(a_class())
    await store.add_window(a_window())
    with pytest.raises(StoreError, match="refused"):
        await store.add_window(a_window(analysed=0))
    with pytest.raises(StoreError, match="its class is gone"):
        await store.add_window(a_window(0.0, "nobody"))
    assert await store.windows("c1") == [a_window()]


async def test_markers_and_pulses_oldest_first(store: Store) -> None:
    await store.put_class(a_class())
    late, early = Marker("c1", 70.5, "Ohm's law 🙂"), Marker("c1", 3.25, "start")
    lost, fine = PulseRecord("c1", 61.0, PulseKind.LOST), PulseRecord("c1", 2.0, PulseKind.OK)
    for marker in (late, early):
        await store.add_marker(marker)
    for pulse in (lost, fine, fine):
        await store.add_pulse(pulse)
    assert await store.markers("c1") == [early, late]
    assert await store.pulses("c1") == [fine, fine, lost]


async def test_delete_class_takes_everything_and_nothing_else(store: Store, path: Path) -> None:
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
        with closing(sqlite3.connect(path)) as connection:
            return [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables]

    assert await asyncio.to_thread(counts) == [1, 1, 1, 1]


# What must not be kept


async def test_suppressed_window_leaves_no_expressions(store: Store, path: Path) -> None:
    await store.put_class(a_class())
    await store.add_window(a_window(expressions=None, analysed=2, facing=0.5))
    (window,) = await store.windows("c1")
    assert (window.expressions, window.facing) == (None, None)
    assert window.suppressed is True
    assert b"disgust" not in await asyncio.to_thread(bytes_on_disk, path)


def test_database_itself_refuses_what_must_not_be_kept(path: Path) -> None:
    with closing(Store.open(f"sqlite:///{path}")) as store:
        asyncio.run(store.put_class(a_class()))
        asyncio.run(store.add_window(a_window(facing=0.75)))
        asyncio.run(store.add_consent(Consent("c1", "p1", 0.0, True, "Ada")))
    with closing(sqlite3.connect(path)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="suppressed_is_empty"):
            connection.execute("UPDATE windows SET suppressed = 1")
        with pytest.raises(sqlite3.IntegrityError, match="suppressed_faces_nowhere"):
            connection.execute("UPDATE windows SET suppressed = 1, expressions = NULL")
        with pytest.raises(sqlite3.IntegrityError, match="name_is_individual"):
            connection.execute("UPDATE consents SET individual = 0")


async def test_name_is_kept_only_with_individual_consent(store: Store, path: Path) -> None:
    await store.put_class(a_class())
    await store.add_consent(Consent("c1", "p1", 1.0, False, "Grace Plainname"))
    await store.add_consent(Consent("c1", "p2", 2.0, True, "Ada Checkin"))
    assert await store.consents("c1") == [
        Consent("c1", "p1", 1.0, False, None),
        Consent("c1", "p2", 2.0, True, "Ada Checkin"),
    ]
    assert b"Plainname" not in await asyncio.to_thread(bytes_on_disk, path)


async def test_new_consent_replaces_the_earlier_one_with_its_name(store: Store, path: Path) -> None:
    await store.put_class(a_class())
    await store.add_consent(Consent("c1", "p1", 1.0, True, "Ada Checkin"))
    await store.add_consent(Consent("c1", "p1", 9.0, False, None))
    assert await store.consents("c1") == [Consent("c1", "p1", 9.0, False, None)]
    assert b"Checkin" not in await asyncio.to_thread(bytes_on_disk, path)


async def test_erased_participant_is_nowhere_on_the_disk(store: Store, path: Path) -> None:
    await store.put_class(a_class())
    for participant in ("p-erased", "p-stays"):
        await store.add_consent(Consent("c1", participant, 1.0, True, f"Name of {participant}"))
    assert b"Name of p-erased" in await asyncio.to_thread(bytes_on_disk, path)
    await store.erase_participant("c1", "p-erased")
    assert [consent.participant_id for consent in await store.consents("c1")] == ["p-stays"]
    left = await asyncio.to_thread(bytes_on_disk, path)
    assert b"p-erased" not in left
    assert b"Name of p-stays" in left


async def test_purge_deletes_by_end_of_class_and_names_by_age(store: Store, path: Path) -> None:
    now = START + timedelta(days=200)
    old_end, new_end = now - timedelta(days=181), now - timedelta(days=179)
    await store.put_class(a_class("old", state=ClassState.ENDED, ended_at=old_end))
    await store.put_class(a_class("new", state=ClassState.ENDED, ended_at=new_end))
    await store.put_class(a_class("running", started_at=now - timedelta(hours=49)))
    await store.add_window(a_window(0.0, "old"))
    await store.add_consent(Consent("new", "p1", 0.0, True, "Ada Longago"))
    await store.add_consent(Consent("running", "p2", 1800.0, True, "Alan Justover"))
    await store.add_consent(Consent("running", "p3", 5400.0, True, "Grace Justunder"))

    assert await store.purge(now, timedelta(days=180), timedelta(hours=48)) == 1

    assert [info.id for info in await store.classes()] == ["running", "new"]
    assert await store.windows("old") == []
    assert await store.consents("new") == [Consent("new", "p1", 0.0, False, None)]
    assert await store.consents("running") == [
        Consent("running", "p2", 1800.0, False, None),
        Consent("running", "p3", 5400.0, True, "Grace Justunder"),
    ]
    left = await asyncio.to_thread(bytes_on_disk, path)
    assert b"Longago" not in left
    assert b"Justover" not in left
    assert await store.purge(now, timedelta(days=180), timedelta(hours=48)) == 0


def test_only_the_owner_can_read_the_file(path: Path) -> None:
    with closing(Store.open(f"sqlite:///{path}")):
        assert {file.stat().st_mode & 0o077 for file in path.parent.glob("classes.db*")} == {0}


# Crashes and recovery


async def test_recover_ends_a_class_with_its_last_window(store: Store) -> None:
    ended = a_class("ended", state=ClassState.ENDED, ended_at=START + timedelta(hours=1))
    await store.put_class(ended)
    await store.put_class(a_class("live", started_at=START + timedelta(days=1)))
    await store.put_class(a_class("lobby", state=ClassState.LOBBY, started_at=START + timedelta(days=2)))
    for start_s in (0.0, 5.0):
        await store.add_window(a_window(start_s, "live"))

    recovered = await store.recover(START + timedelta(days=3))

    assert [(info.id, info.state, info.ended_at) for info in recovered] == [
        ("lobby", ClassState.INTERRUPTED, START + timedelta(days=2)),
        ("live", ClassState.INTERRUPTED, START + timedelta(days=1, seconds=10)),
    ]
    assert all("2026-03-05 09:00 UTC" in info.reason for info in recovered)
    assert await store.classes() == [*recovered, ended]
    assert await store.recover(START + timedelta(days=4)) == []


CHILD = textwrap.dedent(
    """
    import asyncio, structlog, sys
    from tests.reports.store.test_store import a_class, a_window
    from reports.store import Store

    async def main():
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        store = Store.open(sys.argv[1])
        await store.put_class(a_class())
        for number in range(1_000_000):
            await store.add_window(a_window(number * 5.0))
            print(number, flush=True)

    asyncio.run(main())
    """
)


def test_kill_9_loses_nothing_that_was_acknowledged(path: Path) -> None:
    url = f"sqlite:///{path}"
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True, cwd=root
    ) as child:
        assert child.stdout is not None
        try:
            acknowledged = [int(child.stdout.readline()) for _ in range(40)]
            with pytest.raises(StoreError, match="another ClassMood is running on"):
                Store.open(url)
        finally:
            child.send_signal(signal.SIGKILL)
        # A line is whole or was never acknowledged.
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL

    with closing(Store.open(url)) as store:
        kept = [window.start_s for window in asyncio.run(store.windows("c1"))]
        (recovered,) = asyncio.run(store.recover(START + timedelta(hours=2)))
    assert kept[: len(acknowledged)] == [number * 5.0 for number in acknowledged]
    assert len(kept) - len(acknowledged) in (0, 1)
    assert recovered.state is ClassState.INTERRUPTED
    assert recovered.ended_at == START + timedelta(seconds=kept[-1] + 5.0)


# Many at once


async def test_reads_see_whole_windows_while_others_are_written(store: Store) -> None:
    await store.put_class(a_class())
    seen: list[int] = []

    async def read() -> None:
        while not seen or seen[-1] < 100:
            windows = await store.windows("c1")
            assert windows == [a_window(number * 5.0) for number in range(len(windows))]
            seen.append(len(windows))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        for number in range(100):
            await store.add_window(a_window(number * 5.0))
    assert seen == sorted(seen)
    assert len(set(seen)) > 2


async def test_many_writers_at_once_all_get_through(store: Store) -> None:
    await store.put_class(a_class())
    async with asyncio.TaskGroup() as tasks:
        for number in range(60):
            tasks.create_task(store.add_pulse(PulseRecord("c1", float(number), PulseKind.OK)))
    assert [pulse.at_s for pulse in await store.pulses("c1")] == [float(number) for number in range(60)]


async def test_reading_does_not_wait_for_a_writer_and_a_locked_file_is_said(path: Path) -> None:
    def lock() -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    store = await asyncio.to_thread(Store.open, f"sqlite:///{path}?timeout=0.2")
    await store.put_class(a_class())
    other = await asyncio.to_thread(lock)
    assert [info.id for info in await store.classes()] == ["c1"]
    with pytest.raises(StoreError, match="another program keeps it locked"):
        await store.add_window(a_window())
    await asyncio.to_thread(other.close)
    await store.add_window(a_window())
    assert await store.windows("c1") == [a_window()]
    await asyncio.to_thread(store.close)


async def test_a_cancelled_write_is_written_all_the_same(path: Path) -> None:
    store = await asyncio.to_thread(Store.open, f"sqlite:///{path}")
    await store.put_class(a_class())
    writes = [asyncio.create_task(store.add_window(a_window(number * 5.0))) for number in range(20)]
    await asyncio.sleep(0)
    for write in writes:
        write.cancel()
    await asyncio.gather(*writes, return_exceptions=True)
    assert any(write.cancelled() for write in writes)
    await asyncio.to_thread(store.close)
    again = await asyncio.to_thread(Store.open, f"sqlite:///{path}")
    assert len(await again.windows("c1")) == 20
    await asyncio.to_thread(again.close)
