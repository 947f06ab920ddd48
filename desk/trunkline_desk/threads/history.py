"""A thread's history: the log itself, with the round that each entry belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from trunkline.clock import to_text
from trunkline.store import schema
from trunkline_desk.threads.rows import Database, cursor_of, int_cursor, not_found

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = ["read_history"]

_event = schema.event
#: Steps of a machine, not of people: the messages show where they led.
_LEFT_OUT = ("delivery_changed", "media_changed")


def read_history(database: Database, thread_id: str, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a part of a thread's history, oldest first.

    Raises:
        Problem: 404 when there is no such thread.
    """
    if database.execute(select(schema.thread.c.id).where(schema.thread.c.id == thread_id)).first() is None:
        raise not_found("thread")
    after = int_cursor(cursor) or 0
    mine = (_event.c.thread_id == thread_id, _event.c.kind.not_in(_LEFT_OUT))
    rows = database.execute(select(_event).where(*mine, _event.c.seq > after).order_by(_event.c.seq).limit(limit + 1))
    found = rows.all()
    reopened = select(func.count()).where(*mine, _event.c.kind == "reopened", _event.c.seq <= after)
    return {
        "items": _entries(found[:limit], 1 + database.execute(reopened).scalar_one()),
        "next_cursor": cursor_of(found[limit - 1].seq) if len(found) > limit else None,
    }


def _entries(rows: list[Row[Any]] | Any, first_round: int) -> list[dict[str, Any]]:
    entries, current = [], first_round
    for row in rows:
        current += row.kind == "reopened"
        entries.append(
            {
                "seq": row.seq,
                "at": to_text(row.at),
                "kind": row.kind,
                "thread_id": row.thread_id,
                "actor": {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name},
                "payload": msgspec.Raw(row.payload.encode()),
                "round": current,
            }
        )
    return entries
