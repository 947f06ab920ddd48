"""One thread with what an agent needs to answer in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from trunkline.service.reading import thread_query
from trunkline.store import schema
from trunkline_desk.threads.composing import composer
from trunkline_desk.threads.rows import Database, not_found
from trunkline_desk.threads.summaries import summaries

if TYPE_CHECKING:
    from trunkline.service.house import House

__all__ = ["find_thread", "read_thread"]

_identity = schema.identity


def find_thread(database: Database, thread_id: str) -> Any:
    """Return the row of a thread, with the columns of `thread_query`.

    Raises:
        Problem: 404 when there is none.
    """
    row = database.execute(thread_query().where(schema.thread.c.id == thread_id)).one_or_none()
    if row is None:
        raise not_found("thread")
    return row


def read_thread(database: Database, house: House, thread_id: str, now: int) -> dict[str, Any]:
    """Return a thread as the API shows it.

    Raises:
        Problem: 404 when there is none.
    """
    row = find_thread(database, thread_id)
    summary = msgspec.structs.asdict(summaries(database, house, [row], now)[0])
    return summary | {
        "composer": composer(database, house, row, now),
        "identities": _identities(database, row.contact_id),
    }


def _identities(database: Database, contact_id: str) -> list[dict[str, Any]]:
    rows = database.execute(select(_identity).where(_identity.c.contact_id == contact_id).order_by(_identity.c.id))
    return [{"id": row.id, "external_id": row.external_id, "kind": row.kind, "name": row.name} for row in rows]
