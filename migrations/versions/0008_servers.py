"""The servers of a database, the host's keys, the owner of each running class, 64-bit numbers, and indexes.

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

_NUMBERED = ("windows", "markers", "pulses", "check_ins")


def upgrade() -> None:
    """Add them. A class that an earlier version runs at this moment has no owner."""
    op.create_table(
        "servers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_servers"),
    )
    op.create_table(
        "host_keys",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("cookies", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_host_keys"),
    )
    op.add_column("classes", sa.Column("owner", sa.String(64), nullable=True))
    _set_number_type(sa.BigInteger(), sa.Integer())
    for column in ("started_at", "ended_at", "state"):
        op.create_index(f"ix_classes_{column}", "classes", [column])
    op.create_index("ix_consents_participant_id", "consents", ["participant_id"])
    op.create_index(
        "ix_consents_individual",
        "consents",
        ["class_id"],
        sqlite_where=sa.text("individual"),
        postgresql_where=sa.text("individual"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_consents_individual", "consents")
    op.drop_index("ix_consents_participant_id", "consents")
    for column in ("started_at", "ended_at", "state"):
        op.drop_index(f"ix_classes_{column}", "classes")
    _set_number_type(sa.Integer(), sa.BigInteger())
    op.drop_column("classes", "owner")
    op.drop_table("host_keys")
    op.drop_table("servers")


def _set_number_type(new: sa.types.TypeEngine[int], old: sa.types.TypeEngine[int]) -> None:
    if op.get_context().dialect.name == "sqlite":  # its INTEGER has 64 bits
        return
    for table in _NUMBERED:
        op.alter_column(table, "id", type_=new, existing_type=old, existing_nullable=False)
        if op.get_context().dialect.name == "postgresql":
            # The sequence of a SERIAL column has a type of its own.
            op.execute(f"ALTER SEQUENCE {table}_id_seq AS {new.compile(op.get_context().dialect)}")
