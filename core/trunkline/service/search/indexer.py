"""Keeps the index of the search up to date with the log: in the background, in batches, with a cursor of its own.

With several processes one of them indexes; another takes over when its lease runs out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import or_, select, update

from trunkline.clock import monotonic
from trunkline.model import new_id
from trunkline.service.feed import read_log
from trunkline.service.search.collecting import (
    by_address,
    identity_entries,
    identity_query,
    message_entries,
    message_query,
    of_contacts,
)
from trunkline.service.search.writing import IDENTITIES, MESSAGES, Entry, write_entries
from trunkline.service.worker import Worker
from trunkline.store import LogRow, schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.contract import Clock
    from trunkline.store import Store, Transaction

__all__ = ["CURSOR", "LEASE_MS", "Indexer"]

#: Name of the row in `cursor`.
CURSOR = "search"
#: How long the work belongs to one process without a sign of life.
LEASE_MS = 5000
#: How long commits are gathered: a batch costs the writer little more than one message would.
_GATHER_S = 0.2
#: Events at once. They keep the writer from others for a few milliseconds.
_BATCH = 250
#: Rests are so many times as long as the work before: behind a long log, and while customers write a lot.
_REST, _BUSY_REST = 1, 15
_LONGEST_REST_S = 2.0

_MESSAGE_KINDS = frozenset({"message_received", "reply_sent", "message_edited", "message_recalled", "message_restored"})
_KINDS = _MESSAGE_KINDS | {"created", "contact_changed", "identity_linked"}
_k = schema.cursor.c


class _Named(msgspec.Struct):
    id: str


class _ThreadOf(msgspec.Struct):
    contact: _Named | None = None


class _Payload(msgspec.Struct):
    """What of a payload tells which rows to read."""

    message: _Named | None = None
    thread: _ThreadOf | None = None
    contact: _Named | str | None = None
    other: str | None = None


_decode = msgspec.json.Decoder(_Payload).decode


class _Changed(msgspec.Struct):
    """What a part of the log is about."""

    messages: set[str] = msgspec.field(default_factory=set)
    contacts: set[str] = msgspec.field(default_factory=set)
    #: (account, external id)
    addresses: set[tuple[str, str]] = msgspec.field(default_factory=set)

    def note(self, row: LogRow) -> None:
        payload = _decode(row.payload)
        if row.kind in _MESSAGE_KINDS and payload.message is not None:
            self.messages.add(payload.message.id)
        elif row.kind == "created" and payload.thread is not None and payload.thread.contact is not None:
            self.contacts.add(payload.thread.contact.id)
        elif isinstance(payload.contact, _Named):
            self.contacts.add(payload.contact.id)
        elif row.kind == "identity_linked" and row.actor_id is not None:
            self.addresses |= {(row.actor_id, one) for one in (payload.contact, payload.other) if isinstance(one, str)}


class Indexer(Worker):
    """Indexes what the log tells."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(CURSOR, clock, poll_s=LEASE_MS / 2000)
        self._store, self._me = store, new_id()
        self._gathering: asyncio.TimerHandle | None = None
        #: Events that came since the last batch, and how long that one took.
        self._offered, self._worked_s = 0, 0.0

    def offer(self, rows: Sequence[LogRow]) -> None:
        """Look at a commit of this process, and take a step soon if it concerns the search."""
        self._offered += len(rows)
        if any(row.kind in _KINDS for row in rows):
            self.wake_soon()

    def wake_soon(self) -> None:
        """Take a step when a few more commits have come together."""
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(_GATHER_S, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        self.wake()

    async def stop(self, grace_s: float = 5.0) -> None:
        """Gather no more, and finish the batch."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        await super().stop(grace_s)

    async def step(self) -> int | None:
        """Index one batch."""
        await self._let_customers_pass()
        began = monotonic()
        more = await self._index()
        self._worked_s = monotonic() - began
        return self.clock.now_ms() if more else None

    async def _let_customers_pass(self) -> None:
        """Rest before the next batch, much longer than the last one took while a lot comes in."""
        times = _BUSY_REST if self._offered > _BATCH else _REST
        self._offered = 0
        if self._worked_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_LONGEST_REST_S, times * self._worked_s)):
                    await self._stopping.wait()

    async def _index(self) -> bool:
        """Index one batch, and say whether there is more."""
        async with self._store.read() as connection:
            position = await self._position(connection)
            rows = [] if position is None else await read_log(connection, position, limit=_BATCH)
            if position is None or not rows:
                return False
            messages, identities = await _read(connection, rows)
        way = (position, rows[-1].seq)
        moved = await self._store.writer.write(lambda tx: self._write(tx, way, messages, identities))
        return moved and len(rows) == _BATCH

    async def _position(self, connection: AsyncConnection) -> int | None:
        """Return where to go on, None while another process has the work."""
        row = (await connection.execute(select(schema.cursor).where(_k.name == CURSOR))).one_or_none()
        if row is None:
            return 0
        return int(row.position) if self._may_have(row) else None

    def _may_have(self, row: Any) -> bool:
        return row.owner == self._me or (row.lease_until or 0) <= self.clock.now_ms()

    def _write(
        self, tx: Transaction, way: tuple[int, int], messages: Sequence[Entry], identities: Sequence[Entry]
    ) -> bool:
        """Write a batch and move the cursor, unless another process did meanwhile. `way` is (from, to)."""
        position, last = way
        values = {"position": str(last), "owner": self._me, "lease_until": self.clock.now_ms() + LEASE_MS}
        row = tx.execute(select(schema.cursor).where(_k.name == CURSOR).with_for_update()).one_or_none()
        if row is None:
            columns = ("name", *values, "fence")
            if not tx.insert_new(schema.cursor, [(CURSOR, *values.values(), 1)], columns, ("name",)):
                return False
        elif not self._may_have(row) or int(row.position) != position:
            return False
        write_entries(tx, MESSAGES, messages)
        write_entries(tx, IDENTITIES, identities)
        tx.execute(update(schema.cursor).where(_k.name == CURSOR).values(values))
        return True


async def _read(connection: AsyncConnection, rows: Sequence[LogRow]) -> tuple[list[Entry], list[Entry]]:
    """Return the entries of the messages and identities that events are about, as those are now."""
    changed = _Changed()
    for row in rows:
        if row.kind in _KINDS:
            changed.note(row)
    messages: Sequence[Any] = ()
    identities: Sequence[Any] = ()
    if changed.messages:
        wanted = message_query().where(schema.message.c.id.in_(changed.messages))
        messages = (await connection.execute(wanted.order_by(schema.message.c.id))).all()
    if changed.contacts or changed.addresses:
        which = or_(of_contacts(changed.contacts), by_address(changed.addresses))
        identities = (await connection.execute(identity_query().where(which))).all()
    # Folding a long batch takes milliseconds that the loop has no time for.
    return await asyncio.to_thread(lambda: (message_entries(messages), identity_entries(identities)))
