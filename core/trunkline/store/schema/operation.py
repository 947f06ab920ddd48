"""What keeps the house running: the log, cursors, timers, idempotency."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint

from trunkline.store.schema.columns import id_column, json_column, lease_columns, metadata, ms_column

__all__ = ["cursor", "event", "heartbeat", "idempotency", "timer"]

#: The log. `seq` is assigned in commit order.
event = Table(
    "event",
    metadata,
    # On SQLite this exact type makes the number the row's own address, and appending cheap.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    ms_column("at", nullable=False),
    Column("kind", Text, nullable=False),
    Column("thread_id", Text),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Text),
    Column("actor_name", Text),
    json_column("payload", nullable=False),
    Index("ix_event_thread", "thread_id", "seq"),
)

#: How far an application has read, or a connector has pulled.
cursor = Table(
    "cursor",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Text, nullable=False),
    *lease_columns(),
)

timer = Table(
    "timer",
    metadata,
    id_column(),
    Column("application", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    ms_column("due_at", nullable=False),
    json_column("payload", nullable=False),
    UniqueConstraint("application", "kind", "subject"),
    Index("ix_timer_due", "due_at"),
)

#: Answers to writes that carried an Idempotency-Key.
idempotency = Table(
    "idempotency",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    #: SHA-256 of method, path and body.
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    json_column("response", nullable=False),
    ms_column("at", nullable=False),
    sqlite_with_rowid=False,
)

#: One row, written by the health check: proves that commits work.
heartbeat = Table("heartbeat", metadata, Column("name", Text, primary_key=True), ms_column("at", nullable=False))
