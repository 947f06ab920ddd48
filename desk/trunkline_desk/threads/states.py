"""The life of a thread: new, in service, closed, and new again in the next round.

Plain functions of a transaction; each change writes an event with its actor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select, update

from trunkline.http.problems import FieldError, Problem
from trunkline.model import Actor, ActorKind, Event
from trunkline.store import schema
from trunkline_desk.schema import agent
from trunkline_desk.threads.rows import not_found

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = ["Change", "assign", "close", "renew", "reopen", "take_for_reply"]

_thread, _event = schema.thread, schema.event
_SYSTEM = Actor(ActorKind.SYSTEM)


class Change(msgspec.Struct, frozen=True):
    """Which thread is changed, by whom, and when (ms)."""

    thread_id: str
    actor: Actor
    now: int


def assign(tx: Transaction, change: Change, agent_id: str | None) -> None:
    """Hand a thread to an agent, or to nobody.

    Raises:
        Problem: 404, 409 when it is closed, 422 when the agent is unknown or disabled.
    """
    row = _lock(tx, change.thread_id)
    if row.state == "closed":
        raise Problem(409, "thread_closed", "This thread is closed; reopen it first.")
    if agent_id == row.assignee_id:
        return
    if agent_id is None:
        _set(tx, change, state="new" if row.group_id is None else row.state, assignee_id=None, assignee_name=None)
        _log(tx, change, "unassigned", {"target": "agent", "previous": _assignee(row)})
        return
    _give(tx, change, row, _colleague(tx, agent_id))


def close(tx: Transaction, change: Change) -> None:
    """Close a thread. What is unread stays unread, who waits still waits: closing is a decision, no answer.

    Raises:
        Problem: 404, 409 when it is closed already.
    """
    row = _lock(tx, change.thread_id)
    if row.state == "closed":
        raise Problem(409, "thread_closed", "This thread is closed already.")
    _set(tx, change, state="closed")
    _log(tx, change, "closed", {"previous": row.state, "round": row.round})


def reopen(tx: Transaction, change: Change) -> None:
    """Open a closed thread by hand: the next round, in service by whoever opened it.

    Raises:
        Problem: 404, 409 when it is not closed.
    """
    row = _lock(tx, change.thread_id)
    if row.state != "closed":
        raise Problem(409, "thread_not_closed", "This thread is not closed.")
    _reopen_for(tx, change, row)


def take_for_reply(tx: Transaction, change: Change) -> None:
    """Make a thread the replier's own before they answer: if it is closed, or nobody has it.

    Raises:
        Problem: 404.
    """
    row = _lock(tx, change.thread_id)
    if row.state == "closed":
        _reopen_for(tx, change, row)
    elif row.assignee_id is None:
        _give(tx, change, row, _self(change))


def renew(tx: Transaction, events: Sequence[Event]) -> None:
    """Begin the next round of closed threads in which the customer wrote. `events` are `message_received`."""
    for event in events:
        row = tx.execute(select(_thread).where(_thread.c.id == event.thread_id).with_for_update()).one_or_none()
        if row is None or row.state != "closed" or _closed_since(tx, event):
            continue
        if row.assignee_id is not None:
            withdrawn = Change(row.id, _SYSTEM, event.at_ms)
            _log(tx, withdrawn, "unassigned", {"target": "agent", "previous": _assignee(row)})
        change = Change(row.id, event.actor, event.at_ms)
        _set(tx, change, state="new", round=row.round + 1, assignee_id=None, assignee_name=None)
        # The agent of the last round is kept as a hint for whoever takes the next one.
        _log(tx, change, "reopened", {"round": row.round + 1, "state": "new", "previous": _assignee(row)})


def _closed_since(tx: Transaction, event: Event) -> bool:
    """Whether an agent closed the thread after this message, and so knew of it."""
    newest = select(func.max(_event.c.seq)).where(_event.c.thread_id == event.thread_id, _event.c.kind == "closed")
    return (tx.execute(newest).scalar_one() or 0) > event.seq


def _reopen_for(tx: Transaction, change: Change, row: Any) -> None:
    _set(tx, change, state="in_service", round=row.round + 1)
    _log(tx, change, "reopened", {"round": row.round + 1, "state": "in_service", "previous": _assignee(row)})
    if row.assignee_id != change.actor.id:
        _give(tx, change, row, _self(change))


def _give(tx: Transaction, change: Change, row: Any, to: dict[str, Any]) -> None:
    _set(tx, change, state="in_service", assignee_id=to["id"], assignee_name=to["name"])
    _log(tx, change, "assigned", {"target": "agent", "assignee": to, "previous": _assignee(row)})


def _lock(tx: Transaction, thread_id: str) -> Any:
    row = tx.execute(select(_thread).where(_thread.c.id == thread_id).with_for_update()).one_or_none()
    if row is None:
        raise not_found("thread")
    return row


def _colleague(tx: Transaction, agent_id: str) -> dict[str, Any]:
    row = tx.execute(select(agent.c.name, agent.c.enabled).where(agent.c.id == agent_id)).one_or_none()
    if row is None or not row.enabled:
        words = "There is no such agent, or they are disabled."
        raise Problem(422, "unknown_agent", words, errors=[FieldError("agent_id", words)])
    return {"id": agent_id, "name": row.name}


def _self(change: Change) -> dict[str, Any]:
    return {"id": change.actor.id, "name": change.actor.name}


def _assignee(row: Any) -> dict[str, Any] | None:
    return None if row.assignee_id is None else {"id": row.assignee_id, "name": row.assignee_name or ""}


def _set(tx: Transaction, change: Change, **values: Any) -> None:
    tx.execute(update(_thread).where(_thread.c.id == change.thread_id).values(values))


def _log(tx: Transaction, change: Change, kind: str, payload: dict[str, Any]) -> None:
    tx.append(kind, actor=change.actor, at=change.now, thread_id=change.thread_id, payload=payload)
