"""How many students say what, whoever taps how often.

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

_VOICE_S = 120.0

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
    """Go to this revision; windows kept before it are given voices, unless only SQL is written."""
    op.add_column("windows", sa.Column("voices", sa.JSON(), nullable=False, server_default="{}"))
    if context.is_offline_mode():
        op.get_context().impl.static_output(
            "-- Windows kept before have no voices: only an upgrade of the database itself counts them."
        )
    else:
        _count_voices(op.get_bind())


def _count_voices(connection: sa.Connection) -> None:
    """Take each tap of the last two minutes for a voice, but no more of them than participants."""
    of_class, recent = "", deque[tuple[float, Counter[str]]]()
    for row in connection.execute(
        sa.select(_windows).order_by(_windows.c.class_id, _windows.c.start_s)
    ).all():
        if row.class_id != of_class:
            of_class, recent = row.class_id, deque()
        end_s = row.start_s + row.length_s
        recent.append((end_s, Counter(row.pulses)))
        while recent[0][0] <= end_s - _VOICE_S:
            recent.popleft()
        voices = {kind: sum(pulses[kind] for _, pulses in recent) for kind in row.pulses}
        left = row.participants
        for kind, taps in Counter(voices).most_common():
            voices[kind] = min(taps, left)
            left -= voices[kind]
        connection.execute(sa.update(_windows).where(_windows.c.id == row.id).values(voices=voices))


def downgrade() -> None:
    """Go back to the one before; the voices are not kept."""
    op.drop_column("windows", "voices")
