"""Who talks with whom: accounts, contacts, threads, messages, media."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from trunkline.store.schema.columns import id_column, json_column, metadata, ms_column

__all__ = ["account", "contact", "identity", "media", "message", "thread", "window"]

account = Table(
    "account",
    metadata,
    id_column(),
    Column("connector", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("title", Text),
    #: Encrypted JSON.
    Column("settings", LargeBinary, nullable=False),
    #: True when the account comes from the configuration file.
    Column("locked", Boolean, nullable=False),
    #: connecting, connected, sign_in_needed, failing, disabled
    Column("state", Text, nullable=False),
    Column("reason", Text),
    #: Encoded `contract.Health` of the last probe.
    json_column("health"),
    ms_column("state_at", nullable=False),
    ms_column("created_at", nullable=False),
)

contact = Table(
    "contact",
    metadata,
    id_column(),
    Column("name", Text),
    Column("avatar_id", Text),
    Column("language", Text),
    Column("merged_into", Text),
    ms_column("created_at", nullable=False),
)

identity = Table(
    "identity",
    metadata,
    id_column(),
    Column("account_id", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("contact_id", Text, ForeignKey("contact.id"), nullable=False),
    Column("name", Text),
    Column("reachable", Boolean, nullable=False),
    json_column("profile"),
    #: When the profile was last asked for; null if never.
    ms_column("profile_at"),
    Column("verified_as", Text),
    #: The first of the identities that are this person; null for somebody with one id.
    Column("same_as", Text),
    ms_column("created_at", nullable=False),
    UniqueConstraint("account_id", "external_id"),
    Index("ix_identity_contact_id", "contact_id"),
    Index(
        "ix_identity_same_as",
        "same_as",
        sqlite_where=text("same_as IS NOT NULL"),
        postgresql_where=text("same_as IS NOT NULL"),
    ),
    #: People whose profile was never asked for.
    Index(
        "ix_identity_unasked",
        "id",
        sqlite_where=text("profile_at IS NULL"),
        postgresql_where=text("profile_at IS NULL"),
    ),
)

thread = Table(
    "thread",
    metadata,
    id_column(),
    Column("account_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("contact_id", Text, ForeignKey("contact.id"), nullable=False),
    Column("identity_id", Text, ForeignKey("identity.id"), nullable=False),
    #: Which of the connector's channels the customer writes by, where the account has several; null for its own.
    Column("channel", Text),
    #: new, in_service, pending_review, closed, ignored; written by the desk, "new" at the start.
    Column("state", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("assignee_id", Text),
    #: The assignee's name when they were assigned.
    Column("assignee_name", Text),
    Column("group_id", Text),
    #: Position of the newest message; positions count from 1 without gaps.
    Column("last_position", BigInteger, nullable=False),
    ms_column("last_message_at", nullable=False),
    #: The platform's time of the customer's newest message.
    ms_column("last_inbound_at", nullable=False),
    #: The customer's first message since the last answer, null when none waits.
    ms_column("first_unanswered_at"),
    Column("unread", Integer, nullable=False),
    #: Position up to which the customer has read, where a client of ours tells it.
    Column("contact_read", BigInteger, nullable=False, server_default="0"),
    #: {"author": …, "type": …, "text": …} of the newest message.
    json_column("preview"),
    ms_column("created_at", nullable=False),
    UniqueConstraint("account_id", "key"),
    Index("ix_thread_last_message_at", "last_message_at", "id"),
    Index(
        "ix_thread_assignee",
        "assignee_id",
        "last_message_at",
        "id",
        sqlite_where=text("assignee_id IS NOT NULL"),
        postgresql_where=text("assignee_id IS NOT NULL"),
    ),
    Index("ix_thread_contact_id", "contact_id"),
    Index("ix_thread_identity_id", "identity_id"),
)

message = Table(
    "message",
    metadata,
    id_column(),
    Column("thread_id", Text, ForeignKey("thread.id"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("account_id", Text, nullable=False),
    #: in, out
    Column("direction", Text, nullable=False),
    Column("author_kind", Text, nullable=False),
    Column("author_id", Text),
    Column("author_name", Text),
    #: Encoded `model.Content`.
    json_column("content", nullable=False),
    json_column("quick_replies"),
    Column("external_id", Text),
    #: The platform's id of the quoted message.
    Column("quotes", Text),
    Column("quote_token", Text),
    Column("read_token", Text),
    Column("album", Text),
    #: When we stored it.
    ms_column("at", nullable=False),
    #: When it happened by the platform's clock.
    ms_column("platform_at"),
    #: True when a message with a later platform time was stored before it.
    Column("late", Boolean, nullable=False),
    ms_column("edited_at"),
    #: Encoded list of earlier contents.
    json_column("previous"),
    ms_column("recalled_at"),
    #: The raw request that could not be read, for a placeholder.
    Column("raw_id", Text),
    Column("placeholder", Text),
    json_column("referral"),
    UniqueConstraint("thread_id", "position"),
    Index("ix_message_external", "account_id", "external_id"),
    Index(
        "ix_message_placeholder",
        "raw_id",
        sqlite_where=text("placeholder IS NOT NULL"),
        postgresql_where=text("placeholder IS NOT NULL"),
    ),
)

media = Table(
    "media",
    metadata,
    id_column(),
    Column("account_id", Text),
    Column("thread_id", Text),
    Column("message_id", Text),
    #: pending, stored, failed, refused, removed
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("mime", Text),
    Column("size", BigInteger),
    Column("name", Text),
    Column("width", Integer),
    Column("height", Integer),
    Column("duration_ms", BigInteger),
    #: Name of the file in the media folder; random.
    Column("file", Text),
    Column("preview_file", Text),
    #: Unguessable part of the public address; null for media that are never public.
    Column("public_token", Text, unique=True),
    #: Encoded `model.MediaSource`.
    json_column("source"),
    Column("owner_id", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    ms_column("due_at"),
    ms_column("created_at", nullable=False),
    Index(
        "ix_media_pending",
        "due_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_media_message", "message_id"),
    #: Files of recalled messages, still to be deleted.
    Index(
        "ix_media_leftover",
        "id",
        sqlite_where=text("state = 'removed' AND file IS NOT NULL"),
        postgresql_where=text("state = 'removed' AND file IS NOT NULL"),
    ),
)

#: What is left of a window per thread.
window = Table(
    "window",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    ms_column("opened_at", nullable=False),
    ms_column("expires_at"),
    Column("remaining", Integer),
    sqlite_with_rowid=False,
)
