"""Tokens of visitors are followed by others: the one that is offered, and the one before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what a token that rotates needs; those that are there go on as they are."""
    for column in (
        sa.Column("next_hash", sa.Text(), nullable=True),
        sa.Column("previous_hash", sa.Text(), nullable=True),
        sa.Column("previous_until", sa.BigInteger(), nullable=True),
        sa.Column("rotated_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("visitor_token", column)
    for name in ("next_hash", "previous_hash"):
        op.create_index(f"ix_visitor_token_{name}", "visitor_token", [name], unique=False)
