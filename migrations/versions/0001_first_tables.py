"""Create the first tables: classes and the records that belong to them.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "classes",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("code", sa.String(64), nullable=True),
        sa.Column("student_url", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("min_group", sa.Integer(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_classes"),
    )
    op.create_table(
        "windows",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.String(64), nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("length_s", sa.Double(), nullable=False),
        sa.Column("participants", sa.Integer(), nullable=False),
        sa.Column("cameras_on", sa.Integer(), nullable=False),
        sa.Column("analysed", sa.Integer(), nullable=False),
        sa.Column("suppressed", sa.Boolean(), nullable=False),
        sa.Column("not_analysed", sa.JSON(), nullable=False),
        sa.Column("expressions", sa.JSON(), nullable=True),
        sa.Column("pulses", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "NOT suppressed OR expressions IS NULL", name=op.f("ck_windows_suppressed_is_empty")
        ),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_windows_class_id_classes", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_windows"),
        sa.UniqueConstraint("class_id", "start_s", name="uq_windows_class_id_start_s"),
    )
    op.create_table(
        "markers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.String(64), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_markers_class_id_classes", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_markers"),
    )
    op.create_index("ix_markers_class_id", "markers", ["class_id"])
    op.create_table(
        "pulses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.String(64), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_pulses_class_id_classes", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pulses"),
    )
    op.create_index("ix_pulses_class_id", "pulses", ["class_id"])
    op.create_table(
        "consents",
        sa.Column("class_id", sa.String(64), nullable=False),
        sa.Column("participant_id", sa.String(64), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("individual", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.CheckConstraint("individual OR name IS NULL", name=op.f("ck_consents_name_is_individual")),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_consents_class_id_classes", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("class_id", "participant_id", name="pk_consents"),
    )


def downgrade() -> None:
    """Drop all tables with their content."""
    op.drop_table("consents")
    op.drop_table("pulses")
    op.drop_table("markers")
    op.drop_table("windows")
    op.drop_table("classes")
