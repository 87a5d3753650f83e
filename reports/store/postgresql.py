"""What PostgreSQL needs so that the store never waits for it without end, and what doctor asks it.

The server's own timeouts do not help while the server does not run (its process is frozen, its machine is
gone), so every wait for it has a limit on this side too (``reports.store.patient_connection``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import URL

from reports.store.tables import Base

OLDEST_MAJOR: Final = 14
"""Earlier major versions get no fixes from the PostgreSQL project any more. The tests run on 15."""

SLOW_MS: Final = 20.0
"""Each write needs several answers. A server that takes longer for one is too far away for many classes."""

_PARAMETERS: Final[Mapping[str, str]] = {
    "application_name": "classmood",
    "connect_timeout": "2",  # seconds
    "tcp_user_timeout": "5000",  # milliseconds until sent data that nobody acknowledges ends the connection
    "keepalives_idle": "10",  # seconds
    "keepalives_interval": "3",
    "keepalives_count": "3",
}
"""Parameters of libpq; those in store.url take precedence."""

_OPTIONS: Final = (
    "-c statement_timeout=4s -c lock_timeout=3s -c idle_in_transaction_session_timeout=60s -c timezone=UTC"
)
_MIGRATION_OPTIONS: Final = "-c statement_timeout=0 -c lock_timeout=60s"
_READING_OPTIONS: Final = "-c default_transaction_read_only=on"

_WAIT_S: Final = 5.0
"""Longer than ``statement_timeout``, so that a server that runs ends a statement itself."""

_MIGRATION_LOCK: Final = 0x436C_6173_734D_6F6F
"""Number of the advisory lock that one migration at a time holds."""

_PINGS: Final = 5


@dataclass(slots=True)
class Patience:
    """How long the connections of an engine wait for an answer.

    Attributes:
        wait_s: Limit of each wait, seconds. A change applies to waits that have begun, too.
    """

    wait_s: float = field(default=_WAIT_S)


def with_defaults(url: URL) -> URL:
    """The URL with timeouts for the driver of the extra ``postgres``, unless it names its own."""
    if url.get_driver_name() != "psycopg":
        return url
    missing = {name: value for name, value in _PARAMETERS.items() if name not in url.query}
    return url.update_query_dict({**missing, "options": f"{_OPTIONS} {url.query.get('options', '')}".strip()})


def for_migrations(url: URL) -> URL:
    """The URL for changing tables, which may take long, while others are waited for."""
    return _with_options(url, _MIGRATION_OPTIONS)


def for_reading(url: URL) -> URL:
    """The URL for connections that can only read."""
    return _with_options(url, _READING_OPTIONS)


def _with_options(url: URL, options: str) -> URL:
    if url.get_driver_name() != "psycopg":
        return url
    return url.update_query_dict({"options": f"{url.query.get('options', '')} {options}"})


def limit_waits(engine: Engine, patience: Patience) -> None:
    """Give every wait of an engine's connections the limit of ``patience``."""
    if engine.dialect.driver != "psycopg":
        return
    # Imported here: the driver is an extra.
    from reports.store.patient_connection import connect

    def on_connect(_dialect: Any, _record: Any, arguments: Any, parameters: Any) -> Any:
        return connect(patience, *arguments, **parameters)

    event.listen(engine, "do_connect", on_connect)


def lock_migrations(connection: Connection) -> None:
    """Wait until no other program migrates this database; the lock ends with the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What doctor asks a PostgreSQL server.

    Attributes:
        version: Such as ``15.14``.
        major: Major version.
        latency_ms: Median time of a statement that does nothing, milliseconds.
        missing: What the role of ``store.url`` may not do, in words; empty if it may do all.
    """

    version: str
    major: int
    latency_ms: float
    missing: tuple[str, ...]


def ask_server(connection: Connection, *, migrating: bool) -> ServerFacts:
    """Ask for version, latency and rights; changes nothing.

    Args:
        connection: A connection with the role of the server.
        migrating: Whether the next start creates or changes tables.
    """
    number = int(connection.scalar(text("SHOW server_version_num")) or 0)
    times_ms = []
    for _ in range(_PINGS):
        began = time.perf_counter()
        connection.execute(text("SELECT 1"))
        times_ms.append((time.perf_counter() - began) * 1000)
    if migrating:
        missing = _missing_for_migration(connection)
    else:
        tables = Base.metadata.tables
        missing = [f"{right} on {table}" for table in tables for right in _missing_on(connection, table)]
    if connection.scalar(text("SHOW transaction_read_only")) == "on":
        missing = ["writing: the server or the role is read-only"]
    major, minor = divmod(number, 10_000)
    return ServerFacts(f"{major}.{minor}", major, median(times_ms), tuple(missing))


def _missing_on(connection: Connection, table: str) -> list[str]:
    query = text("SELECT has_table_privilege(:table, :right)")
    return [
        right
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
        if not connection.scalar(query, {"table": table, "right": right})
    ]


def _missing_for_migration(connection: Connection) -> list[str]:
    missing = []
    if not connection.scalar(text("SELECT has_schema_privilege(current_schema(), 'CREATE')")):
        missing.append("CREATE in the schema")
    foreign = text(
        "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() "
        "AND tablename = 'alembic_version' AND NOT pg_has_role(tableowner, 'MEMBER')"
    )
    if connection.scalar(foreign):
        missing.append("changing the tables, which belong to another role")
    return missing
