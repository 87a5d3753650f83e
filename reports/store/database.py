"""Opens a database for the store: its URL, the lock, the migrations, and the engines.

Whatever a database or the file system raises leaves this module as a ``StoreError``. What only SQLite or only
PostgreSQL needs is in ``reports.store.sqlite`` and ``reports.store.postgresql``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy import inspect as inspect_tables
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

import migrations
from reports.store import postgresql, sqlite
from reports.store.errors import StoreError, translated
from reports.store.ownership import servers_at_work
from reports.store.postgresql import Patience
from reports.store.tables import ServerRow

_log = structlog.get_logger()


def resolve(url: str) -> URL:
    """Parse the URL of a database and add the defaults for its kind.

    Raises:
        StoreError: the URL cannot be used.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        dialect = parsed.get_dialect()
    except ArgumentError as exc:
        raise StoreError(
            "set store.url to a database URL, like sqlite:///classmood.db: this is not one"
        ) from exc
    if dialect.is_async:
        raise StoreError(f"name a synchronous driver in store.url: {parsed.drivername} is asynchronous")
    if parsed.get_backend_name() == "sqlite":
        return sqlite.with_defaults(parsed)
    return postgresql.with_defaults(parsed)


def display_name(url: URL) -> str:
    """Name of a database in messages: the file, or the URL without its password and parameters."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    host = {"host": url.query["host"]} if "host" in url.query else {}  # the folder of a Unix socket
    return url.set(query=host).render_as_string(hide_password=True)


def locked(url: URL) -> AbstractContextManager[None]:
    """Lock a SQLite file against every other opener; other databases are not locked.

    Raises:
        StoreError: another process has the lock, or the folder is not writable.
    """
    return (
        sqlite.locked_file(Path(display_name(url))) if url.get_backend_name() == "sqlite" else nullcontext()
    )


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
    if url.get_backend_name() == "postgresql":
        url = postgresql.for_migrations(url)
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        sqlite.prepare(engine, (), transactions=True)
    return engine


def migrate(url: URL) -> None:
    """Migrate a database to the tables of this version. A newer database is left unchanged.

    Raises:
        StoreError: the database is newer, another server is using it, or it cannot be read or changed.
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


def begin_migration(connection: Connection) -> None:
    """Wait for a migration by another program, and check that no server uses the database.

    Call it inside the transaction of the migration.

    Raises:
        StoreError: a server uses the database, and its tables are not those of this version.
    """
    if connection.dialect.name == "postgresql":
        postgresql.lock_migrations(connection)
    heads = set(MigrationContext.configure(connection).get_current_heads())
    current = heads == set(ScriptDirectory.from_config(alembic_config()).get_heads())
    if current or not inspect_tables(connection).has_table(ServerRow.__tablename__):
        return
    machines = servers_at_work(connection)
    if machines:
        raise StoreError(
            f"stop every other ClassMood that uses {display_name(connection.engine.url)}, then start this "
            f"one: the tables must change, and the database is in use on {', '.join(machines)}"
        )


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


def writer_engine(url: URL, patience: Patience) -> Engine:
    """An engine for the one thread that writes."""
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        sqlite.prepare(engine, sqlite.WRITER_PRAGMAS, transactions=True)
    postgresql.limit_waits(engine, patience)
    return engine


def prove_writable(writer: Engine) -> None:
    """Write and roll back, so that a read-only database is noticed now and not during a class.

    Raises:
        SQLAlchemyError: it cannot be written.
    """
    with writer.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
        connection.rollback()


def reader_engine(url: URL, connections: int, patience: Patience | None = None) -> Engine:
    """An engine for threads that only read, one connection for each."""
    if url.get_backend_name() == "postgresql":
        url = postgresql.for_reading(url)
    engine = create_engine(
        url, pool_size=connections, max_overflow=0, pool_pre_ping=True, hide_parameters=True
    )
    if engine.dialect.name == "sqlite":
        sqlite.prepare(engine, sqlite.READER_PRAGMAS, transactions=False)
    postgresql.limit_waits(engine, patience or Patience())
    return engine


def wipe_deleted(writer: Engine) -> None:
    """Overwrite what was just deleted, where the database can do that: in SQLite."""
    if writer.dialect.name == "sqlite":
        sqlite.truncate_log(writer)
