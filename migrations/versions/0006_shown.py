"""On how many participants a window's shares rest; shares in whole hundredths.

Revision: 0006, after 0005.
"""

from __future__ import annotations

import math

import sqlalchemy as sa
from alembic import context, op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

_windows = sa.table(
    "windows",
    sa.column("id", sa.Integer),
    sa.column("analysed", sa.Integer),
    sa.column("suppressed", sa.Boolean),
    sa.column("expressions", sa.JSON),
    sa.column("facing", sa.Double),
    sa.column("shown", sa.Integer),
)


def upgrade() -> None:
    """Add the column; earlier windows rested on everyone analysed, or almost everyone."""
    op.add_column("windows", sa.Column("shown", sa.Integer(), nullable=False, server_default="0"))
    op.execute(sa.update(_windows).where(sa.not_(_windows.c.suppressed)).values(shown=_windows.c.analysed))
    if context.is_offline_mode():
        op.get_context().impl.static_output(
            "-- Shares keep four decimal places: only an upgrade of the database itself rounds them."
        )
    else:
        _round_shares(op.get_bind())


def _round_shares(connection: sa.Connection) -> None:
    published = sa.select(_windows).where(sa.not_(_windows.c.suppressed))
    for row in connection.execute(published).all():
        facing = None if row.facing is None else round(row.facing, 2)
        values = {"expressions": _whole_hundredths(row.expressions), "facing": facing}
        connection.execute(sa.update(_windows).where(_windows.c.id == row.id).values(values))


def _whole_hundredths(shares: dict[str, float]) -> dict[str, float]:
    """Round by the largest remainder method; a migration imports nothing that may change later."""
    hundredths = {label: 100 * share for label, share in shares.items()}
    rounded = {label: math.floor(value + 1e-6) for label, value in hundredths.items()}
    missing = round(sum(hundredths.values())) - sum(rounded.values())
    for label in sorted(shares, key=lambda label: rounded[label] - hundredths[label])[: max(0, missing)]:
        rounded[label] += 1
    return {label: value / 100 for label, value in rounded.items()}


def downgrade() -> None:
    """Drop the column; the decimal places are lost."""
    op.drop_column("windows", "shown")
