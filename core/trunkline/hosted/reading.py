"""What a visitor may read: their threads and messages, and the part of the log that is theirs.

A thread is a visitor's by its identity, never by the contact: agents may merge contacts, which opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from trunkline.service.snapshots import furthest, media_snapshot, message_snapshot
from trunkline.store import LogRow, schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.hosted.objects import Shower
    from trunkline.hosted.visitors import Holder

__all__ = [
    "Page",
    "find_message",
    "live_thread",
    "messages_of",
    "read_changes",
    "seq_of",
    "threads_of",
    "unread_in",
    "visitor_in",
]

_t, _m, _e, _i = schema.thread.c, schema.message.c, schema.event.c, schema.identity.c
_d = schema.delivery.c


class Page(msgspec.Struct, frozen=True):
    """Which messages of a thread."""

    limit: int
    before: int | None = None
    after: int | None = None


async def threads_of(connection: AsyncConnection, holder: Holder) -> list[Any]:
    """Return the visitor's threads, the live one first, then the newest."""
    query = (
        select(schema.thread)
        .join(schema.identity, _i.id == _t.identity_id)
        .where(_i.account_id == holder.account_id, _i.external_id == holder.address)
        .order_by(_t.last_message_at.desc())
    )
    rows = (await connection.execute(query)).fetchall()
    return sorted(rows, key=lambda row: row.key != holder.address)


async def live_thread(connection: AsyncConnection, holder: Holder) -> Any:
    """Return the thread that the visitor writes into, None before their first word."""
    return next((row for row in await threads_of(connection, holder) if row.key == holder.address), None)


async def visitor_in(connection: AsyncConnection, thread_id: str) -> tuple[str, str] | None:
    """Return the account and the address of a thread's visitor, None if there is no such thread."""
    query = select(_i.account_id, _i.external_id).join(schema.thread, _t.identity_id == _i.id).where(_t.id == thread_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.account_id, row.external_id)


async def unread_in(connection: AsyncConnection, row: Any) -> int:
    """Return how many messages of ours the visitor has not read."""
    query = select(func.count()).where(
        _m.thread_id == row.id, _m.position > row.contact_read, _m.direction == "out", _m.recalled_at.is_(None)
    )
    return int((await connection.execute(query)).scalar_one())


async def messages_of(
    connection: AsyncConnection, thread_id: str, page: Page, shower: Shower
) -> tuple[list[dict[str, Any]], bool]:
    """Return a page of messages, oldest first, and whether there is more in that direction."""
    query = select(schema.message).where(_m.thread_id == thread_id)
    if page.before is not None:
        query = query.where(_m.position < page.before)
    if page.after is not None:
        query = query.where(_m.position > page.after)
    forward = page.after is not None and page.before is None
    order = _m.position.asc() if forward else _m.position.desc()
    rows = (await connection.execute(query.order_by(order).limit(page.limit + 1))).fetchall()
    kept = rows[: page.limit] if forward else rows[: page.limit][::-1]
    return await _shown(connection, kept, shower), len(rows) > page.limit


async def find_message(
    connection: AsyncConnection, account_id: str, external_id: str, shower: Shower
) -> tuple[dict[str, Any], Any] | None:
    """Return a message of a visitor as it is shown, and its row; None if there is none."""
    query = select(schema.message).where(_m.account_id == account_id, _m.external_id == external_id)
    row = (await connection.execute(query.limit(1))).one_or_none()
    return None if row is None else ((await _shown(connection, [row], shower))[0], row)


async def last_reply(connection: AsyncConnection, thread_id: str, since: int, shower: Shower) -> dict[str, Any] | None:
    """Return the newest message of ours since a time as it is shown, None if there is none."""
    query = select(schema.message).where(
        _m.thread_id == thread_id, _m.direction == "out", _m.at >= since, _m.recalled_at.is_(None)
    )
    row = (await connection.execute(query.order_by(_m.position.desc()).limit(1))).one_or_none()
    return None if row is None else (await _shown(connection, [row], shower))[0]


async def _shown(connection: AsyncConnection, rows: Sequence[Any], shower: Shower) -> list[dict[str, Any]]:
    media: dict[str, dict[str, Any]] = {}
    carrying = [row.id for row in rows if '"media"' in row.content or '"image"' in row.content]
    if carrying:
        found = await connection.execute(select(schema.media).where(schema.media.c.message_id.in_(carrying)))
        media = {row.id: media_snapshot(row) for row in found}
    quoted = await _quoted(connection, [row for row in rows if row.quotes])
    states = await _states(connection, [row.id for row in rows if row.direction == "out"])
    snapshots = [{**_snapshot(row, media, quoted), "delivery_state": furthest(states.get(row.id, ()))} for row in rows]
    return [shower.message(one, row.external_id) for one, row in zip(snapshots, rows, strict=True)]


async def _states(connection: AsyncConnection, message_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the states of the deliveries of our messages."""
    states: dict[str, list[str]] = {}
    if message_ids:
        query = select(_d.message_id, _d.state).where(_d.message_id.in_(message_ids))
        for message_id, state in await connection.execute(query):
            states.setdefault(message_id, []).append(state)
    return states


def _snapshot(row: Any, media: dict[str, dict[str, Any]], quoted: dict[str, dict[str, Any]]) -> dict[str, Any]:
    snapshot: dict[str, Any] = msgspec.structs.asdict(message_snapshot(row, (), media))
    if row.quotes:
        snapshot["reply_to"] = quoted.get(row.quotes, {"message_id": None, "preview": None})
    return snapshot


async def _quoted(connection: AsyncConnection, rows: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Return the ids of the messages that these quote, by the id under which they are quoted."""
    if not rows:
        return {}
    query = select(_m.external_id, _m.id).where(
        _m.account_id == rows[0].account_id, _m.external_id.in_({row.quotes for row in rows})
    )
    found = await connection.execute(query)
    return {external: {"message_id": message_id, "preview": None} for external, message_id in found}


async def read_changes(
    connection: AsyncConnection, thread_ids: Sequence[str], after: int, upto: int, limit: int
) -> list[LogRow]:
    """Return the events of these threads after `after` and up to `upto`, oldest first."""
    if not thread_ids:
        return []
    query = select(*(_e[name] for name in LogRow.__struct_fields__))
    mine = query.where(_e.thread_id.in_(thread_ids), _e.seq > after, _e.seq <= upto)
    found = await connection.execute(mine.order_by(_e.seq).limit(limit))
    return [LogRow(*row) for row in found.fetchall()]


async def seq_of(connection: AsyncConnection, row: Any) -> int | None:
    """Return the number of the event that told of a message."""
    begins = f'{{"message":{{"id":"{row.id}"'
    query = select(_e.seq).where(_e.thread_id == row.thread_id, _e.kind == "message_received", _e.at == row.at)
    told = query.where(_e.payload.startswith(begins, autoescape=True))
    return (await connection.execute(told.order_by(_e.seq.desc()).limit(1))).scalar_one_or_none()
