"""Add the share of students who face the screen to the windows.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

_RULE = "ck_windows_suppressed_faces_nowhere"


def upgrade() -> None:
    """Add the column; it is empty for older windows."""
    with op.batch_alter_table("windows") as windows:
        windows.add_column(sa.Column("facing", sa.Double(), nullable=True))
        windows.create_check_constraint(op.f(_RULE), "NOT suppressed OR facing IS NULL")


def downgrade() -> None:
    """Drop the column; its shares are lost."""
    with op.batch_alter_table("windows") as windows:
        windows.drop_constraint(op.f(_RULE), type_="check")
        windows.drop_column("facing")
