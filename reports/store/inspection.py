"""Inspects a database without changing it, for ``classmood doctor``.

It creates no file, migrates no table and takes no lock, so a server may use the database at the same time.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from reports.store.database import (
    alembic_config,
    display_name,
    migration_engine,
    resolve,
)
from reports.store.database_file import open_to_others
from reports.store.errors import StoreError, translated
from reports.store.postgresql import ServerFacts, ask_server


class SchemaState(StrEnum):
    """The tables of a database compared with those of this version of the program."""

    ABSENT = "absent"
    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Inspection:
    """The state of a database.

    Attributes:
        name: The file of SQLite, or the URL without password.
        state: How its tables compare with those of this version.
        revision: Revision of its tables; empty if it has none.
        required_revision: Revision that this version of the program works with.
        open_files: Files of a SQLite database that other users of the machine can read.
        server: What a PostgreSQL server said; None for other databases.
    """

    name: str
    state: SchemaState
    revision: str
    required_revision: str
    open_files: tuple[Path, ...] = ()
    server: ServerFacts | None = None


def inspect(url: str) -> Inspection:
    """Inspect a database.

    Args:
        url: SQLAlchemy URL.

    Raises:
        StoreError: it cannot be read, or a server could not write to it.
    """
    target = resolve(url)
    name = display_name(target)
    script = ScriptDirectory.from_config(alembic_config())
    required = " ".join(sorted(script.get_heads()))
    if target.get_backend_name() == "sqlite":
        exists = Path(name).exists()
        _require_writable(Path(name), exists)
        if not exists:
            return Inspection(name, SchemaState.ABSENT, "", required)
    facts = None
    with translated(name):
        engine = _read_only_engine(target)
        try:
            with engine.connect() as connection:
                heads = set(MigrationContext.configure(connection).get_current_heads())
                state = _compare(heads, script)
                if engine.dialect.name == "postgresql":
                    facts = ask_server(connection, migrating=state is not SchemaState.CURRENT)
        finally:
            engine.dispose()
    open_files = tuple(open_to_others(Path(name))) if target.get_backend_name() == "sqlite" else ()
    return Inspection(name, state, " ".join(sorted(heads)), required, open_files, facts)


def _compare(heads: set[str], script: ScriptDirectory) -> SchemaState:
    if not heads:
        return SchemaState.EMPTY
    if heads == set(script.get_heads()):
        return SchemaState.CURRENT
    known = {revision.revision for revision in script.walk_revisions()}
    return SchemaState.OLDER if heads <= known else SchemaState.NEWER


def _require_writable(file: Path, exists: bool) -> None:
    """Check that a server could write the database and the files that SQLite creates beside it.

    Raises:
        StoreError: it could not.
    """
    if exists and not os.access(file, os.R_OK | os.W_OK):
        raise StoreError(f"make {file} readable and writable for this user: it is not")
    folder = next(parent for parent in file.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"make {folder} writable, or change store.url: {file} cannot be written there")


def _read_only_engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        # Not a reader's engine, whose transactions are read-only: the role's own may be, too.
        return migration_engine(url)
    file = Path(str(url.database))
    # Even a reader makes SQLite create a write-ahead log and its index where there are none, unless the
    # database is declared immutable. With a log it must not be: the newest data may be in the log only.
    log = file.with_name(f"{file.name}-wal")
    immutable = "" if log.exists() else "&immutable=1"
    uri = f"file:{quote(str(file))}?mode=ro{immutable}"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=NullPool)
