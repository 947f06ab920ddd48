"""The tables. All applications share one database: names begin with ours. Times are milliseconds since the epoch."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, text
from trunkline.store import schema as core

__all__ = ["metadata", "rating", "session"]

metadata = MetaData(naming_convention=core.metadata.naming_convention)
_NOT_OVER = text("state <> 'ended'")

session = Table(
    "waiting_session",
    metadata,
    #: The place in the line: whoever has the lowest is the first. Counted by the database, never given twice.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("thread_id", Text, nullable=False),
    #: The group's id, "" for the common line.
    Column("line", Text, nullable=False),
    #: queued, active, ended
    Column("state", Text, nullable=False),
    Column("agent_id", Text),
    Column("agent_name", Text),
    Column("started_at", BigInteger, nullable=False),
    #: When an agent first took it; stays when it goes back into the line.
    Column("accepted_at", BigInteger),
    Column("ended_at", BigInteger),
    #: abandoned, left_submission, customer_end, agent_end
    Column("end_reason", Text),
    #: Rises with every change: clients ignore an older one.
    Column("rev", Integer, nullable=False),
    # At most one that is not over per thread: who is second finds out here.
    Index("uq_waiting_session_open", "thread_id", unique=True, sqlite_where=_NOT_OVER, postgresql_where=_NOT_OVER),
    Index("ix_waiting_session_line", "line", "state", "number"),
    Index("ix_waiting_session_accepted", "line", "accepted_at"),
)

rating = Table(
    "waiting_rating",
    metadata,
    Column("id", Text, primary_key=True),
    #: A talk is rated once.
    Column("session_id", Text, nullable=False, unique=True),
    Column("thread_id", Text, nullable=False, index=True),
    Column("invited_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    #: 1 to 5; null until it is given.
    Column("score", Integer),
    Column("comment", Text),
    #: A JSON list of words.
    Column("tags", Text, nullable=False),
    Column("rev", Integer, nullable=False),
)
