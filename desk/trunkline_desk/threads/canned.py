"""Prepared answers: shared ones by admins, personal ones by their owner. Each change writes an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from trunkline.clock import to_text
from trunkline.http.problems import FieldError, Problem
from trunkline.model import new_id
from trunkline_desk.schema import canned_reply
from trunkline_desk.threads.rows import Database, not_found

if TYPE_CHECKING:
    from trunkline.store import Transaction
    from trunkline_desk.threads.states import Change

__all__ = ["EVERYBODY", "add_canned", "change_canned", "delete_canned", "list_canned", "share_canned"]

#: The scope of those that are shared.
EVERYBODY = ""
#: An agent does not page through prepared answers; nobody has so many.
MOST = 500
_c = canned_reply.c


def list_canned(database: Database, agent_id: str) -> dict[str, Any]:
    """Return what an agent may use, by shortcut; their own before a shared one of the same name."""
    mine = select(canned_reply).where(_c.scope.in_([EVERYBODY, agent_id]))
    rows = database.execute(mine.order_by(_c.shortcut, _c.scope.desc()))
    return {"items": [_snapshot(row) for row in rows], "next_cursor": None}


def add_canned(tx: Transaction, change: Change, values: dict[str, str], *, shared: bool) -> dict[str, Any]:
    """Store a prepared answer. `values` are shortcut, title and text.

    Raises:
        Problem: 409 when the shortcut is taken, or there are too many.
    """
    scope = EVERYBODY if shared else change.actor.id or ""
    _insist_on_room(tx, scope, values["shortcut"])
    owner = None if shared else change.actor.id
    reply_id = new_id()
    tx.execute(canned_reply.insert().values(id=reply_id, owner_id=owner, scope=scope, updated_at=change.now, **values))
    return _tell(tx, "canned_reply_created", change, reply_id)


def change_canned(
    tx: Transaction, reply_id: str, change: Change, values: dict[str, str], *, shared: bool
) -> dict[str, Any]:
    """Change a prepared answer; `shared` says whether the agent may change everybody's.

    Raises:
        Problem: 404 when it is none of theirs, 403 when it is everybody's, 409 when the shortcut is taken.
    """
    row = _mine(tx, reply_id, change, shared=shared)
    if values.get("shortcut", row.shortcut) != row.shortcut:
        _insist_on_free(tx, row.scope, values["shortcut"])
    tx.execute(update(canned_reply).where(_c.id == reply_id).values(**values, updated_at=change.now))
    return _tell(tx, "canned_reply_changed", change, reply_id)


def share_canned(tx: Transaction, reply_id: str, change: Change, values: dict[str, str], *, everybody: bool) -> None:
    """Make a prepared answer everybody's, or the own one of whoever changes it; refusals as for adding one."""
    row = _mine(tx, reply_id, change, shared=True)
    scope = EVERYBODY if everybody else change.actor.id or ""
    if row.scope == scope:
        return
    _insist_on_room(tx, scope, values.get("shortcut", row.shortcut))
    owner = None if everybody else change.actor.id
    # Under its new shortcut at once: the old one may be taken where it goes.
    moved = {"owner_id": owner, "scope": scope, "shortcut": values.get("shortcut", row.shortcut)}
    tx.execute(update(canned_reply).where(_c.id == reply_id).values(**moved))


def delete_canned(tx: Transaction, reply_id: str, change: Change, *, shared: bool) -> None:
    """Delete a prepared answer; refusals as for a change."""
    _mine(tx, reply_id, change, shared=shared)
    _tell(tx, "canned_reply_deleted", change, reply_id)
    tx.execute(delete(canned_reply).where(_c.id == reply_id))


def _mine(tx: Transaction, reply_id: str, change: Change, *, shared: bool) -> Any:
    visible = (_c.id == reply_id, _c.scope.in_([EVERYBODY, change.actor.id]))
    row = tx.execute(select(canned_reply).where(*visible)).one_or_none()
    if row is None:
        raise not_found("canned_reply")
    if row.scope == EVERYBODY and not shared:
        raise Problem(403, "not_allowed", "This one is everybody's; ask an admin.")
    return row


def _insist_on_room(tx: Transaction, scope: str, shortcut: str) -> None:
    _insist_on_free(tx, scope, shortcut)
    if len(tx.execute(select(_c.id).where(_c.scope == scope)).all()) >= MOST:
        raise Problem(409, "too_many", f"There are {MOST} of them already; delete one first.")


def _insist_on_free(tx: Transaction, scope: str, shortcut: str) -> None:
    taken = select(_c.id).where(_c.scope == scope, _c.shortcut == shortcut)
    if tx.execute(taken).first() is not None:
        words = "There is one with this shortcut already; choose another."
        raise Problem(409, "shortcut_taken", words, errors=[FieldError("shortcut", words)])


def _tell(tx: Transaction, kind: str, change: Change, reply_id: str) -> dict[str, Any]:
    """Write the event and return the answer; of a personal one nobody else is told the words."""
    shown = _snapshot(tx.execute(select(canned_reply).where(_c.id == reply_id)).one())
    told = shown if shown["shared"] else {key: shown[key] for key in ("id", "shared", "owner_id", "updated_at")}
    tx.append(kind, actor=change.actor, at=change.now, payload={"canned_reply": told})
    return shown


def _snapshot(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "shortcut": row.shortcut,
        "title": row.title,
        "text": row.text,
        "shared": row.owner_id is None,
        "owner_id": row.owner_id,
        "updated_at": to_text(row.updated_at),
    }
