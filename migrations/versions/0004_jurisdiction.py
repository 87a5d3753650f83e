"""Which privacy profile a class was held under.

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
    """Go to this revision."""
    op.add_column("classes", sa.Column("jurisdiction", sa.String(32), nullable=False, server_default="none"))


def downgrade() -> None:
    """Go back to the one before; the profile is not kept."""
    op.drop_column("classes", "jurisdiction")
