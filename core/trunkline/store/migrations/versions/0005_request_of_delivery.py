"""A delivery knows the request that asked for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add its id; those that are there have none."""
    op.add_column("delivery", sa.Column("request_id", sa.Text(), nullable=True))
