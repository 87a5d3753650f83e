"""Add votes to the windows: students by what they tapped last. The column is called ``voices``.

Revision: 0005, after 0004.
"""

from __future__ import annotations

from collections import Counter, deque

import sqlalchemy as sa
from alembic import context, op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

_VOTE_S = 120.0

_windows = sa.table(
    "windows",
    sa.column("id", sa.Integer),
    sa.column("class_id", sa.String),
    sa.column("start_s", sa.Double),
    sa.column("length_s", sa.Double),
    sa.column("participants", sa.Integer),
    sa.column("pulses", sa.JSON),
    sa.column("voices", sa.JSON),
)


def upgrade() -> None:
    """Add the column and estimate the votes of older windows.

    In offline mode (``alembic upgrade --sql``) there are no rows to read, so no votes are estimated.
    """
    op.add_column("windows", sa.Column("voices", sa.JSON(), nullable=False, server_default="{}"))
    if context.is_offline_mode():
        op.get_context().impl.static_output(
            "-- Older windows get no votes: only an upgrade with a connection to the database estimates them."
        )
    else:
        _estimate_votes(op.get_bind())


def _estimate_votes(connection: sa.Connection) -> None:
    """Count each tap of the last two minutes as a vote, up to the number of participants.

    The taps were stored without students, so several taps of one student cannot be told from those of
    several.
    """
    class_id, recent = "", deque[tuple[float, Counter[str]]]()  # recent: end and taps of windows
    for row in connection.execute(
        sa.select(_windows).order_by(_windows.c.class_id, _windows.c.start_s)
    ).all():
        if row.class_id != class_id:
            class_id, recent = row.class_id, deque()
        end_s = row.start_s + row.length_s
        recent.append((end_s, Counter(row.pulses)))
        while recent[0][0] <= end_s - _VOTE_S:
            recent.popleft()
        votes = {kind: sum(pulses[kind] for _, pulses in recent) for kind in row.pulses}
        remaining = row.participants
        for kind, taps in Counter(votes).most_common():
            votes[kind] = min(taps, remaining)
            remaining -= votes[kind]
        connection.execute(sa.update(_windows).where(_windows.c.id == row.id).values(voices=votes))


def downgrade() -> None:
    """Drop the column; the votes are lost."""
    op.drop_column("windows", "voices")
