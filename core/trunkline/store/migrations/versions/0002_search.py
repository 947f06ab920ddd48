"""The words of the search."""

from __future__ import annotations

from alembic import op

from trunkline.store.schema.search import make_words, search_identity_words, search_message_words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of words."""
    for table in (search_message_words, search_identity_words):
        for statement in make_words(op.get_bind().dialect.name, table.name):
            op.execute(statement)
