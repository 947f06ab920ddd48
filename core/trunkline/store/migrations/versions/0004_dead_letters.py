"""Replies that did not go out, and what stands for a request that could not be read, are found without a search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index of the few rows that wait for an operator; all others cost nothing."""
    for table, name, column, rows in (
        ("delivery", "ix_delivery_dead", "id", "state IN ('failed', 'expired', 'suppressed')"),
        ("message", "ix_message_placeholder", "raw_id", "placeholder IS NOT NULL"),
    ):
        few = sa.text(rows)
        op.create_index(name, table, [column], unique=False, sqlite_where=few, postgresql_where=few)
