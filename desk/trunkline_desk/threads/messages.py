"""Messages of a thread, page by page from the newest up, with their deliveries, files and quotes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from trunkline.model import Content
from trunkline.service.snapshots import MessageSnapshot, media_snapshot, message_snapshot, preview_of
from trunkline.store import schema
from trunkline_desk.threads.rows import Database, not_found

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = ["read_message", "read_messages"]

_message, _delivery, _media = schema.message, schema.delivery, schema.media
_at_platform = schema.delivery_id_at_platform
_decoder = msgspec.json.Decoder(Content)


def read_messages(database: Database, thread_id: str, before: int | None, limit: int) -> dict[str, Any]:
    """Return messages before a position, oldest first; `next_cursor` is the `before` of the page above.

    Raises:
        Problem: 404 when there is no such thread.
    """
    if database.execute(select(schema.thread.c.id).where(schema.thread.c.id == thread_id)).first() is None:
        raise not_found("thread")
    statement = select(_message).where(_message.c.thread_id == thread_id)
    if before is not None:
        statement = statement.where(_message.c.position < before)
    rows = database.execute(statement.order_by(_message.c.position.desc()).limit(limit + 1)).all()
    shown = rows[:limit][::-1]
    return {
        "items": _snapshots(database, shown),
        "next_cursor": str(shown[0].position) if len(rows) > limit else None,
    }


def read_message(database: Database, message_id: str) -> MessageSnapshot:
    """Return one message.

    Raises:
        Problem: 404 when there is none.
    """
    row = database.execute(select(_message).where(_message.c.id == message_id)).one_or_none()
    if row is None:
        raise not_found("message")
    return _snapshots(database, [row])[0]


def _snapshots(database: Database, rows: Sequence[Row[Any]]) -> list[MessageSnapshot]:
    deliveries = _deliveries(database, [row.id for row in rows if row.direction == "out"])
    media = _files(database, [row.id for row in rows])
    shown = [message_snapshot(row, deliveries.get(row.id, ()), media) for row in rows]
    quoted = _quoted(database, rows)
    return [_with_quote(snapshot, quoted.get(row.quotes)) for snapshot, row in zip(shown, rows, strict=True)]


def _deliveries(database: Database, message_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = {}
    if message_ids:
        statement = select(_delivery).where(_delivery.c.message_id.in_(message_ids)).order_by(_delivery.c.part)
        for row in database.execute(statement):
            found.setdefault(row.message_id, []).append(row)
    return found


def _files(database: Database, message_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = database.execute(select(_media).where(_media.c.message_id.in_(message_ids)))
    return {row.id: media_snapshot(row) for row in rows}


def _quoted(database: Database, rows: Sequence[Row[Any]]) -> dict[str | None, dict[str, Any]]:
    """Return the quoted messages by the platform's id: what customers wrote, and what we sent."""
    wanted = {row.quotes for row in rows if row.quotes}
    if not wanted:
        return {}
    account_id = rows[0].account_id
    theirs = select(_message.c.external_id, *_PREVIEWED).where(
        _message.c.account_id == account_id, _message.c.external_id.in_(wanted)
    )
    ours = (
        select(_at_platform.c.external_id, *_PREVIEWED)
        .join_from(_at_platform, _message, _message.c.id == _at_platform.c.message_id)
        .where(_at_platform.c.account_id == account_id, _at_platform.c.external_id.in_(wanted))
    )
    found = [*database.execute(theirs), *database.execute(ours)]
    return {row.external_id: {"message_id": row.id, "preview": _preview(row)} for row in found}


_PREVIEWED = (_message.c.id, _message.c.content, _message.c.author_kind, _message.c.recalled_at)


def _preview(row: Row[Any]) -> str | None:
    if row.recalled_at is not None:
        return None
    try:
        content = _decoder.decode(row.content)
    except msgspec.ValidationError:
        return None
    return preview_of(content, row.author_kind).text or None


def _with_quote(snapshot: MessageSnapshot, quoted: dict[str, Any] | None) -> MessageSnapshot:
    if quoted is None or snapshot.reply_to is None:
        return snapshot
    return msgspec.structs.replace(snapshot, reply_to=snapshot.reply_to | quoted)
