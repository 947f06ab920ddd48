"""Leases and fences: a process that dies, sleeps or is stopped harms nothing, and a stale result changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.core.outbox_yard import Platform, Yard, capabilities, yes
from trunkline import errors
from trunkline.contract import Accepted, Idempotency, OutboundMessage
from trunkline.service.outbox import claims
from trunkline.service.outbox.claims import LEASE_MS, AccountPlan, claim
from trunkline.store import Transaction, schema

PLANS = {"shop": AccountPlan(8)}


async def take(yard: Yard, worker: str = "dead") -> int:
    """Claim as a process does that dies before it sends; returns how many it took."""
    now = yard.clock.now
    return len((await yard.store.writer.write(lambda tx: claim(tx, PLANS, worker, now))).claims)


def gate(opened: asyncio.Event, entered: asyncio.Event) -> Callable[[OutboundMessage], Awaitable[Accepted]]:
    """Return a platform's turn that waits until it may answer."""

    async def turn(_message: OutboundMessage) -> Accepted:
        entered.set()
        await opened.wait()
        return yes("slow")

    return turn


async def test_what_is_taken_is_taken_by_one(yard: Yard) -> None:
    await yard.account(Platform())
    await yard.post(await yard.thread(), "Hello")
    assert [await take(yard, "one"), await take(yard, "other")] == [1, 0]
    (row,) = await yard.rows()
    assert (row.state, row.owner, row.lease_until, row.fence) == ("sending", "one", yard.clock.now + LEASE_MS, 1)


async def test_two_processes_never_take_two_of_one_thread(yard: Yard) -> None:
    await yard.account(Platform())
    thread = await yard.thread()
    await yard.post(thread, "one", "two", "three")
    assert [await take(yard), await take(yard), await take(yard)] == [1, 0, 0]


async def test_a_lease_that_ended_is_taken_over_and_counts_as_uncertain(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    await yard.post(await yard.thread(), "Hello")
    await take(yard)
    yard.clock.advance(seconds=60)
    await yard.settle()
    assert shop.calls == []
    yard.clock.advance(seconds=0.001)
    await yard.settle()
    (row,) = await yard.rows()
    assert [call.after_uncertain for call in shop.calls] == [True]
    assert (row.state, bool(row.maybe_duplicate), row.attempts) == ("sent", True, 2)


async def test_with_a_key_a_taken_over_send_is_no_possible_duplicate(yard: Yard) -> None:
    await yard.account(Platform(), capabilities(Idempotency.KEY))
    await yard.post(await yard.thread(), "Hello")
    await take(yard)
    yard.clock.advance(seconds=61)
    await yard.settle()
    assert not (await yard.rows())[0].maybe_duplicate


async def test_a_worker_says_when_the_lease_of_another_ends(yard: Yard) -> None:
    await yard.account(Platform())
    await yard.post(await yard.thread(), "Hello")
    await take(yard)
    assert await yard.outbox.step() == yard.clock.now + LEASE_MS


@pytest.mark.parametrize("late", [yes("slow"), errors.Undeliverable(), errors.TryLater(), errors.Uncertain()])
async def test_a_stale_result_changes_nothing(yard: Yard, late: Accepted | errors.DeliveryError) -> None:
    opened, entered = asyncio.Event(), asyncio.Event()

    async def slow(_message: OutboundMessage) -> Accepted:
        entered.set()
        await opened.wait()
        if isinstance(late, Accepted):
            return late
        raise late

    shop = Platform(slow, yes("second"))
    await yard.account(shop)
    await yard.post(await yard.thread(), "Hello")
    stale, fresh = yard.worker(), yard.worker()
    await stale.step()
    await entered.wait()
    yard.clock.advance(seconds=61)
    await fresh.settle()
    before = (await yard.rows(), yard.kinds())
    opened.set()
    await stale.settle()
    assert (await yard.rows(), yard.kinds()) == before
    assert before[0][0].state == "sent"
    assert {row.external_id for row in await yard.rows(schema.delivery_id_at_platform)} == {"p-second"}
    assert sorted(row.number for row in await yard.rows(schema.attempt)) == [1, 2]


async def test_a_stop_lets_a_send_under_way_finish(yard: Yard) -> None:
    opened, entered = asyncio.Event(), asyncio.Event()
    await yard.account(Platform(gate(opened, entered)))
    await yard.post(await yard.thread(), "Hello")
    await yard.outbox.start()
    await entered.wait()
    stop = asyncio.create_task(yard.outbox.stop())
    await asyncio.sleep(0)
    opened.set()
    await stop
    assert await yard.states() == ["sent"]


async def test_a_send_that_a_stop_cuts_off_is_uncertain_at_once(yard: Yard) -> None:
    entered = asyncio.Event()
    await yard.account(Platform(gate(asyncio.Event(), entered)))
    await yard.post(await yard.thread(), "Hello")
    await yard.outbox.start()
    await entered.wait()
    await yard.outbox.stop(grace_s=0)
    (row,) = await yard.rows()
    assert (row.state, row.lease_until, bool(row.after_uncertain)) == ("uncertain", None, True)


async def test_what_was_taken_while_stopping_is_given_back_uncounted(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(credentials=True))
    thread = await yard.thread()
    await yard.credential(thread, "token")
    await yard.post(thread, "Hello")
    yard.outbox._stopping.set()
    assert await yard.outbox.step() is None
    (row,) = await yard.rows()
    assert (row.state, row.attempts, row.lease_until, shop.calls) == ("queued", 0, None, [])
    assert [one.used_by for one in await yard.rows(schema.reply_credential)] == [None]
    other = yard.worker()
    await other.settle()
    assert [call.attempt for call in shop.calls] == [1]


async def test_a_process_alone_takes_over_at_its_start(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(Idempotency.KEY))
    await yard.post(await yard.thread(), "Hello")
    await take(yard)
    yard.clock.advance(seconds=1)
    if yard.store.dialect != "sqlite":
        await yard.settle()
        assert shop.calls == []  # the other process may live
        return
    await yard.outbox.start()
    await yard.settle()
    await yard.outbox.stop()
    assert [call.after_uncertain for call in shop.calls] == [True]


async def test_without_a_key_it_first_gives_the_platform_time_to_show_what_it_has(sqlite_yard: Yard) -> None:
    shop = Platform()
    await sqlite_yard.account(shop, capabilities(Idempotency.CORRELATION))
    await sqlite_yard.post(await sqlite_yard.thread(), "Hello")
    await take(sqlite_yard)
    await sqlite_yard.outbox.start()
    await sqlite_yard.settle()
    await sqlite_yard.outbox.stop()
    assert shop.calls == []
    sqlite_yard.clock.advance(seconds=20)
    again = sqlite_yard.worker()
    await again.settle()
    assert len(shop.calls) == 1


async def test_three_workers_send_everything_once_and_in_order(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(concurrency=4))
    threads = [await yard.thread() for _ in range(10)]
    for number in range(10):
        for thread in threads:
            await yard.post(thread, f"{threads.index(thread)}-{number}")
    workers = [yard.worker() for _ in range(3)]
    await asyncio.gather(*(worker.settle() for worker in workers))
    await yard.settle()
    assert await yard.states() == ["sent"] * 100
    for index in range(10):
        mine = [text for text in shop.texts if text.startswith(f"{index}-")]
        assert mine == [f"{index}-{number}" for number in range(10)]


async def test_a_long_queue_is_searched_by_its_partial_indexes(sqlite_yard: Yard) -> None:

    def plans(tx: Transaction) -> str:
        given = {"account": "shop", "now": 1, "room": 8}
        found: list[str] = []
        for prepared in (claims._DUE, claims._NEXT, claims._BUSY):
            sql, order, constants = prepared.on(tx.dialect)
            values = tuple((constants | given)[name] for name in order)
            found += [str(row[-1]) for row in tx._connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
        return "\n".join(found)

    plan = await sqlite_yard.store.writer.write(plans)
    assert "SEARCH delivery USING INDEX ix_delivery_due (account_id=? AND due_at<?)" in plan
    assert "SEARCH delivery USING INDEX ix_delivery_due (account_id=? AND due_at>?)" in plan
    assert "SEARCH earlier USING INDEX ix_delivery_waiting (thread_id=? AND position<?)" in plan
    assert "SCAN earlier" not in plan
    assert "TEMP B-TREE" not in plan
