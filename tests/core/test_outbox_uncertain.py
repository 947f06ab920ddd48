"""Sends without an answer: what may be repeated, when, with which credential, and when a duplicate is flagged."""

from __future__ import annotations

import pytest

from tests.core.outbox_yard import Platform, Yard, capabilities, reason_of, yes
from trunkline import errors
from trunkline.contract import Accepted, EchoReceived, Idempotency, ReceiptReceived
from trunkline.model import Address, DeliveryState, Text
from trunkline.service.receipts import apply_receipt, reconcile_echo
from trunkline.store import schema

KEY, CORRELATION, NOTHING = Idempotency.KEY, Idempotency.CORRELATION, Idempotency.NOTHING


async def test_with_a_key_the_same_send_is_repeated_soon_and_no_duplicate_is_flagged(yard: Yard) -> None:
    shop = Platform(errors.Uncertain())
    await yard.account(shop, capabilities(KEY))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    assert await yard.states() == ["uncertain"]
    yard.clock.advance(seconds=2.5)
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, row.maybe_duplicate) == ("sent", False)
    assert [call.after_uncertain for call in shop.calls] == [False, True]
    assert shop.calls[0].key == shop.calls[1].key


@pytest.mark.parametrize("idempotency", [CORRELATION, NOTHING])
async def test_without_a_key_the_platform_gets_twenty_seconds_and_the_repeat_is_flagged(
    yard: Yard, idempotency: Idempotency
) -> None:
    shop = Platform(errors.Uncertain())
    await yard.account(shop, capabilities(idempotency))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    yard.clock.advance(seconds=19.9)
    await yard.settle()
    assert len(shop.calls) == 1
    yard.clock.advance(seconds=0.2)
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, bool(row.maybe_duplicate), len(shop.calls)) == ("sent", True, 2)


async def test_a_transient_failure_after_an_uncertain_send_does_not_make_it_certain(yard: Yard) -> None:
    shop = Platform(errors.Uncertain(), errors.TryLater(), errors.RateLimited(scope="recipient", after_s=1))
    await yard.account(shop)
    await yard.post(await yard.thread(), "Hello")
    for _ in range(4):
        await yard.settle()
        yard.clock.advance(seconds=60)
    (row,) = await yard.rows()
    assert [call.after_uncertain for call in shop.calls] == [False, True, True, True]
    assert (row.state, bool(row.maybe_duplicate)) == ("sent", True)


async def test_an_echo_with_our_correlation_settles_an_uncertain_send(yard: Yard) -> None:
    shop = Platform(errors.Uncertain())
    await yard.account(shop, capabilities(CORRELATION))
    await yard.post(await yard.thread(key="c-1"), "one", "two")
    await yard.settle()
    echo = EchoReceived(
        dedupe_key="e", thread_key="c-1", contact=Address(external_id="c-1"), external_id="p-9",
        content=Text(text="one"), correlation=shop.calls[0].delivery_id,
    )  # fmt: skip
    now = yard.clock.now
    assert await yard.store.writer.write(lambda tx: reconcile_echo(tx, "shop", echo, now))
    await yard.settle()
    first, second = await yard.rows()
    assert (first.state, bool(first.maybe_duplicate)) == ("sent", False)
    assert second.state == "sent"
    assert shop.texts == ["one", "two"]


@pytest.mark.parametrize(("idempotency", "flagged"), [(CORRELATION, True), (KEY, False)])
async def test_an_echo_after_two_sends_without_an_answer_leaves_the_flag(
    yard: Yard, idempotency: Idempotency, flagged: bool
) -> None:
    shop = Platform(errors.Uncertain(), errors.Uncertain())
    await yard.account(shop, capabilities(idempotency))
    await yard.post(await yard.thread(key="c-1"), "one")
    await yard.settle()
    yard.clock.advance(seconds=20)
    await yard.settle()
    receipt = ReceiptReceived(dedupe_key="r", state=DeliveryState.SENT, correlation=shop.calls[0].delivery_id)
    now = yard.clock.now
    await yard.store.writer.write(lambda tx: apply_receipt(tx, "shop", receipt, now))
    (row,) = await yard.rows()
    assert (row.state, bool(row.maybe_duplicate), len(shop.calls)) == ("sent", flagged, 2)


async def test_a_receipt_with_our_correlation_settles_it_too(yard: Yard) -> None:
    shop = Platform(errors.Uncertain())
    await yard.account(shop, capabilities(CORRELATION))
    await yard.post(await yard.thread(), "one", "two")
    await yard.settle()
    receipt = ReceiptReceived(
        dedupe_key="r", state=DeliveryState.DELIVERED, external_id="p-9", correlation=shop.calls[0].delivery_id
    )
    now = yard.clock.now
    await yard.store.writer.write(lambda tx: apply_receipt(tx, "shop", receipt, now))
    await yard.settle()
    assert await yard.states() == ["delivered", "sent"]
    assert shop.texts == ["one", "two"]


async def test_an_echo_that_overtakes_our_own_answer_loses_nothing_of_it(yard: Yard) -> None:
    async def echo_first(message: object) -> Accepted:
        delivery_id, now = shop.calls[-1].delivery_id, yard.clock.now
        echo = EchoReceived(
            dedupe_key="e", thread_key="c-1", contact=Address(external_id="c-1"), external_id="p-1",
            content=Text(text="one"), correlation=delivery_id,
        )  # fmt: skip
        await yard.store.writer.write(lambda tx: reconcile_echo(tx, "shop", echo, now))
        return yes(1)

    shop = Platform(echo_first)
    await yard.account(shop, capabilities(CORRELATION))
    await yard.post(await yard.thread(key="c-1"), "one")
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, row.route, row.cost) == ("sent", "send", "free")


async def test_an_answer_that_never_comes_changes_nothing_after_the_echo(yard: Yard) -> None:
    async def echo_then_silence(message: object) -> Accepted:
        receipt = ReceiptReceived(dedupe_key="r", state=DeliveryState.DELIVERED, correlation=shop.calls[-1].delivery_id)
        now = yard.clock.now
        await yard.store.writer.write(lambda tx: apply_receipt(tx, "shop", receipt, now))
        raise errors.Uncertain

    shop = Platform(echo_then_silence)
    await yard.account(shop, capabilities(CORRELATION))
    await yard.post(await yard.thread(), "one")
    await yard.settle()
    yard.clock.advance(seconds=60)
    await yard.settle()
    assert (await yard.states(), len(shop.calls)) == (["delivered"], 1)


async def test_what_stays_unknown_for_a_day_ends_with_words_and_not_with_another_send(yard: Yard) -> None:
    shop = Platform(*[errors.Uncertain()] * 50)
    await yard.account(shop, capabilities(KEY))
    await yard.post(await yard.thread(), "Hello")
    for _ in range(60):
        await yard.settle()
        yard.clock.advance(hours=0.5)
    (row,) = await yard.rows()
    assert (row.state, reason_of(row)["code"]) == ("expired", "outcome_unknown")
    assert all(call.attempt for call in shop.calls)
    assert (await yard.rows(schema.attempt))[-1].ended_at < row.expires_at


# ---------------------------------------------------------------- credentials


async def used(yard: Yard) -> dict[str, str | None]:
    """Return credential → the delivery that holds it."""
    return {row.value: row.used_by for row in await yard.rows(schema.reply_credential)}


async def test_the_newest_good_credential_is_taken_and_kept_when_it_was_used(yard: Yard) -> None:
    shop = Platform(yes(1, credential_used=True))
    await yard.account(shop, capabilities(credentials=True))
    thread = await yard.thread()
    await yard.credential(thread, "old", lasts_s=10)
    await yard.credential(thread, "new", lasts_s=50)
    await yard.post(thread, "one", "two")
    await yard.settle()
    assert [call.credential.value if call.credential else None for call in shop.calls] == ["new", "old"]
    one, _ = await yard.rows()
    assert await used(yard) == {"new": one.id, "old": None}


async def test_a_credential_that_was_not_used_is_free_again(yard: Yard) -> None:
    await yard.account(Platform(errors.TryLater()), capabilities(credentials=True))
    thread = await yard.thread()
    await yard.credential(thread, "token")
    await yard.post(thread, "one")
    await yard.settle()
    assert await used(yard) == {"token": None}


async def test_a_credential_past_its_time_is_not_offered(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(credentials=True))
    thread = await yard.thread()
    await yard.credential(thread, "token", lasts_s=10)
    yard.clock.advance(seconds=10)
    await yard.post(thread, "one")
    await yard.settle()
    assert shop.calls[0].credential is None


async def test_an_uncertain_send_is_repeated_with_its_own_credential_and_no_other(yard: Yard) -> None:
    shop = Platform(errors.Uncertain(), errors.TryLater())
    await yard.account(shop, capabilities(KEY, credentials=True))
    thread = await yard.thread()
    await yard.credential(thread, "first", lasts_s=50)
    await yard.post(thread, "one")
    await yard.settle()
    await yard.credential(thread, "second", lasts_s=3600)
    for _ in range(3):
        yard.clock.advance(seconds=120)
        await yard.settle()
    assert await yard.states() == ["sent"]
    assert [call.credential.value if call.credential else None for call in shop.calls] == ["first"] * 3


async def test_an_uncertain_send_without_a_credential_takes_none_later(yard: Yard) -> None:
    shop = Platform(errors.Uncertain())
    await yard.account(shop, capabilities(KEY, credentials=True))
    thread = await yard.thread()
    await yard.post(thread, "one")
    await yard.settle()
    await yard.credential(thread, "later", lasts_s=3600)
    yard.clock.advance(seconds=5)
    await yard.settle()
    assert [call.credential for call in shop.calls] == [None, None]
    assert await used(yard) == {"later": None}


async def test_a_yes_concluded_from_a_spent_credential_flags_nothing(yard: Yard) -> None:
    concluded = Accepted(route="reply", verified=False, credential_used=True)
    await yard.account(Platform(errors.Uncertain(), concluded), capabilities(NOTHING, credentials=True))
    thread = await yard.thread()
    await yard.credential(thread, "token")
    await yard.post(thread, "one")
    await yard.settle()
    yard.clock.advance(seconds=20)
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, bool(row.maybe_duplicate)) == ("sent", False)
