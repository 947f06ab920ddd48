"""Up to where a thread was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from trunkline.store import schema
from trunkline_desk.threads.rows import not_found

if TYPE_CHECKING:
    from trunkline.store import Transaction
    from trunkline_desk.threads.states import Change

__all__ = ["mark_read"]

_thread, _message = schema.thread, schema.message


def mark_read(tx: Transaction, change: Change, position: int) -> None:
    """Count what is unread after `position`; an older position than the last one changes nothing.

    Raises:
        Problem: 404.
    """
    row = tx.execute(select(_thread.c.unread).where(_thread.c.id == change.thread_id).with_for_update()).one_or_none()
    if row is None:
        raise not_found("thread")
    after = select(func.count()).where(
        _message.c.thread_id == change.thread_id, _message.c.position > position, _message.c.direction == "in"
    )
    unread = min(row.unread, tx.execute(after).scalar_one())
    if unread == row.unread:
        return
    tx.execute(update(_thread).where(_thread.c.id == change.thread_id).values(unread=unread))
    payload = {"thread_id": change.thread_id, "unread": unread, "position": position}
    tx.append("read", actor=change.actor, at=change.now, thread_id=change.thread_id, payload=payload)
