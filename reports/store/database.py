"""Opening a database for the store: the lock, the migrations, the connections, and its errors.

StoreError          one line that says what to do
+-- StoreRefused    can never be done: a rule is broken, the class is gone, a text cannot be written

Comes in: the SQLAlchemy URL of the settings. Goes out: a database that is held by this process alone
(SQLite), has the tables of this version of the program, and engines to write to it and read from it.
What goes wrong in there leaves this module as a ``StoreError`` and as nothing else.

SQLite gets what it needs and other databases have of themselves: a lock against a second program,
write-ahead logging so that reading never waits for writing, enforced foreign keys, deleted content
overwritten with zeros, and transactions that hold DDL too, so that a migration cut off leaves nothing.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

import migrations

_BUSY_TIMEOUT_S: Final = "5"
_SECURE: Final = ("PRAGMA foreign_keys=ON", "PRAGMA secure_delete=ON")
_ADVICE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space and try again",
    sqlite3.SQLITE_BUSY: "another program keeps it locked: close that program and try again",
    sqlite3.SQLITE_NOTADB: "the file is not a database: move it away or set store.url to another file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: put a backup in its place or move it away",
    sqlite3.SQLITE_READONLY: "it is read-only: make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: make the file and its folder readable and writable",
    sqlite3.SQLITE_IOERR: "the disk reports an error: check the disk and the space on it",
}

_log = structlog.get_logger()


class StoreError(Exception):
    """The store cannot do what it was asked; the text is one line that says what to do."""


class StoreRefused(StoreError):
    """What was asked can never be done, so that trying again is of no use."""


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what a database or the system raises inside into a ``StoreError``.

    The text never holds the values of a statement: a name could be among them.

    Args:
        name: The database, as the host knows it.

    Raises:
        StoreError: whatever went wrong.
    """
    try:
        yield
    except IntegrityError as exc:
        raise StoreRefused(
            f"{name}: refused: the record is there already, breaks a rule, or its class is gone"
        ) from exc
    except (SQLAlchemyError, sqlite3.Error, CommandError) as exc:
        raise StoreError(f"{name}: {_advice(exc)}") from exc
    except UnicodeError as exc:
        raise StoreRefused(f"{name}: refused: a text holds characters that cannot be written") from exc
    except ImportError as exc:
        raise StoreError(f"{name}: its driver is not installed: pip install {exc.name}") from exc
    except OSError as exc:
        raise StoreError(f"{name}: {exc.strerror}: make its folder writable or change store.url") from exc


def _advice(exc: Exception) -> str:
    origin = exc.orig if isinstance(exc, DBAPIError) else exc
    # The low byte is the error's kind, the rest only details it.
    code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    return _ADVICE.get(code) or f"the database says: {' '.join(str(origin).split())}"


def resolve(url: str) -> URL:
    """The URL of a database, its SQLite file as an absolute path, its waiting time set.

    Raises:
        StoreError: the URL cannot be used.
    """
    try:
        parsed = make_url(url)
        dialect = parsed.get_dialect()
    except ArgumentError as exc:
        raise StoreError("store.url is no database URL: write it like sqlite:///classmood.db") from exc
    if dialect.is_async:
        raise StoreError(f"store.url: {parsed.drivername} is an asynchronous driver: name a plain one")
    if parsed.get_backend_name() != "sqlite":
        return parsed
    file = parsed.database or ""
    if file in ("", ":memory:") or file.startswith("file:"):
        raise StoreError("store.url must name a plain file, like sqlite:///classmood.db: classes are kept")
    # Absolute and without links: the lock must be the same one whichever way the file is reached.
    parsed = parsed.set(database=str(Path(file).resolve()))
    return parsed if "timeout" in parsed.query else parsed.update_query_dict({"timeout": _BUSY_TIMEOUT_S})


def display_name(url: URL) -> str:
    """How to call a database in a text for the host: the file, or the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)


@contextmanager
def held(url: URL) -> Iterator[None]:
    """Hold a SQLite file against any other opener; nothing to hold for other databases.

    The kernel lets go when the process ends, however it ends. The lock file stays: removing it would
    let two processes hold two files of the same name.

    Raises:
        StoreError: another opener holds it, or the folder cannot be written.
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
                    f"another ClassMood is running on {name}: use that one, stop it first, "
                    "or set store.url to another file"
                ) from exc
            # Names may come to be in it, so that no one else on the machine gets to read it.
            if not path.exists():
                path.touch(mode=0o600)
        yield
    finally:
        os.close(lock)


def alembic_config() -> Config:
    """Alembic's configuration with the migrations of the package, whatever the current directory."""
    config = Config()
    folder = Path(migrations.__path__[0]).resolve()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def migration_engine(url: URL) -> Engine:
    """An engine for changing tables.

    Foreign keys are not enforced: SQLite rebuilds a table by dropping it, which would delete every row
    that refers to it.
    """
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        _prepare(engine, (), transactions=True)
    return engine


def migrate(url: URL) -> None:
    """Bring a database to this version's tables. One of a newer version is left as it is.

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
            raise StoreError(f"{name} was written by a newer ClassMood: update this one, or change store.url")
        if found != set(script.get_heads()):
            config.attributes["connection"] = engine
            command.upgrade(config, "head")
            _log.info("database migrated", found=sorted(found), now=script.get_heads())


def require_current(url: URL) -> None:
    """Make sure that a database is there and has this version's tables; nothing is changed.

    Raises:
        StoreError: it is not there, older, newer, or cannot be read.
    """
    name = display_name(url)
    if url.get_backend_name() == "sqlite" and not Path(name).exists():
        raise StoreError(f"there is no database {name} yet: hold a class first, or change store.url")
    script = ScriptDirectory.from_config(alembic_config())
    with translated(name):
        engine = reader_engine(url, 1)
        try:
            with engine.connect() as connection:
                found = set(MigrationContext.configure(connection).get_current_heads())
        finally:
            engine.dispose()
    if found != set(script.get_heads()):
        raise StoreError(
            f"{name} is not of this version: start `classmood serve` once to bring it up to date"
        )


def writer_engine(url: URL) -> Engine:
    """The engine of the one writer."""
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        _prepare(engine, ("PRAGMA journal_mode=WAL", *_SECURE), transactions=True)
    return engine


def prove_writable(writer: Engine) -> None:
    """Write and take it back, so that a read-only database shows now and not in the middle of a class.

    Raises:
        SQLAlchemyError: it cannot be written.
    """
    with writer.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
        connection.rollback()


def reader_engine(url: URL, connections: int) -> Engine:
    """An engine to read with, for as many threads as it may have connections."""
    engine = create_engine(
        url, pool_size=connections, max_overflow=0, pool_pre_ping=True, hide_parameters=True
    )
    if engine.dialect.name == "sqlite":
        _prepare(engine, ("PRAGMA query_only=ON",), transactions=False)
    return engine


def wipe_deleted(writer: Engine) -> None:
    """Make what was just deleted unreadable in SQLite's write-ahead log as well.

    The log holds earlier pages until it is copied into the file and cut to nothing, which is done here.
    """
    if writer.dialect.name != "sqlite":
        return
    # Not through a Connection: it would open a transaction, in which the log cannot be cut.
    raw = writer.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (busy, *_counts) = cursor.fetchone() or (0,)
        cursor.close()
    finally:
        raw.close()
    if busy:
        _log.warning("deleted content stays in the log until the next deletion or the end")


def _prepare(engine: Engine, pragmas: tuple[str, ...], *, transactions: bool) -> None:
    def connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def begin(connection: Connection) -> None:
        # Python's driver would begin late, and never for DDL. At once for writing: a locked file shows
        # here, not halfway through.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", connect)
    if transactions:
        event.listen(engine, "begin", begin)
