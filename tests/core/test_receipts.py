"""Receipts and echoes: out of order, early, late, for all at once, and of what staff wrote elsewhere."""

from __future__ import annotations

import json

import pytest

from tests.core.outbox_yard import Platform, Yard, capabilities, reason_of, yes
from trunkline.contract import Accepted, Act, EchoReceived, Idempotency, ReceiptReceived, Window
from trunkline.errors import PlatformAnswer, Uncertain
from trunkline.model import Address, DeliveryState, Text
from trunkline.service.receipts import apply_receipt, reconcile_echo
from trunkline.store import schema

SENT, DELIVERED, READ, FAILED = (
    DeliveryState.SENT,
    DeliveryState.DELIVERED,
    DeliveryState.READ,
    DeliveryState.FAILED,
)


async def receive(yard: Yard, state: DeliveryState, external_id: str | None = "p-1", **more: object) -> None:
    """Let the platform tell something about a message of ours."""
    item = ReceiptReceived(dedupe_key="r", state=state, external_id=external_id, **more)  # type: ignore[arg-type]  # fields of the item
    now = yard.clock.now
    await yard.store.writer.write(lambda tx: apply_receipt(tx, "shop", item, now))


async def one_sent(yard: Yard, *, key: str = "c-1") -> Platform:
    """Send one message; the platform's id of it is p-1."""
    shop = Platform()
    await yard.account(shop, capabilities(Idempotency.CORRELATION))
    await yard.post(await yard.thread(key=key), "Hello")
    await yard.settle()
    return shop


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([SENT], "sent"),
        ([DELIVERED], "delivered"),
        ([DELIVERED, READ], "read"),
        ([READ, DELIVERED, SENT], "read"),
        ([DELIVERED, DELIVERED], "delivered"),
        ([FAILED], "failed"),
        ([DELIVERED, FAILED], "failed"),
        ([FAILED, FAILED], "failed"),
    ],
)
async def test_a_state_never_goes_back(yard: Yard, told: list[DeliveryState], state: str) -> None:
    await one_sent(yard)
    for one in told:
        await receive(yard, one)
    assert await yard.states() == [state]


async def test_only_what_is_news_is_told(yard: Yard) -> None:
    await one_sent(yard)
    before = len(yard.log)
    for _ in range(3):
        await receive(yard, READ)
        await receive(yard, DELIVERED)
    assert len(yard.log) == before + 1


async def test_a_receipt_before_our_own_answer_is_kept_for_it(yard: Yard) -> None:
    await yard.account(Platform())
    await yard.post(await yard.thread(), "Hello")
    await receive(yard, READ)
    await receive(yard, DELIVERED)
    await yard.settle()
    assert await yard.states() == ["read"]
    assert await yard.rows(schema.early_receipt) == []
    await receive(yard, DELIVERED)
    assert await yard.states() == ["read"]


async def test_a_failure_before_our_own_answer_keeps_its_words(yard: Yard) -> None:
    await yard.account(Platform())
    await yard.post(await yard.thread(), "Hello")
    await receive(yard, FAILED, answer=PlatformAnswer(code="131026", text="Not on the platform"))
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, reason_of(row)["code"], reason_of(row)["text"]) == (
        "failed",
        "failed_late",
        "Not on the platform",
    )


async def test_a_receipt_between_the_send_and_its_answer_is_not_lost(yard: Yard) -> None:
    async def told_first(_message: object) -> Accepted:
        await receive(yard, READ)
        return yes(1)

    await yard.account(Platform(told_first))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    assert await yard.states() == ["read"]


async def test_a_late_failure_is_told_with_the_platforms_words_and_may_be_sent_again(yard: Yard) -> None:
    await one_sent(yard)
    await receive(yard, FAILED, answer=PlatformAnswer(code="131047", text="More than 24 hours"))
    told = json.loads(yard.log[-1].payload)
    assert yard.kinds()[-1] == "delivery_failed"
    assert told["retryable"] is True
    assert told["delivery"]["reason"] == {
        "code": "failed_late",
        "text": "More than 24 hours",
        "whose": "platform",
        "platform_text": "More than 24 hours",
        "platform_code": "131047",
    }


WINDOW = Window(name="day", opened_by=frozenset({Act.MESSAGE}), lasts_s=24 * 3600, budget=5)


async def sent_in_a_window(yard: Yard) -> str:
    """Send one message within an open window and return the thread."""
    await yard.account(Platform(), capabilities(windows=(WINDOW,)))
    thread = await yard.thread()
    await yard.act(thread, (WINDOW,))
    await yard.post(thread, "Hello")
    return thread


async def left_of_the_window(yard: Yard) -> tuple[bool, int | None]:
    """Return whether the window is still open, and its budget."""
    (row,) = await yard.rows(schema.window)
    return row.expires_at > yard.clock.now, row.remaining


@pytest.mark.parametrize(("code", "left"), [("window_closed", (False, 4)), ("budget_spent", (True, 0))])
async def test_a_late_failure_puts_the_window_right(yard: Yard, code: str, left: tuple[bool, int]) -> None:
    thread = await sent_in_a_window(yard)
    await yard.settle()
    assert await left_of_the_window(yard) == (True, 4)
    await receive(yard, FAILED, window_code=code)
    assert await left_of_the_window(yard) == left
    await yard.post(thread, "And now?")
    assert [reason_of(row)["code"] for row in await yard.rows()] == ["failed_late", code]


@pytest.mark.parametrize(("code", "left"), [("window_closed", (False, 4)), ("budget_spent", (True, 0))])
async def test_so_does_one_that_came_before_our_own_answer(yard: Yard, code: str, left: tuple[bool, int]) -> None:
    await sent_in_a_window(yard)
    await receive(yard, FAILED, window_code=code)
    await yard.settle()
    assert await left_of_the_window(yard) == left


@pytest.mark.parametrize("code", ["window_closed", "budget_spent"])
async def test_a_late_failure_says_nothing_of_a_window_that_was_opened_since(yard: Yard, code: str) -> None:
    thread = await sent_in_a_window(yard)
    await yard.settle()
    yard.clock.advance(seconds=60)
    await yard.act(thread, (WINDOW,))
    await receive(yard, FAILED, window_code=code)
    assert await left_of_the_window(yard) == (True, 5)


async def test_a_receipt_by_our_own_field_teaches_us_the_platforms_id(yard: Yard) -> None:
    shop = Platform(Uncertain())
    await yard.account(shop, capabilities(Idempotency.CORRELATION))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    await receive(yard, SENT, "p-9", correlation=shop.calls[0].delivery_id)
    assert [row.external_id for row in await yard.rows(schema.message)] == ["p-9"]
    await receive(yard, READ, "p-9")
    assert await yard.states() == ["read"]


async def test_a_receipt_of_a_stranger_changes_nothing(yard: Yard) -> None:
    await one_sent(yard)
    await receive(yard, READ, "somebody-elses")
    assert await yard.states() == ["sent"]


async def test_a_receipt_of_another_account_changes_nothing(yard: Yard) -> None:
    await one_sent(yard)
    item = ReceiptReceived(dedupe_key="r", state=READ, external_id="p-1")
    await yard.store.writer.write(lambda tx: apply_receipt(tx, "other", item, yard.clock.now))
    assert await yard.states() == ["sent"]


async def test_a_watermark_moves_everything_up_to_its_time(yard: Yard) -> None:
    await yard.account(Platform())
    thread, other = await yard.thread(key="c-1"), await yard.thread(key="c-2")
    for text in ("one", "two", "three"):
        await yard.post(thread, text)
        await yard.post(other, text)
        await yard.settle()
        yard.clock.advance(seconds=60)
    await receive(yard, READ, None, watermark_ms=yard.clock.now - 120_000, thread_key="c-1")
    states = {(row.thread_id, row.position): row.state for row in await yard.rows()}
    assert [states[thread, n] for n in (1, 2, 3)] == ["read", "read", "sent"]
    assert [states[other, n] for n in (1, 2, 3)] == ["sent"] * 3


async def test_a_watermark_moves_nothing_that_was_not_accepted(yard: Yard) -> None:
    from trunkline.errors import TryLater, Undeliverable

    await yard.account(Platform(Undeliverable(), TryLater()))
    await yard.post(await yard.thread(key="c-1"), "one", "two")
    await yard.settle()
    await receive(yard, READ, None, watermark_ms=yard.clock.now + 60_000, thread_key="c-1")
    assert await yard.states() == ["failed", "retrying"]


# ---------------------------------------------------------------- echoes


async def echo(yard: Yard, external_id: str, *, correlation: str | None = None) -> bool:
    """Let the platform show a message of our side; returns whether it was known."""
    item = EchoReceived(
        dedupe_key="e",
        thread_key="c-1",
        contact=Address(external_id="c-1"),
        external_id=external_id,
        content=Text(text="Hello"),
        correlation=correlation,
    )
    now = yard.clock.now
    return await yard.store.writer.write(lambda tx: reconcile_echo(tx, "shop", item, now))


async def test_an_echo_of_what_we_sent_is_no_news(yard: Yard) -> None:
    await one_sent(yard)
    before = len(yard.log)
    assert await echo(yard, "p-1")
    assert len(yard.log) == before


async def test_an_echo_of_what_staff_wrote_elsewhere_is_news(yard: Yard) -> None:
    await one_sent(yard)
    assert not await echo(yard, "p-unknown")


async def test_an_echo_with_a_correlation_that_is_not_ours_is_news(yard: Yard) -> None:
    await one_sent(yard)
    assert not await echo(yard, "p-unknown", correlation="another-programs")


async def test_an_echo_with_our_correlation_teaches_us_the_platforms_id(yard: Yard) -> None:
    shop = await one_sent(yard)
    assert await echo(yard, "p-2", correlation=shop.calls[0].delivery_id)
    await receive(yard, READ, "p-2")
    assert await yard.states() == ["read"]
    assert await echo(yard, "p-2")
