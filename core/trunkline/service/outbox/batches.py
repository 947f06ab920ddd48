"""Several deliveries of one thread in one request, where the platform takes several at once.

What goes together has one key, that of the first: a repeated attempt carries the same deliveries, so that the platform
recognises it. Only what was never tried is put together; what a request was refused for is tried again alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, bindparam, or_

from trunkline.service.outbox.pending import IS_ACTIVE, READ, Claim, Row, contents
from trunkline.service.planning import Load, count_together
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trunkline.store import Transaction

__all__ = ["merged", "riders_of"]

_d = schema.delivery.c
_AFTER = or_(
    _d.position > bindparam("position"), and_(_d.position == bindparam("position"), _d.part > bindparam("part"))
)
_LATER = Prepared(
    READ.where(_d.thread_id == bindparam("thread"), IS_ACTIVE, _AFTER)
    .order_by(_d.position, _d.part)
    .limit(bindparam("most"))
    .with_for_update(of=schema.delivery)
)


def riders_of(tx: Transaction, first: Any, most: int) -> list[Any]:
    """Return the rows that go in one request with `first`, at most `most` parts in all."""
    place = {"thread": first.thread_id, "position": first.position, "part": first.part, "most": max(0, most - 1)}
    rows = [Row(*row) for row in tx.run(_LATER, place)]
    bound = [row for row in rows if row.key == first.key]
    if not bound and first.attempts == 0:
        bound = list(_untried(rows))
    loads = [_load(row) for row in (first, *bound)]
    return bound[: count_together(loads, most) - 1]


def _untried(rows: Sequence[Any]) -> Sequence[Any]:
    """Return the rows before the first one that was tried already."""
    tried = (number for number, row in enumerate(rows) if row.attempts or row.state not in {"queued", "held"})
    return rows[: next(tried, len(rows))]


def _load(row: Any) -> Load:
    return Load(
        parts=len(contents.decode(row.plan)),
        under=(row.window, row.author),
        quotes=row.quote is not None,
        asks=row.quick_replies is not None,
    )


def merged(first: Claim, riders: Sequence[Claim]) -> Claim:
    """Return one claim that carries the parts of all."""
    if not riders:
        return first
    everything = (first, *riders)
    message = msgspec.structs.replace(
        first.message,
        parts=tuple(part for one in everything for part in one.message.parts),
        quick_replies=everything[-1].message.quick_replies,
        after_uncertain=any(one.message.after_uncertain for one in everything),
    )
    return msgspec.structs.replace(first, message=message, riders=tuple(riders))
