"""Opening and closing the store: the lock, unusable URLs and files, and full disks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, Pool

import migrations
from reports.store import Store, StoreError, StoreRefused
from reports.summary.records import Marker
from tests.reports.builders import a_class
from tests.reports.store.databases import Database


def test_a_second_opener_is_refused_until_the_store_is_closed(path: Path) -> None:
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


async def test_a_closed_store_refuses_reads_and_writes(database: Database) -> None:
    store = await asyncio.to_thread(Store.open, database.url)
    await asyncio.to_thread(store.close)
    for call in (store.classes(), store.put_class(a_class())):
        with pytest.raises(StoreError, match="the store is closed"):
            await call


def test_the_folder_is_created_and_a_relative_path_is_resolved_when_opening(
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


def test_writer_and_reader_have_their_sqlite_settings(path: Path) -> None:
    settings: list[dict[str, object]] = []

    def record_settings(connection: DBAPIConnection, _record: ConnectionPoolEntry, _pool: object) -> None:
        names = ("journal_mode", "foreign_keys", "secure_delete", "busy_timeout", "query_only")
        found: dict[str, object] = {}
        for name in names:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA {name}")
            (found[name],) = cursor.fetchone() or (None,)
            cursor.close()
        settings.append(found)

    with closing(Store.open(f"sqlite:///{path}")) as store:
        event.listen(Pool, "checkout", record_settings)
        try:
            asyncio.run(store.put_class(a_class()))
            asyncio.run(store.classes())
        finally:
            event.remove(Pool, "checkout", record_settings)
    writer, reader = settings
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
    ("url", "message"),
    [
        ("classmood.db", "to a database URL"),
        ("nosuch://host/name", "to a database URL"),
        ("sqlite://", "to a plain file"),
        ("sqlite:///:memory:", "to a plain file"),
        ("sqlite:///file:a.db?uri=true", "to a plain file"),
        ("sqlite+aiosqlite:///a.db", "synchronous driver"),
        ("mysql+oursql://u:s3cret@host/name", "to a database URL"),
        ("oracle+cx_oracle://u:s3cret@host/name", "pip install cx_Oracle"),
    ],
)
def test_an_unusable_url_is_refused_without_naming_its_password(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=message) as caught:
        Store.open(url)
    assert "s3cret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_a_database_is_left_unchanged(path: Path) -> None:
    path.write_bytes(b"homework, not a database\n" * 50)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{path}")
    assert path.read_bytes() == before
    path.unlink()
    Store.open(f"sqlite:///{path}").close()  # the failed opening left no lock


def test_a_database_of_a_newer_version_is_left_unchanged(database: Database) -> None:
    Store.open(database.url).close()
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = database.content()
    with pytest.raises(StoreError, match="newer ClassMood"):
        Store.open(database.url)
    assert database.content() == before


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as a user without privileges: file modes do not restrict root."""
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
    """A folder that every user can write to."""
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def test_a_read_only_folder_is_reported(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with unprivileged(), pytest.raises(StoreError, match="make its folder writable"):
        Store.open(f"sqlite:///{open_folder}/classes.db")
    with unprivileged(), pytest.raises(StoreError, match="make its folder writable"):
        Store.open(f"sqlite:///{open_folder}/new/classes.db")


def test_a_read_only_file_is_reported_when_opening(open_folder: Path) -> None:
    path = open_folder / "classes.db"
    with unprivileged():
        Store.open(f"sqlite:///{path}").close()
        path.chmod(0o400)
        with pytest.raises(StoreError, match="it is read-only"):
            Store.open(f"sqlite:///{path}")


def test_a_file_of_another_user_that_everyone_can_read_is_refused(open_folder: Path) -> None:
    path = open_folder / "classes.db"
    Store.open(f"sqlite:///{path}").close()
    path.chmod(0o666)
    path.with_name("classes.db.lock").chmod(0o666)
    with unprivileged(), pytest.raises(StoreError, match="chmod 600"):
        Store.open(f"sqlite:///{path}")


def test_a_path_to_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "classes.db").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(f"sqlite:///{tmp_path}/classes.db")


def test_a_full_disk_is_reported_and_stored_records_remain(path: Path) -> None:
    def limit_pages(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
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
        assert not any(
            "xxx" in f"{error} {error.__cause__}" for error in refused
        )  # not in a traceback either
        stored = await store.markers("c1")
        assert len(stored) == len(results) - len(refused)
        return len(stored)

    event.listen(Pool, "connect", limit_pages)
    try:
        with closing(Store.open(f"sqlite:///{path}")) as store:
            stored = asyncio.run(fill(store))
    finally:
        event.remove(Pool, "connect", limit_pages)
    assert stored > 0
    with closing(Store.open(f"sqlite:///{path}")) as store:
        asyncio.run(store.add_marker(Marker("c1", 9999.0, "space again")))
        assert len(asyncio.run(store.markers("c1"))) == stored + 1


async def test_a_text_that_cannot_be_encoded_is_refused(store: Store) -> None:
    with pytest.raises(StoreRefused, match="characters that cannot be stored"):
        await store.put_class(a_class(title="lone \ud800 surrogate"))
    assert await store.classes() == []


def test_opening_for_reading_needs_a_database_of_this_version(database: Database) -> None:
    Store.open(database.url).close()
    database.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreError, match="of another version"), Store.open_reading(database.url):
        pass


def test_opening_for_reading_creates_no_file(path: Path) -> None:
    with pytest.raises(StoreError, match="no database"), Store.open_reading(f"sqlite:///{path}"):
        pass
    assert not path.exists()


def test_a_reader_sees_what_a_server_writes_and_cannot_write(store: Store, database: Database) -> None:
    asyncio.run(store.put_class(a_class()))
    with Store.open_reading(database.url) as reading:
        assert [info.id for info in asyncio.run(reading.classes())] == ["c1"]
        with pytest.raises(StoreError):
            asyncio.run(reading.put_class(a_class("c2")))
        asyncio.run(store.put_class(a_class("c3")))
        assert len(asyncio.run(reading.classes())) == 2
