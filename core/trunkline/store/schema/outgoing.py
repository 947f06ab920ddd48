"""What goes out: deliveries, attempts, receipts, the account"s brakes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from trunkline.store.schema.columns import id_column, json_column, lease_columns, metadata, ms_column

__all__ = [
    "access_token",
    "attempt",
    "breaker",
    "delivery",
    "delivery_id_at_platform",
    "early_receipt",
    "reply_credential",
]

delivery = Table(
    "delivery",
    metadata,
    id_column(),
    Column("message_id", Text, ForeignKey("message.id"), nullable=False),
    Column("thread_id", Text, ForeignKey("thread.id"), nullable=False),
    Column("account_id", Text, nullable=False),
    #: Position of the message; with `part` the order inside the thread.
    Column("position", BigInteger, nullable=False),
    #: 1 … parts: a message that needs several requests has several deliveries.
    Column("part", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("state", Text, nullable=False),
    #: Encoded `model.Reason`.
    json_column("reason"),
    #: When it may be tried (again).
    ms_column("due_at", nullable=False),
    #: When it is given up.
    ms_column("expires_at", nullable=False),
    *lease_columns(),
    Column("attempts", Integer, nullable=False),
    #: UUID of all attempts, stored before the first.
    Column("key", Text, nullable=False),
    #: Encoded list of `model.Content`: what is sent, after splitting and fallback.
    json_column("plan", nullable=False),
    json_column("quick_replies"),
    #: Encoded `contract.Quote`.
    json_column("quote"),
    json_column("author", nullable=False),
    Column("level", Text, nullable=False),
    Column("cost", Text),
    Column("route", Text),
    Column("window", Text),
    Column("credential_id", Text),
    #: True when the attempt before ended without an answer.
    Column("after_uncertain", Boolean, nullable=False),
    Column("maybe_duplicate", Boolean, nullable=False),
    ms_column("created_at", nullable=False),
    ms_column("updated_at", nullable=False),
    ms_column("sent_at"),
    #: The request that asked for it: one id follows a message from the agent's click to the platform.
    Column("request_id", Text),
    Index(
        "ix_delivery_due",
        "account_id",
        "due_at",
        sqlite_where=text("state IN ('queued', 'sending', 'retrying', 'held', 'uncertain')"),
        postgresql_where=text("state IN ('queued', 'sending', 'retrying', 'held', 'uncertain')"),
    ),
    #: What is on its way in a thread: each asks whether an earlier one is.
    Index(
        "ix_delivery_waiting",
        "thread_id",
        "position",
        "part",
        sqlite_where=text("state IN ('queued', 'sending', 'retrying', 'held', 'uncertain')"),
        postgresql_where=text("state IN ('queued', 'sending', 'retrying', 'held', 'uncertain')"),
    ),
    #: What did not go out and waits for a person.
    Index(
        "ix_delivery_dead",
        "id",
        sqlite_where=text("state IN ('failed', 'expired', 'suppressed')"),
        postgresql_where=text("state IN ('failed', 'expired', 'suppressed')"),
    ),
    Index("ix_delivery_thread", "thread_id", "position", "part"),
    Index("ix_delivery_message", "message_id"),
)

#: The platform's ids of what we sent: receipts, quotes and echoes refer to them.
delivery_id_at_platform = Table(
    "delivery_id_at_platform",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("delivery_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("quote_token", Text),
    sqlite_with_rowid=False,
)

#: Receipts that came before the answer to our own request.
early_receipt = Table(
    "early_receipt",
    metadata,
    id_column(),
    Column("account_id", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    json_column("answer"),
    ms_column("at", nullable=False),
    Index("ix_early_receipt_external", "account_id", "external_id"),
)

attempt = Table(
    "attempt",
    metadata,
    id_column(),
    Column("delivery_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    ms_column("started_at", nullable=False),
    ms_column("ended_at", nullable=False),
    #: accepted, or the code of the error.
    Column("outcome", Text, nullable=False),
    Column("route", Text),
    #: Encoded `errors.PlatformAnswer`.
    json_column("answer"),
    Index("ix_attempt_delivery", "delivery_id", "number"),
)

reply_credential = Table(
    "reply_credential",
    metadata,
    id_column(),
    Column("thread_id", Text, nullable=False),
    Column("value", Text, nullable=False),
    ms_column("expires_at", nullable=False),
    Column("single_use", Boolean, nullable=False),
    Column("cost", Text, nullable=False),
    #: The delivery that holds or used it.
    Column("used_by", Text),
    Index("ix_reply_credential_thread", "thread_id", "expires_at"),
)

#: Why an account's sending waits.
breaker = Table(
    "breaker",
    metadata,
    Column("account_id", Text, primary_key=True),
    #: closed, open
    Column("state", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    ms_column("opened_at"),
    #: Until when nothing (or nothing that costs quota) is sent.
    ms_column("blocked_until"),
    ms_column("quota_blocked_until"),
    Column("reason", Text),
)

access_token = Table(
    "access_token",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    #: Encrypted.
    Column("value", LargeBinary, nullable=False),
    ms_column("expires_at", nullable=False),
    *lease_columns(),
)
