"""Indices for the inbox's lists.

The desk writes a thread's state, so the indices that its lists and counts need are made here: what is open among much
that is not, by whoever has it, and what one account has.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indices."""
    is_open = sa.text("state NOT IN ('closed', 'ignored')")
    for name, columns in (
        ("ix_thread_open", ["last_message_at", "id"]),
        ("ix_thread_open_assignee", ["assignee_id", "last_message_at", "id"]),
    ):
        op.create_index(name, "thread", columns, sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("ix_thread_account", "thread", ["account_id", "last_message_at", "id"])
