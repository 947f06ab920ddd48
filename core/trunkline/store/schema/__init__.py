"""What we remember: one schema for SQLite and PostgreSQL."""

from __future__ import annotations

from trunkline.store.schema.columns import metadata
from trunkline.store.schema.conversations import account, contact, identity, media, message, thread, window
from trunkline.store.schema.intake import inbound_item, raw_request
from trunkline.store.schema.operation import cursor, event, heartbeat, idempotency, timer
from trunkline.store.schema.outgoing import (
    access_token,
    attempt,
    breaker,
    delivery,
    delivery_id_at_platform,
    early_receipt,
    reply_credential,
)
from trunkline.store.schema.search import (
    search_identity,
    search_identity_words,
    search_message,
    search_message_words,
)
from trunkline.store.schema.submissions import submission, submission_setting
from trunkline.store.schema.visitors import push_job, visitor, visitor_device, visitor_token

__all__ = [
    "access_token",
    "account",
    "attempt",
    "breaker",
    "contact",
    "cursor",
    "delivery",
    "delivery_id_at_platform",
    "early_receipt",
    "event",
    "heartbeat",
    "idempotency",
    "identity",
    "inbound_item",
    "media",
    "message",
    "metadata",
    "push_job",
    "raw_request",
    "reply_credential",
    "search_identity",
    "search_identity_words",
    "search_message",
    "search_message_words",
    "submission",
    "submission_setting",
    "thread",
    "timer",
    "visitor",
    "visitor_device",
    "visitor_token",
    "window",
]
