"""Add the privacy profile under which a class was held.

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; older classes were held under ``none``."""
    op.add_column("classes", sa.Column("jurisdiction", sa.String(32), nullable=False, server_default="none"))


def downgrade() -> None:
    """Drop the column; the profiles are lost."""
    op.drop_column("classes", "jurisdiction")
