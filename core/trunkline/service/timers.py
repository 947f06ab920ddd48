"""Timers are rows: they survive a restart and fire once, in the transaction of their effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from trunkline.model import new_id
from trunkline.service.worker import Worker
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.contract import Application, Clock
    from trunkline.store import Store, Transaction

__all__ = ["Timers", "cancel_timer", "set_timer"]

_t = schema.timer.c
_PAGE = 100


def set_timer(
    tx: Transaction,
    application: str,
    kind: str,
    subject: str,
    *,
    due_at: int,
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Set a timer, in place of one of the same application, kind and subject."""
    cancel_timer(tx, application, kind, subject)
    values = {"application": application, "kind": kind, "subject": subject, "due_at": due_at}
    encoded = msgspec.json.encode(payload or {}).decode()
    tx.execute(schema.timer.insert().values(id=new_id(), payload=encoded, **values))
    tx.wake("timers")


def cancel_timer(tx: Transaction, application: str, kind: str, subject: str) -> None:
    """Take a timer back; nothing happens if there is none."""
    mine = (_t.application == application, _t.kind == kind, _t.subject == subject)
    tx.execute(schema.timer.delete().where(*mine))


class Timers(Worker):
    """Fires what is due: `Application.timers[kind](tx, subject, payload, now)`."""

    def __init__(self, store: Store, clock: Clock, applications: Mapping[str, Application]) -> None:
        super().__init__("timers", clock)
        self._store, self._applications = store, applications

    async def step(self) -> int | None:
        """Fire one page of due timers and say when the next is due."""
        fired = await self._store.writer.write(self._fire)
        if fired == _PAGE:
            return self.clock.now_ms()
        async with self._store.read() as connection:
            found: int | None = (await connection.execute(select(func.min(_t.due_at)))).scalar()
        return found

    def _fire(self, tx: Transaction) -> int:
        now = self.clock.now_ms()
        due = select(schema.timer).where(_t.due_at <= now, _t.application.in_(list(self._applications)))
        rows = tx.execute(due.order_by(_t.due_at).limit(_PAGE).with_for_update(skip_locked=True)).fetchall()
        for row in rows:
            tx.execute(schema.timer.delete().where(_t.id == row.id))
            action = self._applications[row.application].timers.get(row.kind)
            if action is not None:
                action(tx, row.subject, msgspec.json.decode(row.payload), now)
        return len(rows)
