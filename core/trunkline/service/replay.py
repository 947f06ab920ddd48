"""Replaying stored requests with today's code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select

from trunkline.contract import Unknown
from trunkline.log import get_logger
from trunkline.model import Actor, ActorKind
from trunkline.service.dead_letters import NotDead
from trunkline.service.quarantine import close, reread, take
from trunkline.service.redaction import REDACTED
from trunkline.service.restoring import Difference, compare, repair
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from trunkline.service.arrivals import Arrival
    from trunkline.service.house import House
    from trunkline.store import Store, Transaction

__all__ = ["ReplayReport", "first_since", "replay"]

log = get_logger("replay")

_r = schema.raw_request.c
_PAGE = 200
_REPLAY = Actor(ActorKind.OPERATOR, name="replay")
#: How far times may run against ids: clocks of several machines, and requests that waited for their commit.
_SLIP_MS = 5 * 60 * 1000


class ReplayReport(msgspec.Struct):
    """What a replay found; with `dry_run` nothing was written."""

    read: int = 0
    same: int = 0
    differences: list[Difference] = []
    #: (raw id, words) of requests that still cannot be read.
    unreadable: list[tuple[str, str]] = []


async def replay(
    house: House,
    since_ms: int,
    account: str | None = None,
    *,
    dry_run: bool = True,
    on_progress: Callable[[int], None] | None = None,
) -> ReplayReport:
    """Read every request since `since_ms` again and compare, or repair. Creates no duplicates."""
    report, rest = ReplayReport(), _r.id >= await first_since(house.store, since_ms)
    while True:
        rows = await _page(house, since_ms, account, rest)
        if not rows:
            return report
        for row in rows:
            await _one(house, row, report, dry_run=dry_run)
        rest = _r.id > rows[-1].id
        if on_progress is not None:
            on_progress(report.read)


async def first_since(store: Store, since_ms: int) -> str:
    """Return an id below which no request was received since then; a few above it may be older.

    Times have no index, and ids have one that follows them: both grow as requests come in. So the place is found by
    halving the range of ids, in some forty questions, however many requests are kept.
    """
    async with store.read() as connection:
        # Two questions: for both at once SQLite would read the whole index.
        first, last = [(await connection.execute(select(edge(_r.id)))).scalar() for edge in (func.min, func.max)]
        low, high = (0, 0) if first is None else (_made_ms(first), _made_ms(last) + 1)
        while low < high:
            middle = (low + high) // 2
            ahead = select(_r.received_at).where(_r.id >= _id_at(middle)).order_by(_r.id).limit(1)
            received_at = (await connection.execute(ahead)).scalar()
            if received_at is not None and received_at < since_ms - _SLIP_MS:
                low = middle + 1
            else:
                high = middle
    return _id_at(low)


def _made_ms(raw_id: str) -> int:
    """Return when an id was made, as its first 48 bits say."""
    return UUID(raw_id).int >> 80


def _id_at(ms: int) -> str:
    """Return the lowest id that could have been made then."""
    return str(UUID(int=ms << 80))


async def _page(house: House, since_ms: int, account: str | None, rest: ColumnElement[bool]) -> list[Any]:
    query = select(schema.raw_request).where(_r.received_at >= since_ms, rest, _r.state.not_in((REDACTED, "deleted")))
    if account is not None:
        query = query.where(_r.account_id == account)
    async with house.store.read() as connection:
        return list((await connection.execute(query.order_by(_r.id).limit(_PAGE))).fetchall())


async def _one(house: House, row: Any, report: ReplayReport, *, dry_run: bool) -> None:
    report.read += 1
    try:
        arrival = reread(house, row)
        if dry_run:
            found = await house.store.writer.write(lambda tx: compare(tx, arrival))
        else:
            found = await house.store.writer.write(lambda tx: _mend(tx, house, row, arrival))
    except Exception as error:  # noqa: BLE001 - one bad request must not end a replay of thousands; it is reported
        report.unreadable.append((row.id, f"{type(error).__name__}: {error}"))
        return
    report.differences.extend(found)
    report.same += not found


def _mend(tx: Transaction, house: House, row: Any, arrival: Arrival) -> list[Difference]:
    """Store what a request brings today; one that waited in the quarantine and holds nothing unknown leaves it."""
    now = house.clock.now_ms()
    found = repair(tx, house.intake, arrival, now)
    if row.state == "quarantined" and not any(isinstance(item, Unknown) for item in arrival.items):
        with contextlib.suppress(NotDead):  # somebody was faster
            close(tx, take(tx, row.id), "processed", None, actor=_REPLAY, now=now)
    return found
