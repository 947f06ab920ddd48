"""Where a replay begins: found by the index of ids, whatever the clocks say."""

from __future__ import annotations

import random
from uuid import UUID

import pytest
from sqlalchemy import event, select

from trunkline.service.replay import first_since
from trunkline.store import Store, Transaction, schema

MINUTE = 60_000
#: When ids were made and what our clock said then need not agree: a test's clock is moved by hand.
MADE = 1_600_000_000_000
NOON = 1_795_262_400_000
_r = schema.raw_request.c


async def fill(store: Store, received: list[int]) -> None:
    """Store requests, one a minute by their ids, received at these times."""

    def work(tx: Transaction) -> None:
        for number, at in enumerate(received):
            tx.execute(
                schema.raw_request.insert().values(
                    id=str(UUID(int=(MADE + number * MINUTE) << 80 | random.getrandbits(70))),
                    account_id="shop", received_at=at, request_id="r", method="POST", query="{}", headers="{}",
                    body=b"{}", state="processed",
                )
            )  # fmt: skip

    await store.writer.write(work)


async def since(store: Store, moment: int) -> tuple[set[int], set[int]]:
    """Return the times of the requests from the found id on, and of those below it."""
    start = await first_since(store, moment)
    async with store.read() as connection:
        above = (await connection.execute(select(_r.received_at).where(_r.id >= start))).scalars()
        below = (await connection.execute(select(_r.received_at).where(_r.id < start))).scalars()
        return set(above), set(below)


@pytest.mark.parametrize("minute", [0, 1, 250, 399, 400, 5000])
async def test_a_replay_leaves_out_what_is_older_and_nothing_else(any_store: Store, minute: int) -> None:
    await fill(any_store, [NOON + number * MINUTE for number in range(400)])
    moment = NOON + minute * MINUTE
    above, below = await since(any_store, moment)
    assert all(at < moment for at in below)
    # A few minutes of reserve for clocks that differ, and no more.
    assert all(at >= moment - 5 * MINUTE for at in above)
    assert len(above) + len(below) == 400


async def test_times_that_run_a_little_against_the_ids_lose_nothing(any_store: Store) -> None:
    order = random.Random(7)
    received = [NOON + number * MINUTE + order.randint(-2 * MINUTE, 2 * MINUTE) for number in range(400)]
    await fill(any_store, received)
    moment = NOON + 200 * MINUTE
    above, _ = await since(any_store, moment)
    assert {at for at in received if at >= moment} <= above


async def test_an_empty_archive_has_no_beginning(store: Store) -> None:
    assert await since(store, NOON) == (set(), set())


async def test_the_beginning_is_found_with_few_questions_of_one_row_each(store: Store) -> None:
    await fill(store, [NOON + number * MINUTE for number in range(400)])
    asked: list[str] = []
    async with store.read() as connection:
        engine = connection.sync_connection.engine  # type: ignore[union-attr] # an open one has it
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: asked.append(sql))
    await first_since(store, NOON + 200 * MINUTE)
    assert 2 < len(asked) < 60
    assert all("min(" in sql or "max(" in sql or "LIMIT" in sql for sql in asked)
