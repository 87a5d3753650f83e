"""What Alembic runs to change a database: which database, which tables it should come to have.

Run by the store, which brings its engine, or by the ``alembic`` command. The command changes the
database of config.yaml and the environment, or the one of ``alembic -x url=URL``, and like the store it
refuses a SQLite file that is in use.
"""

from __future__ import annotations

from alembic import context
from alembic.util.exc import CommandError
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from reports.store.database import StoreError, display_name, held, migration_engine, resolve, translated
from reports.store.tables import Base


def _chosen_url() -> URL:
    given = context.get_x_argument(as_dictionary=True).get("url")
    if given is None:
        # Here, because the store uses this module too and the store must not need the bot.
        from bot.config import ConfigError, load_settings

        try:
            given = load_settings(None).store.url
        except ConfigError as exc:
            raise CommandError(str(exc)) from exc
    return resolve(given)


def _change(engine: Engine) -> None:
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=engine.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()


def _from_command_line() -> None:
    try:
        url = _chosen_url()
        if context.is_offline_mode():
            context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
            with context.begin_transaction():
                context.run_migrations()
        else:
            with held(url), translated(display_name(url)):
                _change(migration_engine(url))
    except StoreError as exc:
        raise CommandError(str(exc)) from exc


_brought = context.config.attributes.get("connection")
if _brought is None:
    _from_command_line()
else:
    _change(_brought)
