"""Questions to the class, the kind of each marker, and the weights of votes.

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the table and the columns. The votes of earlier windows have no weights."""
    op.add_column("windows", sa.Column("weights", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("markers", sa.Column("kind", sa.String(16), nullable=False, server_default="host"))
    op.create_table(
        "asks",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("class_id", sa.String(64), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("closes_s", sa.Double(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("silent", sa.Integer(), nullable=False),
        sa.Column("by_chat", sa.Integer(), nullable=False),
        sa.Column("alert_at_s", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_asks_class_id_classes", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_asks"),
    )
    op.create_index("ix_asks_class_id", "asks", ["class_id"])


def downgrade() -> None:
    """Drop them; the questions and their answers are lost."""
    op.drop_index("ix_asks_class_id", table_name="asks")
    op.drop_table("asks")
    op.drop_column("markers", "kind")
    op.drop_column("windows", "weights")
