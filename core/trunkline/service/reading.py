"""Reading threads and messages for people: a handful of statements per page, never one per row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Select, and_, bindparam, func, select

from trunkline.clock import to_text
from trunkline.service.snapshots import (
    ContactSnapshot,
    MessageSnapshot,
    ThreadSnapshot,
    media_snapshot,
    message_snapshot,
    time_text,
)
from trunkline.service.windows import Open, read_windows, window_snapshot
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.service.arrivals import AccountFacts
    from trunkline.store import Transaction

__all__ = ["read_message", "read_messages", "thread_query", "thread_row_snapshot", "thread_snapshot"]

_m, _t, _c, _i = schema.message.c, schema.thread.c, schema.contact.c, schema.identity.c
#: A quoted message in one line.
_QUOTE_CHARACTERS = 140


def thread_query() -> Select[Any]:
    """Return threads joined with what a row of the inbox shows: contact name, avatar, reachability."""
    return (
        select(
            schema.thread,
            func.coalesce(_c.name, _i.name).label("contact_name"),
            _c.avatar_id,
            _i.reachable,
            _i.external_id,
            _i.kind.label("identity_kind"),
        )
        .join(schema.contact, _c.id == _t.contact_id)
        .join(schema.identity, _i.id == _t.identity_id)
    )


_THREAD_ROW = Prepared(thread_query().where(_t.id == bindparam("thread")))
_ThreadRow: Any = msgspec.defstruct("_ThreadRow", [(str(one.key), Any) for one in thread_query().selected_columns])


def thread_row_snapshot(
    row: Any, facts: AccountFacts, windows: dict[str, Open], avatar: dict[str, Any] | None, now: int
) -> ThreadSnapshot:
    """Return the snapshot of one row of `thread_query`."""
    return ThreadSnapshot(
        id=row.id,
        account_id=row.account_id,
        channel=facts.channel.code,
        channel_title=facts.title,
        contact=ContactSnapshot(row.contact_id, row.contact_name, avatar),
        state=row.state,
        round=row.round,
        assignee=None if row.assignee_id is None else {"id": row.assignee_id, "name": row.assignee_name},
        unread=row.unread,
        last_message_at=to_text(row.last_message_at),
        last_position=row.last_position,
        preview=None if row.preview is None else msgspec.Raw(row.preview.encode()),
        first_unanswered_at=time_text(row.first_unanswered_at),
        window=window_snapshot(facts.channel.capabilities.windows, windows, now),
        reachable=bool(row.reachable),
    )


def thread_snapshot(tx: Transaction, thread: Any, facts: AccountFacts) -> ThreadSnapshot:
    """Return the snapshot of a thread as this transaction sees it."""
    row = _ThreadRow(*tx.run(_THREAD_ROW, {"thread": thread.id})[0])
    avatar = None
    if row.avatar_id is not None:
        found = tx.execute(select(schema.media).where(schema.media.c.id == row.avatar_id)).one_or_none()
        avatar = None if found is None else media_snapshot(found)
    windows: dict[str, Open] = {}
    if facts.channel.capabilities.windows:
        windows = read_windows(tx, thread.id)
    return thread_row_snapshot(row, facts, windows, avatar, row.last_message_at)


async def read_messages(
    connection: AsyncConnection, thread_id: str, before: int | None, limit: int
) -> list[MessageSnapshot]:
    """Return at most `limit` messages before a position (or the newest), oldest first."""
    query = select(schema.message).where(_m.thread_id == thread_id)
    if before is not None:
        query = query.where(_m.position < before)
    rows = (await connection.execute(query.order_by(_m.position.desc()).limit(limit))).fetchall()
    return await _complete(connection, list(reversed(rows)))


async def read_message(connection: AsyncConnection, message_id: str) -> MessageSnapshot | None:
    """Return one message, None if there is none."""
    rows = (await connection.execute(select(schema.message).where(_m.id == message_id))).fetchall()
    found = await _complete(connection, list(rows))
    return found[0] if found else None


async def _complete(connection: AsyncConnection, rows: Sequence[Any]) -> list[MessageSnapshot]:
    """Add deliveries, media and quoted messages."""
    ids = [row.id for row in rows]
    if not ids:
        return []
    deliveries = await _grouped(connection, schema.delivery, ids)
    media = {
        row.id: media_snapshot(row)
        for found in (await _grouped(connection, schema.media, ids)).values()
        for row in found
    }
    quoted = await _quoted(connection, rows)
    return [_with_quote(message_snapshot(row, deliveries[row.id], media), quoted) for row in rows]


async def _grouped(connection: AsyncConnection, table: Any, ids: Iterable[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    query = select(table).where(table.c.message_id.in_(list(ids)))
    if "part" in table.c:
        query = query.order_by(table.c.part)
    for row in (await connection.execute(query)).fetchall():
        found[row.message_id].append(row)
    return found


async def _quoted(connection: AsyncConnection, rows: Sequence[Any]) -> dict[str, tuple[str, str | None]]:
    """Return platform id → (our id, preview text) of the messages that `rows` quote."""
    wanted = {row.quotes for row in rows if row.quotes}
    if not wanted:
        return {}
    account_id = rows[0].account_id
    mine = select(_m.external_id, _m.id, _m.content).where(_m.account_id == account_id, _m.external_id.in_(wanted))
    sent = schema.delivery_id_at_platform.c
    ours = (
        select(sent.external_id, _m.id, _m.content)
        .join(schema.message, _m.id == sent.message_id)
        .where(and_(sent.account_id == account_id, sent.external_id.in_(wanted)))
    )
    found = (await connection.execute(mine.union_all(ours))).fetchall()
    return {external_id: (message_id, _one_line(content)) for external_id, message_id, content in found}


def _one_line(content: str) -> str:
    decoded = msgspec.json.decode(content)
    return str(decoded.get("text") or decoded.get("title") or decoded["type"])[:_QUOTE_CHARACTERS]


def _with_quote(message: MessageSnapshot, quoted: dict[str, tuple[str, str | None]]) -> MessageSnapshot:
    if message.reply_to is None or message.reply_to["external_id"] not in quoted:
        return message
    message_id, preview = quoted[message.reply_to["external_id"]]
    reply_to = {**message.reply_to, "message_id": message_id, "preview": preview}
    return msgspec.structs.replace(message, reply_to=reply_to)
