"""A database for one test of the store, in SQLite or in PostgreSQL, and a look into it past the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, create_engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from reports.store.database import migration_engine, resolve
from tests.reports.builders import bytes_on_disk

Refused = IntegrityError
"""What ``Database.execute`` raises if a constraint refuses a statement."""


class Database:
    """A database that the store may have open at the same time."""

    def __init__(self, url: str, path: Path | None = None) -> None:
        self.url, self._path = url, path

    def execute(self, statement: str, **values: object) -> list[Any]:
        """Run a statement with ``:name`` for values and commit; its rows."""
        engine = create_engine(resolve(self.url), poolclass=NullPool)
        with engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    def content(self) -> bytes:
        """What can be read in it: the files of SQLite, the rows of PostgreSQL, whose files keep more."""
        if self._path is not None:
            return bytes_on_disk(self._path)
        engine = migration_engine(resolve(self.url))
        tables = MetaData()
        with engine.connect() as connection:
            tables.reflect(connection)
            rows = [connection.execute(select(table)).all() for table in tables.sorted_tables]
        return repr(rows).encode()

    def forget_servers(self) -> None:
        """As if every server that used it so far had crashed and been noticed."""
        self.execute("DELETE FROM servers")
