"""Opening and closing the store: the lock, unusable files, what a disk can do."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, Pool

import migrations
from reports.store import Store, StoreError
from reports.summary.records import Marker
from tests.reports.builders import a_class


def test_second_opener_is_told_and_close_lets_go(path: Path) -> None:
    url = f"sqlite:///{path}"
    link = path.with_name("link.db")
    link.symlink_to(path)
    first = Store.open(url)
    for other in (url, f"sqlite:///{link}"):
        with pytest.raises(StoreError, match="another ClassMood is running on") as caught:
            Store.open(other)
        assert "\n" not in str(caught.value)
    first.close()
    first.close()
    Store.open(url).close()


async def test_closed_store_says_so(path: Path) -> None:
    store = await asyncio.to_thread(Store.open, f"sqlite:///{path}")
    await asyncio.to_thread(store.close)
    for call in (store.classes(), store.put_class(a_class())):
        with pytest.raises(StoreError, match="the store is closed"):
            await call


def test_folder_is_made_and_relative_path_is_meant_where_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with closing(Store.open("sqlite:///new/folder/classes.db")) as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        asyncio.run(store.put_class(a_class()))
        assert [info.id for info in asyncio.run(store.classes())] == ["c1"]
    assert (tmp_path / "new/folder/classes.db").stat().st_size > 0
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_sqlite_is_set_up_for_it(path: Path) -> None:
    set_up: list[dict[str, object]] = []

    def look(connection: DBAPIConnection, _record: ConnectionPoolEntry, _pool: object) -> None:
        names = ("journal_mode", "foreign_keys", "secure_delete", "busy_timeout", "query_only")
        found: dict[str, object] = {}
        for name in names:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA {name}")
            (found[name],) = cursor.fetchone() or (None,)
            cursor.close()
        set_up.append(found)

    with closing(Store.open(f"sqlite:///{path}")) as store:
        event.listen(Pool, "checkout", look)
        try:
            asyncio.run(store.put_class(a_class()))
            asyncio.run(store.classes())
        finally:
            event.remove(Pool, "checkout", look)
    writer, reader = set_up
    assert writer == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "secure_delete": 1,
        "busy_timeout": 5000,
        "query_only": 0,
    }
    assert reader["query_only"] == 1
    assert reader["journal_mode"] == "wal"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("classmood.db", "no database URL"),
        ("nosuch://host/name", "no database URL"),
        ("sqlite://", "must name a plain file"),
        ("sqlite:///:memory:", "must name a plain file"),
        ("sqlite:///file:a.db?uri=true", "must name a plain file"),
        ("sqlite+aiosqlite:///a.db", "asynchronous driver"),
        ("mysql+oursql://u:s3cret@host/name", "no database URL"),
        ("oracle+cx_oracle://u:s3cret@host/name", "pip install cx_Oracle"),
    ],
)
def test_unusable_url_is_refused_without_its_password(
    url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=said) as caught:
        Store.open(url)
    assert "s3cret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"homework, not a database\n" * 50)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{path}")
    assert path.read_bytes() == before
    path.unlink()
    Store.open(f"sqlite:///{path}").close()  # the failure holds nothing


def test_database_of_a_newer_program_is_left_alone(path: Path) -> None:
    url = f"sqlite:///{path}"
    Store.open(url).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes(), path.stat().st_mtime_ns
    with pytest.raises(StoreError, match="newer ClassMood"):
        Store.open(url)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@contextmanager
def unprivileged() -> Iterator[None]:
    """As someone whom file modes bind, which they do not for root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        if not os.access(migrations.__path__[0], os.R_OK, effective_ids=True):
            pytest.skip("the checkout is readable by root alone")
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that anyone can reach and write."""
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def test_folder_that_cannot_be_written_is_said(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with unprivileged(), pytest.raises(StoreError, match="make its folder writable"):
        Store.open(f"sqlite:///{open_folder}/classes.db")
    with unprivileged(), pytest.raises(StoreError, match="make its folder writable"):
        Store.open(f"sqlite:///{open_folder}/new/classes.db")


def test_read_only_file_is_said_when_opening(open_folder: Path) -> None:
    path = open_folder / "classes.db"
    Store.open(f"sqlite:///{path}").close()
    path.chmod(0o444)
    path.with_name("classes.db.lock").chmod(0o666)
    with unprivileged(), pytest.raises(StoreError, match="it is read-only"):
        Store.open(f"sqlite:///{path}")


def test_path_that_is_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "classes.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(f"sqlite:///{tmp_path}/classes.db")


def test_full_disk_is_said_and_what_was_kept_stays(path: Path) -> None:
    def limit(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count=100")
        cursor.close()

    async def fill(store: Store) -> int:
        await store.put_class(a_class())
        added = [store.add_marker(Marker("c1", float(number), "x" * 10_000)) for number in range(60)]
        results = await asyncio.gather(*added, return_exceptions=True)
        refused = [result for result in results if result is not None]
        assert refused
        assert all("the disk is full" in str(error) for error in refused)
        assert not any("xxx" in f"{error} {error.__cause__}" for error in refused)  # nor in a traceback
        kept = await store.markers("c1")
        assert len(kept) == len(results) - len(refused)
        return len(kept)

    event.listen(Pool, "connect", limit)
    try:
        with closing(Store.open(f"sqlite:///{path}")) as store:
            kept = asyncio.run(fill(store))
    finally:
        event.remove(Pool, "connect", limit)
    assert kept > 0
    with closing(Store.open(f"sqlite:///{path}")) as store:
        asyncio.run(store.add_marker(Marker("c1", 9999.0, "room again")))
        assert len(asyncio.run(store.markers("c1"))) == kept + 1


async def test_text_that_cannot_be_written_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="characters that cannot be written"):
        await store.put_class(a_class(title="lone \ud800 surrogate"))
    assert await store.classes() == []


def test_reading_needs_a_database_of_this_version(path: Path) -> None:
    url = f"sqlite:///{path}"
    with pytest.raises(StoreError, match="no database"), Store.open_reading(url):
        pass
    assert not path.exists()
    Store.open(url).close()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreError, match="not of this version"), Store.open_reading(url):
        pass


def test_reading_while_a_server_writes(path: Path, store: Store) -> None:
    asyncio.run(store.put_class(a_class()))
    with Store.open_reading(f"sqlite:///{path}") as reading:
        assert [info.id for info in asyncio.run(reading.classes())] == ["c1"]
        with pytest.raises(StoreError):
            asyncio.run(reading.put_class(a_class("c2")))
        asyncio.run(store.put_class(a_class("c3")))
        assert len(asyncio.run(reading.classes())) == 2
