"""Errors of the store, and how errors of the database and the file system become one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

_ADVICE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space and try again",
    sqlite3.SQLITE_BUSY: "another program has locked it: close that program and try again",
    sqlite3.SQLITE_NOTADB: "the file is not a database: move it away, or set store.url to another file",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: replace it with a backup, or move it away",
    sqlite3.SQLITE_READONLY: "it is read-only: make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: make the file and its folder readable and writable",
    sqlite3.SQLITE_IOERR: "the disk reports an error: check the disk and its free space",
}


class StoreError(Exception):
    """A request to the store failed; the message is one line that says what to do."""


class StoreRefused(StoreError):
    """A request that will never succeed, so a retry is useless.

    A rule is broken, the class was deleted, or a text cannot be stored.
    """


_PACKAGES: Final = {
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "psycopg": "'psycopg[binary]'",
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
        ) from exc
    except (SQLAlchemyError, sqlite3.Error, CommandError) as exc:
        raise StoreError(f"{name}: {_advice(exc)}") from exc
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
    return _ADVICE.get(code) or f"the database reports: {' '.join(str(origin).split())}"
