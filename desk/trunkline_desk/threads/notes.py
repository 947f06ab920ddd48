"""Notes: words among agents beside a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from trunkline.clock import to_text
from trunkline.http.problems import Problem
from trunkline.model import new_id
from trunkline.store import schema
from trunkline_desk.schema import note
from trunkline_desk.threads.rows import Database, Id, cursor_of, not_found, read_cursor

if TYPE_CHECKING:
    from trunkline.store import Transaction
    from trunkline_desk.threads.states import Change

__all__ = ["add_note", "delete_note", "list_notes"]


def list_notes(database: Database, thread_id: str, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return the notes of a thread, oldest first.

    Raises:
        Problem: 404 when there is no such thread.
    """
    _insist(database, thread_id)
    statement = select(note).where(note.c.thread_id == thread_id, note.c.deleted_at.is_(None))
    if cursor is not None:
        statement = statement.where(note.c.id > read_cursor(cursor, tuple[Id])[0])
    rows = database.execute(statement.order_by(note.c.id).limit(limit + 1)).all()
    more = len(rows) > limit
    return {
        "items": [_snapshot(row) for row in rows[:limit]],
        "next_cursor": cursor_of(rows[limit - 1].id) if more else None,
    }


def add_note(tx: Transaction, change: Change, text: str) -> dict[str, Any]:
    """Store a note.

    Raises:
        Problem: 404 when there is no such thread.
    """
    _insist(tx, change.thread_id)
    note_id = new_id()
    values = {
        "id": note_id,
        "thread_id": change.thread_id,
        "author_id": change.actor.id,
        "author_name": change.actor.name or "",
        "text": text,
        "at": change.now,
    }
    tx.execute(note.insert().values(values))
    shown = _snapshot(tx.execute(select(note).where(note.c.id == note_id)).one())
    tx.append("note_created", actor=change.actor, at=change.now, thread_id=change.thread_id, payload={"note": shown})
    return shown


def delete_note(tx: Transaction, note_id: str, change: Change, *, any_author: bool) -> None:
    """Take a note off the list; the history keeps what it said. `change.thread_id` is not looked at.

    Raises:
        Problem: 404 when it is gone, 403 when it is somebody else's and `any_author` is false.
    """
    row = tx.execute(select(note).where(note.c.id == note_id, note.c.deleted_at.is_(None))).one_or_none()
    if row is None:
        raise not_found("note")
    if row.author_id != change.actor.id and not any_author:
        raise Problem(403, "not_allowed", "Only its author or an admin may delete a note.")
    tx.execute(update(note).where(note.c.id == note_id).values(deleted_at=change.now))
    payload = {"note": _snapshot(row)}
    tx.append("note_deleted", actor=change.actor, at=change.now, thread_id=row.thread_id, payload=payload)


def _insist(database: Database, thread_id: str) -> None:
    if database.execute(select(schema.thread.c.id).where(schema.thread.c.id == thread_id)).first() is None:
        raise not_found("thread")


def _snapshot(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "thread_id": row.thread_id,
        "author": {"id": row.author_id, "name": row.author_name},
        "text": row.text,
        "at": to_text(row.at),
    }
