"""Crashes, concurrent reads and writes, locked files and cancelled writes."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from reports.store import Store, StoreError
from reports.summary.classes import ClassState
from reports.summary.records import PulseRecord
from reports.summary.windows import PulseKind
from tests.reports.builders import START, a_class, a_window
from tests.reports.store.databases import Database


async def test_recovery_ends_a_running_class_at_the_end_of_its_last_window(
    store: Store, database: Database
) -> None:
    ended = a_class("ended", state=ClassState.ENDED, ended_at=START + timedelta(hours=1))
    await store.put_class(ended)
    await store.put_class(a_class("live", started_at=START + timedelta(days=1)))
    await store.put_class(a_class("lobby", state=ClassState.LOBBY, started_at=START + timedelta(days=2)))
    for start_s in (0.0, 5.0):
        await store.add_window(a_window(start_s, "live"))
    await asyncio.to_thread(database.forget_servers)

    recovered = await store.recover(START + timedelta(days=3))

    assert [(info.id, info.state, info.ended_at) for info in recovered] == [
        ("lobby", ClassState.INTERRUPTED, START + timedelta(days=2)),
        ("live", ClassState.INTERRUPTED, START + timedelta(days=1, seconds=10)),
    ]
    assert all("2026-03-05 09:00 UTC" in info.reason for info in recovered)
    assert await store.classes() == [*recovered, ended]
    assert await store.recover(START + timedelta(days=4)) == []


WRITER_PROGRAM = textwrap.dedent(
    """
    import asyncio, structlog, sys
    from tests.reports.builders import a_class, a_window
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


def test_acknowledged_windows_survive_a_kill_of_the_process(database: Database) -> None:
    url = database.url
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER_PROGRAM, url], stdout=subprocess.PIPE, text=True, cwd=root
    ) as child:
        assert child.stdout is not None
        try:
            acknowledged = [int(child.stdout.readline()) for _ in range(40)]
            if url.startswith("sqlite"):
                with pytest.raises(StoreError, match="another ClassMood is running on"):
                    Store.open(url)
            else:
                with closing(Store.open(url)) as other:
                    assert asyncio.run(other.recover(START)) == [], "its server is at work"
        finally:
            child.send_signal(signal.SIGKILL)
        # An incomplete last line is not an acknowledgement.
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL

    with closing(Store.open(url)) as store:
        database.forget_servers()
        stored = [window.start_s for window in asyncio.run(store.windows("c1"))]
        (recovered,) = asyncio.run(store.recover(START + timedelta(hours=2)))
    assert stored[: len(acknowledged)] == [number * 5.0 for number in acknowledged]
    assert len(stored) - len(acknowledged) in (0, 1)
    assert recovered.state is ClassState.INTERRUPTED
    assert recovered.ended_at == START + timedelta(seconds=stored[-1] + 5.0)


async def test_readers_see_complete_windows_while_others_are_written(store: Store) -> None:
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


async def test_concurrent_writes_are_all_stored(store: Store) -> None:
    await store.put_class(a_class())
    async with asyncio.TaskGroup() as tasks:
        for number in range(60):
            tasks.create_task(store.add_pulse(PulseRecord("c1", float(number), PulseKind.OK)))
    assert [pulse.at_s for pulse in await store.pulses("c1")] == [float(number) for number in range(60)]


async def test_a_lock_of_another_program_blocks_writes_with_a_message_but_no_reads(path: Path) -> None:
    def lock() -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    store = await asyncio.to_thread(Store.open, f"sqlite:///{path}?timeout=0.2")
    await store.put_class(a_class())
    other = await asyncio.to_thread(lock)
    assert [info.id for info in await store.classes()] == ["c1"]
    with pytest.raises(StoreError, match="another program has locked it"):
        await store.add_window(a_window())
    await asyncio.to_thread(other.close)
    await store.add_window(a_window())
    assert await store.windows("c1") == [a_window()]
    await asyncio.to_thread(store.close)


async def test_a_cancelled_write_is_still_written(database: Database) -> None:
    store = await asyncio.to_thread(Store.open, database.url)
    await store.put_class(a_class())
    writes = [asyncio.create_task(store.add_window(a_window(number * 5.0))) for number in range(20)]
    await asyncio.sleep(0)
    for write in writes:
        write.cancel()
    await asyncio.gather(*writes, return_exceptions=True)
    assert any(write.cancelled() for write in writes)
    await asyncio.to_thread(store.close)
    reopened = await asyncio.to_thread(Store.open, database.url)
    assert len(await reopened.windows("c1")) == 20
    await asyncio.to_thread(reopened.close)
