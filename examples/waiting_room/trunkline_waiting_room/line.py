"""The line: who waits, who is served, and how a talk ends.

Plain functions of a transaction. Every change is a compare-and-set: of two who want to change a session at once one
finds it changed already, and changes nothing. Every change writes an event with its actor and the session as it is now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Select, func, select, update
from trunkline.clock import to_text
from trunkline.model import Actor, new_id
from trunkline.store import schema as core

from trunkline_waiting_room.schema import session

if TYPE_CHECKING:
    from trunkline.service.reading import Database
    from trunkline.store import Transaction

    from trunkline_waiting_room.rules import Rules

__all__ = ["Line", "Step", "place_object", "queued", "waits"]

_s, _t = session.c, core.thread.c
_NEW = ("id", "thread_id", "line", "state", "started_at", "rev")
#: How many of the last waits make the estimate.
_RECENT = 20


class Step(msgspec.Struct, frozen=True):
    """Which thread is changed, by whom, and when (ms)."""

    thread_id: str
    actor: Actor
    now: int


class Line:
    """The sessions of one house."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def begin(self, tx: Transaction, step: Step, line: str) -> tuple[dict[str, Any], bool]:
        """Let a customer wait, and return the session and whether it is new.

        Where an agent has the thread in hand there is nobody to wait for: the session begins at once.
        """
        # Locked, so that an agent who takes it meanwhile comes before or after us, and never unseen.
        thread = tx.execute(select(core.thread).where(_t.id == step.thread_id).with_for_update()).one()
        row = (new_id(), step.thread_id, line, "queued", step.now, 1)
        is_new = bool(tx.insert_new(session, [row], _NEW, ("number",)))
        if is_new:
            self._tell(tx, step, "queued", _open(tx, step.thread_id))
            if thread.state == "in_service" and thread.assignee_id is not None:
                self.accept(tx, step, {"id": thread.assignee_id, "name": thread.assignee_name})
        return self.show(tx, _open(tx, step.thread_id)), is_new

    def find(self, database: Database, thread_id: str) -> dict[str, Any] | None:
        """Return the session of a thread that is not over, None if there is none."""
        row = _open(database, thread_id)
        return None if row is None else self.show(database, row)

    def accept(self, tx: Transaction, step: Step, agent: Mapping[str, Any]) -> None:
        """Begin the talk with an agent, or go on with another one."""
        who = {"state": "active", "agent_id": agent["id"], "agent_name": agent["name"]}
        first = func.coalesce(_s.accepted_at, step.now)
        if not self._change(tx, step, "session_started", ("queued",), accepted_at=first, **who):
            self._change(tx, step, "session_transferred", ("active",), _s.agent_id != agent["id"], **who)

    def put_back(self, tx: Transaction, step: Step) -> None:
        """Let a customer wait again whom the agent gave back: in front, for they keep their number."""
        self._change(tx, step, "queued", ("active",), state="queued", agent_id=None, agent_name=None)

    def end(self, tx: Transaction, step: Step, reasons: Mapping[str, str]) -> Any:
        """End a session whose state stands in `reasons` (state → reason); returns its row, None if there is none."""
        for state, reason in reasons.items():
            over = {"state": "ended", "ended_at": step.now, "end_reason": reason}
            row = self._change(tx, step, "session_ended", (state,), **over)
            if row is not None:
                return row
        return None

    def show(self, database: Database, row: Any) -> dict[str, Any]:
        """Return a session as the protocol shows it."""
        waiting = None
        if row.state == "queued":
            before = queued(row.line).where(_s.number < row.number).subquery()
            ahead = database.execute(select(func.count()).select_from(before)).scalar_one()
            waiting = place_object(ahead + 1, database.execute(waits(row.line)).scalars().all())
        agent = None if row.agent_id is None else {"id": f"ag_{row.agent_id}", "name": row.agent_name}
        return {
            "id": f"ss_{row.id}",
            "thread_id": f"th_{row.thread_id}",
            "state": row.state,
            "group": {"id": row.line, "name": self._rules.groups.get(row.line, row.line)} if row.line else None,
            "agent": agent,
            "queue": waiting,
            "started_at": to_text(row.started_at),
            "ended_at": None if row.ended_at is None else to_text(row.ended_at),
            "end_reason": row.end_reason,
            "rev": row.rev,
        }

    def _change(self, tx: Transaction, step: Step, kind: str, states: Sequence[str], *more: Any, **values: Any) -> Any:
        """Change the session of a thread if it is in one of these states, and tell of it; None if there is none."""
        mine = (_s.thread_id == step.thread_id, _s.state.in_(states), *more)
        changing = update(session).where(*mine).values(rev=_s.rev + 1, **values).returning(*session.c)
        row = tx.execute(changing).one_or_none()
        if row is not None:
            self._tell(tx, step, kind, row)
        return row

    def _tell(self, tx: Transaction, step: Step, kind: str, row: Any) -> None:
        payload = {"session": self.show(tx, row)}
        tx.append(kind, actor=step.actor, at=step.now, thread_id=step.thread_id, payload=payload)


def _open(database: Database, thread_id: str) -> Any:
    return database.execute(select(session).where(_s.thread_id == thread_id, _s.state != "ended")).one_or_none()


def queued(*lines: str) -> Select[Any]:
    """Return the statement that reads who waits, in the order in which they are served; in all lines without one."""
    everybody = select(_s.thread_id, _s.line, _s.number).where(_s.state == "queued").order_by(_s.number)
    return everybody.where(_s.line.in_(lines)) if lines else everybody


def waits(line: str) -> Select[Any]:
    """Return the statement that reads how long those waited who were taken last, in milliseconds."""
    taken = select(_s.accepted_at - _s.started_at).where(_s.line == line, _s.accepted_at.is_not(None))
    return taken.order_by(_s.accepted_at.desc()).limit(_RECENT)


def place_object(position: int, waited: Sequence[int]) -> dict[str, Any]:
    """Return a place in a line as customers see it; without experience there is no estimate."""
    estimate = round(sum(waited) / len(waited) / 1000) if waited else None
    return {"position": position, "ahead": position - 1, "wait_estimate_s": estimate}
