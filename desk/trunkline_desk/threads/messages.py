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

_message, _delivery, _media, _event = schema.message, schema.delivery, schema.media, schema.event
_at_platform = schema.delivery_id_at_platform
_decoder = msgspec.json.Decoder(Content)
#: So many reactions of a thread are looked at, the newest.
_MOST_REACTIONS = 500


class ShownMessage(MessageSnapshot, frozen=True, kw_only=True):
    """A message with the reactions to it that stand now."""

    reactions: Sequence[dict[str, Any]] = ()


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


def read_message(database: Database, message_id: str) -> ShownMessage:
    """Return one message.

    Raises:
        Problem: 404 when there is none.
    """
    row = database.execute(select(_message).where(_message.c.id == message_id)).one_or_none()
    if row is None:
        raise not_found("message")
    return _snapshots(database, [row])[0]


def _snapshots(database: Database, rows: Sequence[Row[Any]]) -> list[ShownMessage]:
    deliveries = _deliveries(database, [row.id for row in rows if row.direction == "out"])
    media = _files(database, [row.id for row in rows])
    shown = [message_snapshot(row, deliveries.get(row.id, ()), media) for row in rows]
    quoted, reactions = _quoted(database, rows), _reactions(database, rows)
    return [
        ShownMessage(
            **msgspec.structs.asdict(_with_quote(snapshot, quoted.get(row.quotes))),
            reactions=reactions.get(row.external_id or "", []),
        )
        for snapshot, row in zip(shown, rows, strict=True)
    ]


def _reactions(database: Database, rows: Sequence[Row[Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the reactions that stand, by the platform's id of their message; of one person the last one counts."""
    if not any(row.external_id for row in rows):
        return {}
    told = (
        select(_event.c.actor_kind, _event.c.actor_id, _event.c.actor_name, _event.c.payload)
        .where(_event.c.thread_id == rows[0].thread_id, _event.c.kind == "reacted")
        .order_by(_event.c.seq.desc())
        .limit(_MOST_REACTIONS)
    )
    last: dict[tuple[str, str], dict[str, Any] | None] = {}
    for row in database.execute(told):
        said = msgspec.json.decode(row.payload)
        # All of us are one person to the platform.
        whose = "us" if row.actor_kind == "agent" else str(row.actor_id)
        author = {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name}
        shown = {"emoji": said["emoji"], "author": author}
        last.setdefault((said["external_id"], whose), shown if said["emoji"] else None)
    found: dict[str, list[dict[str, Any]]] = {}
    for (external_id, _whose), reaction in last.items():
        if reaction is not None:
            found.setdefault(external_id, []).append(reaction)
    return found


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
