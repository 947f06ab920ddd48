"""Making the index anew from the messages themselves, for `trunkline search rebuild`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from trunkline.model import new_id
from trunkline.service.search.collecting import identity_entries, identity_query, message_entries, message_query
from trunkline.service.search.indexer import CURSOR
from trunkline.service.search.writing import IDENTITIES, MESSAGES, Entry, Index, empty, write_entries
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy import Select

    from trunkline.contract import Clock
    from trunkline.store import Store, Transaction

__all__ = ["rebuild"]

_PAGE = 1000
#: The indexer of a running process waits for this long after our last sign of life.
_LEASE_MS = 60_000

#: Index → what to read, by which id, and what to make of it.
_SOURCES: tuple[tuple[Index, Callable[[], Select[Any]], Any, Callable[..., list[Entry]]], ...] = (
    (MESSAGES, message_query, schema.message.c.id, message_entries),
    (IDENTITIES, identity_query, schema.identity.c.id, identity_entries),
)


async def rebuild(store: Store, clock: Clock, on_progress: Callable[[int, int], None]) -> int:
    """Index everything anew and return how many rows were read; `on_progress(done, all)` is called now and then.

    What is written meanwhile is indexed afterwards, from the log.
    """
    me, done = new_id(), 0
    total = await _total(store)
    await store.writer.write(lambda tx: _begin(tx, me, clock.now_ms()))
    for index, query, key, entries in _SOURCES:
        last = ""
        while True:
            async with store.read() as connection:
                page = query().where(key > last).order_by(key).limit(_PAGE)
                rows = (await connection.execute(page)).all()
            if not rows:
                break
            last, made = rows[-1].id, entries(rows)
            await store.writer.write(partial(_write, index=index, entries=made, now=clock.now_ms()))
            done += len(rows)
            on_progress(done, max(total, done))
    await store.writer.write(_end)
    return done


async def _total(store: Store) -> int:
    counts = [select(func.count()).select_from(table) for table in (schema.message, schema.identity)]
    async with store.read() as connection:
        return sum([(await connection.execute(count)).scalar_one() for count in counts])


def _begin(tx: Transaction, me: str, now: int) -> None:
    """Take the work over, at the end of the log, and empty the index."""
    newest = tx.execute(select(func.coalesce(func.max(schema.event.c.seq), 0))).scalar_one()
    fence = tx.execute(select(schema.cursor.c.fence).where(schema.cursor.c.name == CURSOR)).scalar() or 0
    tx.execute(delete(schema.cursor).where(schema.cursor.c.name == CURSOR))
    row = {"name": CURSOR, "position": str(newest), "owner": me, "lease_until": now + _LEASE_MS, "fence": fence + 1}
    tx.execute(schema.cursor.insert().values(row))
    for index, *_ in _SOURCES:
        empty(tx, index)


def _write(tx: Transaction, index: Index, entries: list[Entry], now: int) -> None:
    write_entries(tx, index, entries)
    tx.execute(schema.cursor.update().where(schema.cursor.c.name == CURSOR).values(lease_until=now + _LEASE_MS))


def _end(tx: Transaction) -> None:
    """Leave the work to whoever wants it."""
    tx.execute(schema.cursor.update().where(schema.cursor.c.name == CURSOR).values(owner=None, lease_until=0))
