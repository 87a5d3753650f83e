"""Fixtures: the store's tests run over SQLite and over PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reports.store import Store
from tests.postgres_server import PostgresServer
from tests.reports.store.databases import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, path: Path) -> Iterator[Database]:
    """A database: none yet in SQLite, one with this version's tables in PostgreSQL."""
    if request.param == "sqlite":
        yield Database(f"sqlite:///{path}", path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create()
    yield Database(server.url(name))
    server.drop(name)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with closing(Store.open(database.url)) as opened:
        yield opened
