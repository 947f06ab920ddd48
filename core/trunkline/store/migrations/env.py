"""Alembic's entry: runs on the connection that `migrate` opened, inside its transaction."""

from __future__ import annotations

from alembic import context

migrations = context.config.attributes["migrations"]
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=migrations.metadata,
    version_table=migrations.version_table,
    transactional_ddl=False,
)
context.run_migrations()
