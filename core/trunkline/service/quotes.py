"""Quoted messages: found by the platform's id, shown in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from trunkline.model import Content
from trunkline.service.snapshots import preview_of
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = ["find_quoted", "quoted_snapshot"]

_m, _sent = schema.message.c, schema.delivery_id_at_platform.c
_decoder = msgspec.json.Decoder(Content)


def quoted_snapshot(row: Any) -> dict[str, Any]:
    """Return a message as the one that another answers; nothing of a message that was taken back."""
    preview = None if row.recalled_at is not None else preview_of(_decoder.decode(row.content), row.author_kind).text
    return {"message_id": row.id, "external_id": row.external_id, "preview": preview or None}


def find_quoted(tx: Transaction, account_id: str, external_id: str) -> dict[str, Any]:
    """Return what the platform's id refers to: the customer's message or a part of ours; the bare id if unknown."""
    query = select(schema.message).where(_m.account_id == account_id, _m.external_id == external_id)
    row = tx.execute(query.limit(1)).one_or_none()
    if row is None:
        ours = select(_sent.message_id).where(_sent.account_id == account_id, _sent.external_id == external_id)
        row = tx.execute(select(schema.message).where(_m.id.in_(ours)).limit(1)).one_or_none()
    if row is None:
        return {"message_id": None, "external_id": external_id, "preview": None}
    return {**quoted_snapshot(row), "external_id": external_id}
