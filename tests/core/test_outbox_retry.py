"""Sending again by hand: it really sends, and a second click does not send twice."""

from __future__ import annotations

import asyncio

import pytest

from tests.core.outbox_yard import Platform, Yard, capabilities, yes
from trunkline import errors
from trunkline.contract import Act, Idempotency, TextLimit, Window
from trunkline.service.replies import ReplyRefused
from trunkline.store import schema

WINDOW = Window(name="day", opened_by=frozenset({Act.MESSAGE}), lasts_s=86_400)


async def failed(yard: Yard, shop: Platform) -> str:
    """Return the id of a message that the platform refused."""
    shop.script = [errors.Undeliverable()]
    message_id = await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    assert await yard.states() == ["failed"]
    return message_id


async def test_a_failed_message_is_really_sent_again(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    message_id = await failed(yard, shop)
    await yard.retry(message_id)
    assert await yard.states() == ["queued"]
    await yard.settle()
    assert await yard.states() == ["sent"]
    assert shop.texts == ["Hello", "Hello"]
    assert [row.outcome for row in await yard.rows(schema.attempt)] == ["undeliverable", "accepted"]


async def test_the_history_tells_every_turn(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    await yard.retry(await failed(yard, shop))
    await yard.settle()
    assert yard.kinds() == ["reply_sent", "delivery_failed", "delivery_changed", "delivery_changed"]


async def test_a_double_click_sends_once(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    message_id = await failed(yard, shop)
    answers = await asyncio.gather(yard.retry(message_id), yard.retry(message_id), return_exceptions=True)
    await yard.settle()
    refusals = [answer.code for answer in answers if isinstance(answer, ReplyRefused)]
    assert refusals == ["already_trying"]
    assert len(shop.calls) == 2


async def test_what_was_sent_cannot_be_sent_again(yard: Yard) -> None:
    await yard.account(Platform())
    message_id = await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    with pytest.raises(ReplyRefused) as refusal:
        await yard.retry(message_id)
    assert (refusal.value.code, refusal.value.status) == ("not_retryable", 409)


async def test_an_unknown_message_cannot_be_sent_again(yard: Yard) -> None:
    with pytest.raises(ReplyRefused) as refusal:
        await yard.retry("nothing")
    assert (refusal.value.code, refusal.value.status) == ("not_found", 404)


async def test_only_the_parts_that_failed_go_again(yard: Yard) -> None:
    shop = Platform()
    shop.by_text["bbbb"] = [errors.Undeliverable()]
    await yard.account(shop, capabilities(text=TextLimit(max=5)))
    message_id = await yard.post(await yard.thread(), "aaaa bbbb cccc")
    await yard.settle()
    await yard.retry(message_id)
    await yard.settle()
    assert shop.texts == ["aaaa", "bbbb", "cccc", "bbbb"]
    assert await yard.states() == ["sent"] * 3


async def test_an_expired_message_gets_a_new_day(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    message_id = await yard.post(await yard.thread(), "Hello")
    yard.clock.advance(hours=25)
    await yard.settle()
    assert await yard.states() == ["expired"]
    await yard.retry(message_id)
    await yard.settle()
    assert await yard.states() == ["sent"]


async def test_a_suppressed_message_goes_when_the_window_is_open_again(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(windows=(WINDOW,)))
    thread = await yard.thread()
    message_id = await yard.post(thread, "Hello")
    await yard.retry(message_id)
    assert await yard.states() == ["suppressed"]
    await yard.act(thread, [WINDOW])
    await yard.retry(message_id)
    await yard.settle()
    assert shop.texts == ["Hello"]


async def test_what_a_platform_failed_after_its_yes_goes_again_under_a_new_key(yard: Yard) -> None:
    from trunkline.contract import ReceiptReceived
    from trunkline.model import DeliveryState
    from trunkline.service.receipts import apply_receipt

    shop = Platform(yes("first"))
    await yard.account(shop, capabilities(Idempotency.KEY))
    message_id = await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    failure = ReceiptReceived(dedupe_key="r", state=DeliveryState.FAILED, external_id="p-first")
    now = yard.clock.now
    await yard.store.writer.write(lambda tx: apply_receipt(tx, "shop", failure, now))
    assert await yard.states() == ["failed"]
    await yard.retry(message_id)
    await yard.settle()
    assert await yard.states() == ["sent"]
    assert shop.calls[0].key != shop.calls[1].key


async def test_a_message_whose_outcome_nobody_knows_is_flagged_when_a_person_sends_it_again(yard: Yard) -> None:
    unknown = errors.Undeliverable("Nobody knows.", whose="platform", code="outcome_unknown")
    shop = Platform(errors.Uncertain(), unknown)
    await yard.account(shop, capabilities(Idempotency.KEY, credentials=True))
    thread = await yard.thread()
    await yard.credential(thread, "token")
    message_id = await yard.post(thread, "Hello")
    await yard.settle()
    yard.clock.advance(seconds=5)
    await yard.settle()
    assert await yard.states() == ["failed"]
    await yard.retry(message_id)
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, bool(row.maybe_duplicate)) == ("sent", True)
    assert (shop.calls[-1].credential, shop.calls[-1].after_uncertain) == (None, False)


async def test_a_retry_takes_its_old_place_before_what_waits(yard: Yard) -> None:
    shop = Platform(errors.Undeliverable(), errors.TryLater())
    await yard.account(shop)
    thread = await yard.thread()
    first = await yard.post(thread, "one")
    await yard.settle()
    await yard.post(thread, "two")
    await yard.settle()
    await yard.retry(first)
    yard.clock.advance(seconds=3)
    await yard.settle()
    assert shop.texts == ["one", "two", "one", "two"]
