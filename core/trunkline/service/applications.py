"""Applications read the log: each event once, in the transaction that also moves their cursor.

With several processes one of them reads for an application; another takes over when its lease runs out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select, update

from trunkline.model import Actor, ActorKind, Event, new_id
from trunkline.service.worker import Worker
from trunkline.store import LogRow, schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trunkline.contract import Application, ApplicationSpec, Clock
    from trunkline.store import Store, Transaction

__all__ = ["Consumer"]

_c, _e = schema.cursor.c, schema.event.c
_PAGE = 500
#: How long an application belongs to one process without a sign of life.
LEASE_MS = 5000


class Consumer(Worker):
    """Hands the log to one application."""

    def __init__(self, spec: ApplicationSpec, application: Application, store: Store, clock: Clock) -> None:
        super().__init__(f"application:{spec.name}", clock, poll_s=LEASE_MS / 2000)
        self._spec, self._application, self._store = spec, application, store
        self._me, self._name = new_id(), f"application:{spec.name}"
        #: Everything up to here was applied, or seen in memory and not wanted; None while it is not known.
        self._clean: int | None = None

    def offer(self, rows: Sequence[LogRow]) -> None:
        """Look at a commit of this process: most hold nothing for the application and cost it no transaction."""
        if self._clean is None or rows[0].seq != self._clean + 1 or any(self._wants(row) for row in rows):
            self.wake()
        else:
            self._clean = rows[-1].seq

    async def step(self) -> int | None:
        """Apply one page of events."""
        clean = self._clean
        position, more = await self._store.writer.write(lambda tx: self._apply(tx, clean or 0))
        if position is None:
            self._clean = None
        elif clean is None or self._clean is None or position > self._clean:
            self._clean = position
        return self.clock.now_ms() if more else None

    def _wants(self, row: LogRow) -> bool:
        if self._spec.kinds and row.kind not in self._spec.kinds:
            return False
        return self._application.wants(row.kind, row.payload)

    def _apply(self, tx: Transaction, clean: int) -> tuple[int | None, bool]:
        """Apply a page under the lease.

        Returns the new position (None without the lease) and whether there is more.
        """
        now = self.clock.now_ms()
        position = self._position(tx, now)
        if position is None:
            return None, False
        position = max(position, clean)
        rows = self._read(tx, position)
        wanted = [_event(row) for row in rows if self._wants(row)]
        if wanted:
            self._application.consume(tx, wanted)
        if rows:
            position = rows[-1].seq
        values = {"position": str(position), "owner": self._me, "lease_until": now + LEASE_MS}
        tx.execute(update(schema.cursor).where(_c.name == self._name).values(values))
        return position, len(rows) == _PAGE

    def _position(self, tx: Transaction, now: int) -> int | None:
        """Return where to go on, None without the lease.

        Only who may have the lease locks its row: the others must not make their own writes wait for it.
        """
        query = select(schema.cursor).where(_c.name == self._name)
        row = tx.execute(query).one_or_none()
        if row is None:
            columns = ("name", "position", "owner", "lease_until", "fence")
            values = (self._name, "0", self._me, now + LEASE_MS, 1)
            return 0 if tx.insert_new(schema.cursor, [values], columns, ("name",)) else None
        if not self._may_have(row, now):
            return None
        row = tx.execute(query.with_for_update(skip_locked=True)).one_or_none()
        return int(row.position) if row is not None and self._may_have(row, now) else None

    def _may_have(self, row: Any, now: int) -> bool:
        """Whether the lease is this process's, or nobody's any more."""
        return row.owner == self._me or (row.lease_until or 0) <= now

    def _read(self, tx: Transaction, position: int) -> list[LogRow]:
        query = select(*(_e[name] for name in LogRow.__struct_fields__)).where(_e.seq > position)
        return [LogRow(*tuple(row)) for row in tx.execute(query.order_by(_e.seq).limit(_PAGE)).fetchall()]


def _event(row: LogRow) -> Event:
    return Event(
        seq=row.seq,
        at_ms=row.at,
        kind=row.kind,
        thread_id=row.thread_id,
        actor=Actor(ActorKind(row.actor_kind), row.actor_id, row.actor_name),
        payload=msgspec.json.decode(row.payload),
    )
