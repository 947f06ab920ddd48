"""Forgetting what has been kept for long enough.

Requests of platforms, the keys by which a repeat is known, and visitors of our own pages who never wrote: a widget
gives everybody a name before the first word, and most never say one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, select, tuple_

from trunkline.log import get_logger
from trunkline.service.worker import Worker
from trunkline.store import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select, Table

    from trunkline.contract import Clock
    from trunkline.settings import Retention
    from trunkline.store import Store, Transaction

__all__ = ["Forgetting"]

log = get_logger("retention")

_DAY_MS = 24 * 3600 * 1000
#: Rows looked at in one statement. A page is deleted in a write of its own, so that arrivals never wait for long.
_PAGE = 1000
#: How long answers are kept for repeats of a write.
_REPEATS_MS = _DAY_MS
_raw, _item = schema.raw_request.c, schema.inbound_item.c
_visitor, _token, _device = schema.visitor, schema.visitor_token, schema.visitor_device
_identity = schema.identity.c
#: Has an address that somebody wrote from, or sent a form.
_has_written = exists().where(
    _identity.account_id == _visitor.c.account_id, _identity.external_id == _visitor.c.external_id
)


class Forgetting(Worker):
    """Once a day, deletes what is older than the settings want. What waits in the quarantine stays."""

    def __init__(self, store: Store, clock: Clock, days: Retention) -> None:
        super().__init__("retention", clock, poll_s=_DAY_MS / 1000)
        self._store, self._days = store, days

    async def step(self) -> int | None:
        """Walk through all tables once."""
        now = self.clock.now_ms()
        requests = await self._forget_requests(now - self._days.raw_days * _DAY_MS)
        keys = await self._forget_keys(now - self._days.dedupe_days * _DAY_MS)
        visitors = await self._forget_visitors(now - self._days.visitor_days * _DAY_MS)
        repeats = delete(schema.idempotency).where(schema.idempotency.c.at <= now - _REPEATS_MS)
        await self._store.writer.write(lambda tx: tx.execute(repeats).rowcount)
        if requests or keys or visitors:
            log.info("retention.forgotten", requests=requests, dedupe_keys=keys, visitors=visitors)
        return now + _DAY_MS

    async def _forget_requests(self, before: int) -> int:
        """Delete old requests, oldest first. Their ids rise with time: the first page without an old one ends it."""
        forgotten, after = 0, ""
        while not self.stopping:
            page = select(_raw.id, _raw.received_at, _raw.state).where(_raw.id > after).order_by(_raw.id)
            rows = await self._read(page)
            old = [row for row in rows if row.received_at < before]
            ids = [row.id for row in old if row.state != "quarantined"]
            forgotten += await self._delete(schema.raw_request, _raw.id, ids)
            if not old:
                break
            after = rows[-1].id
        return forgotten

    async def _forget_keys(self, before: int) -> int:
        """Delete old keys, in the order of their index: an index by age would make every message dearer."""
        forgotten, after = 0, ("", "")
        key = tuple_(_item.account_id, _item.dedupe_key)
        while not self.stopping:
            page = select(_item.account_id, _item.dedupe_key, _item.at).where(key > tuple_(*after))
            rows = await self._read(page.order_by(_item.account_id, _item.dedupe_key))
            if not rows:
                break
            old = [(row.account_id, row.dedupe_key) for row in rows if row.at < before]
            forgotten += await self._delete(schema.inbound_item, key, old)
            after = (rows[-1].account_id, rows[-1].dedupe_key)
        return forgotten

    async def _forget_visitors(self, before: int) -> int:
        """Delete visitors whom nobody vouched for, who said nothing, and who were not here since; their tokens too."""
        forgotten, after = 0, ""
        nobody = and_(_visitor.c.subject.is_(None), _visitor.c.merged_into.is_(None), _visitor.c.blocked.is_(False))
        while not self.stopping:
            page = select(_visitor.c.id).where(
                _visitor.c.id > after, nobody, _visitor.c.seen_at < before, ~_has_written
            )
            ids = [row.id for row in await self._read(page.order_by(_visitor.c.id))]
            if not ids:
                break
            forgotten += await self._store.writer.write(partial(_drop_visitors, ids=ids))
            after = ids[-1]
        return forgotten

    async def _read(self, page: Select[Any]) -> Sequence[Any]:
        async with self._store.read() as connection:
            found: Sequence[Any] = (await connection.execute(page.limit(_PAGE))).fetchall()
            return found

    async def _delete(self, table: Table, key: ColumnElement[Any], values: Sequence[Any]) -> int:
        if not values:
            return 0
        gone = delete(table).where(key.in_(values))
        await self._store.writer.write(lambda tx: tx.execute(gone))
        return len(values)


def _drop_visitors(tx: Transaction, ids: Sequence[str]) -> int:
    """Delete those of these visitors who still said nothing, with all that hangs on them; returns how many."""
    silent = list(tx.execute(select(_visitor.c.id).where(_visitor.c.id.in_(ids), ~_has_written)).scalars())
    tokens = select(_token.c.id).where(_token.c.visitor_id.in_(silent))
    tx.execute(delete(_device).where(_device.c.token_id.in_(tokens)))
    tx.execute(delete(_token).where(_token.c.visitor_id.in_(silent)))
    tx.execute(delete(_visitor).where(_visitor.c.id.in_(silent)))
    return len(silent)
