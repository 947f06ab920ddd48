"""Who writes on channels of ours: visitors, the tokens they hold, the devices that may be woken."""

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
)

from trunkline.store.schema.columns import id_column, json_column, lease_columns, metadata, ms_column

__all__ = ["push_job", "visitor", "visitor_device", "visitor_token"]

#: Somebody on a hosted account. The identity (same account and external id) is made when they first write.
visitor = Table(
    "visitor",
    metadata,
    id_column(),
    Column("account_id", Text, nullable=False),
    #: Random while anonymous, "u:<subject>" once verified; `identity.external_id` and the key of the live thread.
    Column("external_id", Text, nullable=False),
    #: Who they are for the site that vouches for them; null while anonymous.
    Column("subject", Text),
    #: The visitor that this one turned out to be.
    Column("merged_into", Text),
    #: Part of every cursor: raised when the feed behind it is another one (a merge).
    Column("epoch", Integer, nullable=False),
    #: What they say of themselves: {"name", "email", "phone", "locale", "timezone", "attributes": {…}}.
    json_column("stated", nullable=False),
    #: What the site signed; the same keys. It wins.
    json_column("verified", nullable=False),
    #: The last pages, newest last: [{"url", "screen", "title", "at"}].
    json_column("visits", nullable=False),
    #: {"utm": {…}, "referrer": …} of the first visit.
    json_column("origin"),
    #: Up to which event a client of theirs has everything.
    Column("acked_seq", BigInteger, nullable=False, server_default="0"),
    #: Blocked: what they send looks accepted to them and reaches nobody.
    Column("blocked", Boolean, nullable=False),
    ms_column("seen_at", nullable=False),
    ms_column("created_at", nullable=False),
    UniqueConstraint("account_id", "external_id"),
    Index("ix_visitor_merged_into", "merged_into"),
)

visitor_token = Table(
    "visitor_token",
    metadata,
    id_column(),
    #: SHA-256 of the token that is in use.
    Column("token_hash", Text, nullable=False, unique=True),
    #: Of the one that follows it: offered, and not used yet.
    Column("next_hash", Text),
    #: Of the one before it, which is good until then.
    Column("previous_hash", Text),
    ms_column("previous_until"),
    #: When the one in use took over; null for the first.
    ms_column("rotated_at"),
    Column("account_id", Text, nullable=False),
    Column("visitor_id", Text, ForeignKey("visitor.id"), nullable=False),
    #: The public key with which it was given; when that key goes, so does the token.
    Column("key", Text, nullable=False),
    #: Who was proved when it was given; null for an anonymous one.
    Column("subject", Text),
    #: What the client said of itself: {"platform", "version", "form", "locale"}.
    json_column("client", nullable=False),
    Column("device_id", Text),
    #: Up to which event the app of this very token has shown everything: for that no push is needed.
    Column("acked_seq", BigInteger, nullable=False, server_default="0"),
    ms_column("expires_at", nullable=False),
    ms_column("revoked_at"),
    ms_column("created_at", nullable=False),
    Index("ix_visitor_token_visitor_id", "visitor_id"),
    Index("ix_visitor_token_next_hash", "next_hash"),
    Index("ix_visitor_token_previous_hash", "previous_hash"),
)

#: Where a push may wake an app. It belongs to one token and goes with it.
visitor_device = Table(
    "visitor_device",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("token_id", Text, nullable=False),
    #: apns, fcm, hms, webpush
    Column("provider", Text, nullable=False),
    #: Encrypted JSON: {"push_token": …}.
    Column("push_token", LargeBinary, nullable=False),
    Column("environment", Text),
    Column("bundle_id", Text),
    Column("locale", Text),
    Column("enabled", Boolean, nullable=False),
    #: The unread count that it was told last; an app shows it on its icon.
    Column("badge", Integer, nullable=False, server_default="0"),
    #: When the app last handed its token over; it does so at every start.
    ms_column("updated_at", nullable=False),
    Index("ix_visitor_device_token_id", "token_id"),
    sqlite_with_rowid=False,
)

#: A push that may become necessary: one per device and message, done or needless ones are deleted.
push_job = Table(
    "push_job",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    #: The message's id, or "read:<thread>" for a badge that is to go down.
    Column("subject", Text, primary_key=True),
    #: message, read
    Column("kind", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    #: The event that a client of this device must acknowledge to make it needless.
    Column("seq", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    ms_column("due_at", nullable=False),
    ms_column("expires_at", nullable=False),
    *lease_columns(),
    Index("ix_push_job_due_at", "due_at"),
    sqlite_with_rowid=False,
)
