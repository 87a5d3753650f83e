"""Alembic runs this module to migrate a database.

The store passes its engine. The ``alembic`` command passes none: it migrates the database of config.yaml and
the environment, or the one of ``alembic -x url=URL``. Like the store, it refuses a database that is in use.
"""

from __future__ import annotations

from alembic import context
from alembic.util.exc import CommandError
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from reports.store.database import begin_migration, display_name, locked, migration_engine, resolve
from reports.store.errors import StoreError, translated
from reports.store.tables import Base


def _chosen_url() -> URL:
    """The database that the command line or the settings name."""
    given = context.get_x_argument(as_dictionary=True).get("url")
    if given is None:
        # Imported here: the store runs this module too and must not depend on the bot.
        from bot.config import ConfigError, load_settings

        try:
            given = load_settings(None).store.url
        except ConfigError as exc:
            raise CommandError(str(exc)) from exc
    return resolve(given)


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=engine.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            begin_migration(connection)
            context.run_migrations()


def _from_command_line() -> None:
    try:
        url = _chosen_url()
        if context.is_offline_mode():
            context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
            with context.begin_transaction():
                context.run_migrations()
        else:
            with locked(url), translated(display_name(url)):
                _migrate(migration_engine(url))
    except StoreError as exc:
        raise CommandError(str(exc)) from exc


_given_engine = context.config.attributes.get("connection")
if _given_engine is None:
    _from_command_line()
else:
    _migrate(_given_engine)
