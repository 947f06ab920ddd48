"""Replaying stored requests with today's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from trunkline.log import get_logger
from trunkline.service.quarantine import reread
from trunkline.service.redaction import REDACTED
from trunkline.service.restoring import Difference, compare, repair
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.service.house import House

__all__ = ["ReplayReport", "replay"]

log = get_logger("replay")

_r = schema.raw_request.c
_PAGE = 200


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
    report, after = ReplayReport(), ""
    while True:
        rows = await _page(house, since_ms, account, after)
        if not rows:
            return report
        for row in rows:
            await _one(house, row, report, dry_run=dry_run)
        after = rows[-1].id
        if on_progress is not None:
            on_progress(report.read)


async def _page(house: House, since_ms: int, account: str | None, after: str) -> list[Any]:
    query = select(schema.raw_request).where(_r.received_at >= since_ms, _r.id > after, _r.state != REDACTED)
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
            found = await house.store.writer.write(lambda tx: repair(tx, house.intake, arrival))
    except Exception as error:  # noqa: BLE001 - one bad request must not end a replay of thousands; it is reported
        report.unreadable.append((row.id, f"{type(error).__name__}: {error}"))
        return
    report.differences.extend(found)
    report.same += not found
