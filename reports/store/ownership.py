"""Which servers use a database, and which of them have not been seen for long.

A SQLite file has one server, by its lock. In other databases each server has a row, which it renews every few
seconds. The clock of the database decides, so that the clocks of the servers need not agree.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.orm import Session

from reports.store.tables import ServerRow

LOST_AFTER_S: Final = 20.0
"""A server that has not renewed its row for this long is taken for lost, seconds."""


def renew(session: Session, server_id: str, machine: str) -> bool:
    """Say that a server is at work; False if it had no row, because it is new or was taken for lost."""
    now = func.current_timestamp()
    changed = update(ServerRow).where(ServerRow.id == server_id).values(seen_at=now)
    if session.connection().execute(changed).rowcount:
        return True
    session.execute(insert(ServerRow).values(id=server_id, machine=machine, seen_at=now))
    return False


def forget(session: Session, server_id: str) -> None:
    """Delete the row of a server."""
    session.execute(delete(ServerRow).where(ServerRow.id == server_id))


def forget_lost(session: Session) -> None:
    """Delete the rows of servers that are taken for lost."""
    session.execute(delete(ServerRow).where(ServerRow.seen_at < _oldest(session.connection())))


def servers_at_work(connection: Connection) -> list[str]:
    """The machines of the servers that are not taken for lost."""
    seen = select(ServerRow.machine).where(ServerRow.seen_at >= _oldest(connection))
    return list(connection.scalars(seen.order_by(ServerRow.machine)))


def _oldest(connection: Connection) -> datetime:
    """The time before which a server must have been seen to be lost, by the clock of the database."""
    now: datetime = connection.execute(select(func.current_timestamp())).scalar_one()
    return now.replace(tzinfo=None) - timedelta(seconds=LOST_AFTER_S)
