"""Opens a database for the store: the lock, the migrations, the engines, and errors in plain words.

Whatever a database or the file system raises leaves this module as a ``StoreError``.

SQLite needs settings that other databases have by default: a lock against a second program, write-ahead
logging so that readers never wait for the writer, enforced foreign keys, overwriting of deleted content with
zeros, and transactions that include changes of tables, so that an interrupted migration leaves nothing
behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

import migrations
from reports.store.database_file import close_to_others
from reports.store.errors import StoreError, translated

_BUSY_TIMEOUT_S: Final = "5"
_SECURE_PRAGMAS: Final = ("PRAGMA foreign_keys=ON", "PRAGMA secure_delete=ON")
_log = structlog.get_logger()


def resolve(url: str) -> URL:
    """Parse the URL of a database; a SQLite file gets an absolute path and a timeout for locks.

    Raises:
        StoreError: the URL cannot be used.
    """
    try:
        parsed = make_url(url)
        dialect = parsed.get_dialect()
    except ArgumentError as exc:
        raise StoreError(
            "set store.url to a database URL, like sqlite:///classmood.db: this is not one"
        ) from exc
    if dialect.is_async:
        raise StoreError(f"name a synchronous driver in store.url: {parsed.drivername} is asynchronous")
    if parsed.get_backend_name() != "sqlite":
        return parsed
    file = parsed.database or ""
    if file in ("", ":memory:") or file.startswith("file:"):
        raise StoreError(
            "set store.url to a plain file, like sqlite:///classmood.db: a database in memory would be lost"
        )
    # Absolute and without symbolic links, so that every path to the file leads to the same lock.
    parsed = parsed.set(database=str(Path(file).resolve()))
    return parsed if "timeout" in parsed.query else parsed.update_query_dict({"timeout": _BUSY_TIMEOUT_S})


def display_name(url: URL) -> str:
    """Name of a database in messages: the file, or the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)


@contextmanager
def locked(url: URL) -> Iterator[None]:
    """Lock a SQLite file against every other opener; other databases are not locked.

    The kernel releases the lock when the process ends, even after a crash. The lock file remains: after it
    was removed, two processes could lock two different files of the same name.

    Raises:
        StoreError: another process has the lock, or the folder is not writable.
    """
    if url.get_backend_name() != "sqlite":
        yield
        return
    name = display_name(url)
    path = Path(name)
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


def alembic_config() -> Config:
    """Alembic's configuration with our migrations, independent of the current directory."""
    config = Config()
    folder = Path(migrations.__path__[0]).resolve()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def migration_engine(url: URL) -> Engine:
    """An engine for changing tables.

    Foreign keys are not enforced: SQLite rebuilds a table by dropping it, which would delete all rows that
    refer to it.
    """
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        _prepare(engine, (), transactions=True)
    return engine


def migrate(url: URL) -> None:
    """Migrate a database to the tables of this version. A newer database is left unchanged.

    Raises:
        StoreError: the database is newer, or cannot be read or changed.
    """
    config = alembic_config()
    script = ScriptDirectory.from_config(config)
    name = display_name(url)
    with translated(name):
        engine = migration_engine(url)
        with engine.connect() as connection:
            found = set(MigrationContext.configure(connection).get_current_heads())
        if found - {revision.revision for revision in script.walk_revisions()}:
            raise StoreError(f"update ClassMood, or change store.url: a newer ClassMood wrote {name}")
        if found != set(script.get_heads()):
            config.attributes["connection"] = engine
            command.upgrade(config, "head")
            _log.info("database migrated", found=sorted(found), now=script.get_heads())


def require_current(url: URL) -> None:
    """Check that a database exists and has the tables of this version, without changing it.

    Raises:
        StoreError: it does not exist, is older or newer, or cannot be read.
    """
    name = display_name(url)
    if url.get_backend_name() == "sqlite" and not Path(name).exists():
        raise StoreError(f"start a class first, or change store.url: there is no database {name} yet")
    script = ScriptDirectory.from_config(alembic_config())
    with translated(name):
        engine = reader_engine(url, 1)
        try:
            with engine.connect() as connection:
                found = set(MigrationContext.configure(connection).get_current_heads())
        finally:
            engine.dispose()
    if found != set(script.get_heads()):
        raise StoreError(f"start `classmood serve` once to update {name}: its tables are of another version")


def writer_engine(url: URL) -> Engine:
    """An engine for the one thread that writes."""
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        _prepare(engine, ("PRAGMA journal_mode=WAL", *_SECURE_PRAGMAS), transactions=True)
    return engine


def prove_writable(writer: Engine) -> None:
    """Write and roll back, so that a read-only database is noticed now and not during a class.

    Raises:
        SQLAlchemyError: it cannot be written.
    """
    with writer.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
        connection.rollback()


def reader_engine(url: URL, connections: int) -> Engine:
    """An engine for threads that only read, one connection for each."""
    engine = create_engine(
        url, pool_size=connections, max_overflow=0, pool_pre_ping=True, hide_parameters=True
    )
    if engine.dialect.name == "sqlite":
        _prepare(engine, ("PRAGMA query_only=ON",), transactions=False)
    return engine


def wipe_deleted(writer: Engine) -> None:
    """Remove what was just deleted from SQLite's write-ahead log too.

    The log contains earlier versions of pages until it is copied into the file and truncated, which is done
    here.
    """
    if writer.dialect.name != "sqlite":
        return
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


def _prepare(engine: Engine, pragmas: tuple[str, ...], *, transactions: bool) -> None:
    """Set up every connection of a SQLite engine.

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
