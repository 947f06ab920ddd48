"""The desk's own tables: agents and what opens the door for them, notes.

Times are milliseconds since the epoch (UTC). Whatever opens a door is stored as its SHA-256 alone.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, MetaData, Table, Text, UniqueConstraint

from trunkline.store import schema as core

__all__ = ["agent", "agent_token", "canned_reply", "metadata", "note", "setup_link", "stream_ticket"]

metadata = MetaData(naming_convention=core.metadata.naming_convention)

agent = Table(
    "agent",
    metadata,
    Column("id", Text, primary_key=True),
    #: In lower case.
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    #: admin, agent
    Column("role", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    #: Argon2id in its own notation; null until the set-up link was used.
    Column("password_hash", Text),
    Column("created_at", BigInteger, nullable=False),
)

#: Bearer tokens. A row that is gone is a token that opens nothing.
agent_token = Table(
    "agent_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("agent_id", Text, ForeignKey("agent.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    #: Written at most once a minute.
    Column("last_used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

#: One-time links; one per agent, and one without an agent while there is none.
setup_link = Table(
    "setup_link",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("agent_id", Text, ForeignKey("agent.id"), unique=True),
    Column("role", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

#: One-time tickets of the live feed. A table, because the process that gave one may not be the one that takes it.
stream_ticket = Table(
    "stream_ticket",
    metadata,
    Column("ticket_hash", Text, primary_key=True),
    Column("token_id", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

#: Words among agents. A deleted note leaves the list; the history keeps what it said.
note = Table(
    "note",
    metadata,
    Column("id", Text, primary_key=True),
    Column("thread_id", Text, nullable=False),
    Column("author_id", Text, ForeignKey("agent.id"), nullable=False),
    #: The name at the time of writing.
    Column("author_name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Index(None, "thread_id", "id"),
)

#: Prepared answers: everybody's, or one agent's own.
canned_reply = Table(
    "canned_reply",
    metadata,
    Column("id", Text, primary_key=True),
    #: Null when it is everybody's.
    Column("owner_id", Text, ForeignKey("agent.id")),
    #: The owner, or "" for everybody: what a shortcut is unique in (nulls would all differ).
    Column("scope", Text, nullable=False),
    #: In lower case.
    Column("shortcut", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("scope", "shortcut"),
)
