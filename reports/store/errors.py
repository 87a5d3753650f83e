"""Errors of the store, and how errors of the database and the file system become one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from alembic.util.exc import CommandError
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

_ADVICE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space and try again",
    sqlite3.SQLITE_BUSY: "another program has locked it: close that program and try again",
    sqlite3.SQLITE_NOTADB: "the file is not a database: move it away, or set store.url to another file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: replace it with a backup, or move it away",
    sqlite3.SQLITE_READONLY: "it is read-only: make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: make the file and its folder readable and writable",
    sqlite3.SQLITE_IOERR: "the disk reports an error: check the disk and its free space",
}

_STATE_ADVICE: Final[Mapping[str, str]] = {
    "53100": "the disk of the database is full: free some space there and try again",
    "53300": "too many programs are connected: raise max_connections of the database",
    "57014": "the statement took too long: see what else the database is doing, and try again",
    "55P03": "another program holds a lock: wait until it is done and try again",
    "25006": "it is read-only: name the primary server and a role that may write in store.url",
    "42501": "the role of store.url lacks a right: `classmood doctor` says which",
    "57P03": "the database is starting or stopping: try again in a moment",
}
"""By SQLSTATE, which PostgreSQL and others report."""


class StoreError(Exception):
    """A request to the store failed; the message is one line that says what to do."""


class StoreRefused(StoreError):
    """A request that will never succeed, so a retry is useless.

    A rule is broken, the class was deleted, or a text cannot be stored.
    """


_PACKAGES: Final = {
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "psycopg": "'classmood[postgres]'",
    "psycopg2": "psycopg2-binary",
}
"""Packages whose name differs from the module's."""


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Convert errors of the database and of the file system into a ``StoreError``.

    The message never contains values of a statement, because a name could be among them.

    Args:
        name: Name of the database in messages.

    Raises:
        StoreError: any of these errors was raised inside.
    """
    try:
        yield
    except IntegrityError as exc:
        raise StoreRefused(
            f"{name}: refused: the record already exists, breaks a rule, or its class was deleted"
        ) from _harmless(exc)
    except DataError as exc:
        raise StoreRefused(
            f"{name}: refused: a text is too long or contains characters that cannot be stored"
        ) from _harmless(exc)
    except (SQLAlchemyError, sqlite3.Error, CommandError) as exc:
        raise StoreError(f"{name}: {_advice(exc)}") from _harmless(exc)
    except UnicodeError as exc:
        raise StoreRefused(f"{name}: refused: a text contains characters that cannot be stored") from exc
    except ImportError as exc:
        raise StoreError(
            f"{name}: run `pip install {_PACKAGES.get(exc.name or '', exc.name)}`: the driver of this "
            "database is missing"
        ) from exc
    except OSError as exc:
        raise StoreError(f"{name}: {exc.strerror}: make its folder writable or change store.url") from exc


def _advice(exc: Exception) -> str:
    """What to do about an error; the database's own text when the error is not a known one."""
    origin = exc.orig if isinstance(exc, DBAPIError) else exc
    # SQLite's extended error codes have the primary code in their low byte.
    code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    known = _ADVICE.get(code) or _STATE_ADVICE.get(getattr(origin, "sqlstate", None) or "")
    if known is not None:
        return known
    text = " ".join(str(origin).split())
    diagnosis = getattr(origin, "diag", None)  # PostgreSQL's: its text has the values of a row, too
    if diagnosis is None:
        return f"the database reports: {text}"
    if diagnosis.message_primary is None:  # not an error of a statement
        return f"check store.url, and whether the server runs and lets this role in: {text}"
    return f"the database reports: {diagnosis.message_primary}"


def _harmless(exc: Exception) -> Exception | None:
    """The cause to show in a traceback: None if its text may contain values, as PostgreSQL's does."""
    return None if isinstance(exc, DBAPIError) and hasattr(exc.orig, "diag") else exc
