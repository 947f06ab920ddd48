"""Receipts whose message another process recorded in the same moment, and receipts that are about nothing of ours."""

from __future__ import annotations

from typing import Any

from tests.core.outbox_yard import Platform, Yard, capabilities, reason_of
from trunkline.contract import Idempotency
from trunkline.model import new_id
from trunkline.service.early_receipts import EarlyReceipts
from trunkline.store import schema

FAILED = b'{"status":200,"code":"131026","text":"Message undeliverable"}'


async def kept(yard: Yard, **more: Any) -> None:
    """Let another process have kept a receipt while this one recorded the answer."""
    row = {"id": new_id(), "account_id": "shop", "external_id": "p-1", "state": "read", "at": yard.clock.now, **more}
    await yard.store.writer.write(lambda tx: tx.execute(schema.early_receipt.insert().values(row)))


async def one_sent(yard: Yard) -> None:
    await yard.account(Platform(), capabilities(Idempotency.CORRELATION))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()


async def test_a_receipt_that_slipped_past_its_message_is_applied_later_and_once(yard: Yard) -> None:
    await one_sent(yard)
    await kept(yard)
    workers = [EarlyReceipts(yard.store, yard.clock) for _ in range(2)]
    for worker in workers:
        await worker.settle()
    assert await yard.states() == ["read"]
    assert await yard.rows(schema.early_receipt) == []


async def test_a_failure_keeps_the_platforms_words(yard: Yard) -> None:
    await one_sent(yard)
    await kept(yard, state="failed", answer=FAILED.decode())
    await EarlyReceipts(yard.store, yard.clock).settle()
    assert await yard.states() == ["failed"]
    (row,) = await yard.rows(schema.delivery)
    assert "Message undeliverable" in str(reason_of(row))


async def test_what_is_about_nothing_of_ours_waits_a_day_and_is_forgotten(yard: Yard) -> None:
    await one_sent(yard)
    await kept(yard, external_id="somebody-elses")
    worker = EarlyReceipts(yard.store, yard.clock)
    await worker.settle()
    assert len(await yard.rows(schema.early_receipt)) == 1
    yard.clock.advance(hours=25)
    await worker.settle()
    assert await yard.rows(schema.early_receipt) == []
    assert await yard.states() == ["sent"]
