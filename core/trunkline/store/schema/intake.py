"""What came in: requests, items, what of them waits."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, text

from trunkline.store.schema.columns import id_column, json_column, metadata, ms_column

__all__ = ["inbound_item", "raw_request"]

#: Every request to a webhook address whose sender was proved, byte for byte.
raw_request = Table(
    "raw_request",
    metadata,
    id_column(),
    Column("account_id", Text, nullable=False),
    ms_column("received_at", nullable=False),
    Column("request_id", Text, nullable=False),
    Column("method", Text, nullable=False),
    json_column("query"),
    json_column("headers"),
    Column("body", LargeBinary, nullable=False),
    #: processed, ignored, quarantined, skipped, deleted, redacted
    Column("state", Text, nullable=False),
    #: Code of the reason when ignored or quarantined; an operator's words when skipped or deleted.
    Column("reason", Text),
    #: Words for the operator.
    Column("error", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("items", Integer, nullable=False, server_default="0"),
    ms_column("updated_at"),
    Index(
        "ix_raw_request_quarantined",
        "id",
        sqlite_where=text("state = 'quarantined'"),
        postgresql_where=text("state = 'quarantined'"),
    ),
)

#: One row per item ever taken in. Its primary key is what makes a repeated webhook one message.
inbound_item = Table(
    "inbound_item",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("dedupe_key", Text, primary_key=True),
    Column("raw_id", Text, nullable=False),
    ms_column("at", nullable=False),
    sqlite_with_rowid=False,
)
