"""A database looked at without changing it, for ``classmood doctor``.

Comes in: the SQLAlchemy URL of the settings. Goes out: whether it is there, and which revision of the
tables it has. No file is made, no table brought up to date, no lock taken: a server may run on it.
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
    StoreError,
    alembic_config,
    display_name,
    reader_engine,
    resolve,
    translated,
)


class Standing(StrEnum):
    """How a database stands to this version of the program."""

    ABSENT = "absent"
    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was seen.

    Attributes:
        name: The database, as the host knows it.
        standing: How it stands.
        found: Revision of its tables; empty where it has none.
        wanted: Revision this version of the program works with.
    """

    name: str
    standing: Standing
    found: str
    wanted: str


def inspect(url: str) -> Inspection:
    """Look at a database.

    Args:
        url: SQLAlchemy URL.

    Raises:
        StoreError: it cannot be read, or could not be written by a server.
    """
    target = resolve(url)
    name = display_name(target)
    script = ScriptDirectory.from_config(alembic_config())
    wanted = " ".join(sorted(script.get_heads()))
    if target.get_backend_name() == "sqlite":
        there = Path(name).exists()
        _require_writable(Path(name), there)
        if not there:
            return Inspection(name, Standing.ABSENT, "", wanted)
    with translated(name):
        engine = _unchanging_engine(target)
        try:
            with engine.connect() as connection:
                heads = set(MigrationContext.configure(connection).get_current_heads())
        finally:
            engine.dispose()
    found = " ".join(sorted(heads))
    if not heads:
        standing = Standing.EMPTY
    elif found == wanted:
        standing = Standing.CURRENT
    elif heads <= {revision.revision for revision in script.walk_revisions()}:
        standing = Standing.OLDER
    else:
        standing = Standing.NEWER
    return Inspection(name, standing, found, wanted)


def _require_writable(file: Path, there: bool) -> None:
    """A server could write it, and the files SQLite keeps beside it.

    Raises:
        StoreError: it could not.
    """
    if there and not os.access(file, os.R_OK | os.W_OK):
        raise StoreError(f"{file}: it cannot be read or written: make it readable and writable for this user")
    folder = next(parent for parent in file.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"{file}: {folder} is not writable: make it so, or change store.url")


def _unchanging_engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return reader_engine(url, 1)
    file = Path(str(url.database))
    # Even for reading, SQLite makes a log and its index where there are none, unless told that nobody writes.
    log = file.with_name(f"{file.name}-wal")
    alone = "" if log.exists() else "&immutable=1"
    address = f"file:{quote(str(file))}?mode=ro{alone}"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool)
