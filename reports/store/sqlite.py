"""What SQLite needs to do what other databases do by themselves.

A lock against a second program, write-ahead logging so that readers never wait for the writer, enforced
foreign keys, overwriting of deleted content with zeros, and transactions that include changes of tables, so
that an interrupted migration leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from reports.store.database_file import close_to_others
from reports.store.errors import StoreError, translated

WRITER_PRAGMAS: Final = ("PRAGMA journal_mode=WAL", "PRAGMA foreign_keys=ON", "PRAGMA secure_delete=ON")
READER_PRAGMAS: Final = ("PRAGMA query_only=ON",)

_BUSY_TIMEOUT_S: Final = "5"
_log = structlog.get_logger()


def with_defaults(url: URL) -> URL:
    """The URL of a SQLite file with an absolute path and a timeout for locks.

    Raises:
        StoreError: the database would be in memory.
    """
    file = url.database or ""
    if file in ("", ":memory:") or file.startswith("file:"):
        raise StoreError(
            "set store.url to a plain file, like sqlite:///classmood.db: a database in memory would be lost"
        )
    # Absolute and without symbolic links, so that every path to the file leads to the same lock.
    url = url.set(database=str(Path(file).resolve()))
    return url if "timeout" in url.query else url.update_query_dict({"timeout": _BUSY_TIMEOUT_S})


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Lock a file against every other opener, and create it if it does not exist.

    The kernel releases the lock when the process ends, even after a crash. The lock file remains: after it
    was removed, two processes could lock two different files of the same name.

    Raises:
        StoreError: another process has the lock, or the folder is not writable.
    """
    name = str(path)
    with translated(name):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with translated(name):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise StoreError(
                    f"another ClassMood is running on {name}: use or stop that one, "
                    "or set store.url to another file"
                ) from exc
            # The file can contain names: no other user of the machine may read it.
            if not path.exists():
                path.touch(mode=0o600)
            close_to_others(path)
        yield
    finally:
        os.close(lock)


def prepare(engine: Engine, pragmas: tuple[str, ...], *, transactions: bool) -> None:
    """Set up every connection of an engine.

    Args:
        engine: The engine.
        pragmas: Statements for each new connection.
        transactions: Whether every transaction locks the database for writing from its start.
    """

    def connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def begin(connection: Connection) -> None:
        # Python's driver begins a transaction late, and never before a change of tables. IMMEDIATE: a locked
        # file raises here and not halfway through.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", connect)
    if transactions:
        event.listen(engine, "begin", begin)


def truncate_log(writer: Engine) -> None:
    """Remove what was just deleted from the write-ahead log too.

    The log contains earlier versions of pages until it is copied into the file and truncated, which is done
    here.
    """
    # A SQLAlchemy connection would begin a transaction, and inside one the log cannot be truncated.
    raw = writer.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (busy, *_counts) = cursor.fetchone() or (0,)
        cursor.close()
    finally:
        raw.close()
    if busy:
        _log.warning("deleted content remains in the write-ahead log until the next deletion or the end")
