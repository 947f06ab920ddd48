"""The outbox, one message at a time: what each kind of answer does to a delivery, its thread and the log."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from tests.core.outbox_yard import Platform, Yard, capabilities, reason_of, text_of, yes
from trunkline import errors
from trunkline.contract import Accepted, AcceptedPart, Idempotency, OutboundMessage, TextLimit
from trunkline.model import Author, AuthorKind, Cost
from trunkline.store import schema


async def test_a_reply_goes_out_once_and_is_told_about(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    thread = await yard.thread(key="c-1")
    await yard.post(thread, "Hello")
    await yard.settle()
    await yard.settle()
    (row,) = await yard.rows()
    (call,) = shop.calls
    assert (row.state, row.route, row.attempts, row.maybe_duplicate) == ("sent", "send", 1, False)
    assert row.sent_at == yard.clock.now
    assert (call.to.external_id, call.thread_key, text_of(call), call.attempt, call.key) == (
        "c-1",
        "c-1",
        "Hello",
        1,
        row.key,
    )
    assert yard.kinds() == ["reply_sent", "delivery_changed"]
    told = json.loads(yard.log[-1].payload)
    assert (told["delivery_state"], told["delivery"]["attempts"], told["retryable"]) == ("sent", 1, False)


async def test_the_platforms_ids_are_kept_and_the_first_names_the_message(yard: Yard) -> None:
    parts = (AcceptedPart(external_id="p-1", quote_token="q-1"), AcceptedPart(external_id="p-2"))
    await yard.account(Platform(Accepted(parts=parts, route="push", cost=Cost.QUOTA, evidence="request-7")))
    message_id = await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    (message,) = await yard.rows(schema.message)
    known = {row.external_id: row.message_id for row in await yard.rows(schema.delivery_id_at_platform)}
    (attempt,) = await yard.rows(schema.attempt)
    assert (message.external_id, message.quote_token) == ("p-1", "q-1")
    assert known == {"p-1": message_id, "p-2": message_id}
    assert (attempt.outcome, attempt.number, json.loads(attempt.answer)["request_id"]) == ("accepted", 1, "request-7")
    assert (await yard.rows())[0].cost == "quota"


@pytest.mark.parametrize(
    ("error", "state", "code", "whose"),
    [
        (errors.TryLater("Busy."), "retrying", "try_later", "platform"),
        (errors.RateLimited(scope="recipient"), "retrying", "rate_limited", "platform"),
        (errors.WindowClosed(), "expired", "window_closed", "recipient"),
        (errors.SignInNeeded(), "held", "sign_in_needed", "account"),
        (errors.Undeliverable("No such person.", whose="recipient"), "failed", "undeliverable", "recipient"),
        (errors.Uncertain(), "uncertain", "uncertain", "platform"),
        (errors.DeliveryError("Something."), "retrying", "delivery_error", "platform"),
        (httpx2.ConnectError("refused"), "retrying", "not_reached", "platform"),
        (httpx2.ReadTimeout("slow"), "uncertain", "uncertain", "platform"),
        (ZeroDivisionError("a bug"), "retrying", "connector_error", "platform"),
    ],
)
async def test_every_answer_has_its_state_and_its_reason(
    yard: Yard, error: Exception, state: str, code: str, whose: str
) -> None:
    await yard.account(Platform(error))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    (row,) = await yard.rows()
    (attempt,) = await yard.rows(schema.attempt)
    assert (row.state, reason_of(row)["code"], reason_of(row)["whose"]) == (state, code, whose)
    assert attempt.outcome == code
    assert "a bug" not in row.reason
    assert row.lease_until is None


async def test_the_platforms_own_words_reach_the_log(yard: Yard) -> None:
    answer = errors.PlatformAnswer(status=400, code="131026", text="Message undeliverable", request_id="r-1")
    await yard.account(Platform(errors.Undeliverable("The platform refused it.", answer=answer)))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    told = json.loads(yard.log[-1].payload)
    assert yard.kinds()[-1] == "delivery_failed"
    assert told["delivery"]["reason"]["platform_text"] == "Message undeliverable"
    assert told["delivery"]["reason"]["platform_code"] == "131026"
    assert told["retryable"] is True


async def test_a_send_that_takes_too_long_is_uncertain(yard: Yard) -> None:
    async def hang(_message: OutboundMessage) -> Accepted:
        await asyncio.Event().wait()
        raise AssertionError

    await yard.account(Platform(hang), capabilities(timeout_s=0.01))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    assert await yard.states() == ["uncertain"]


async def test_retries_follow_the_schedule_until_it_is_sent(yard: Yard) -> None:
    shop = Platform(*[errors.TryLater()] * 4)
    await yard.account(shop)
    await yard.post(await yard.thread(), "Hello")
    for low, high in ((1.6, 2.4), (8, 12), (24, 36), (96, 144)):
        await yard.settle()
        (row,) = await yard.rows()
        assert low * 1000 <= row.due_at - yard.clock.now <= high * 1000
        yard.clock.now = row.due_at
    await yard.settle()
    assert await yard.states() == ["sent"]
    assert [call.attempt for call in shop.calls] == [1, 2, 3, 4, 5]
    assert len({call.key for call in shop.calls}) == 1


async def test_nothing_is_tried_before_it_is_due(yard: Yard) -> None:
    shop = Platform(errors.TryLater(after_s=90))
    await yard.account(shop)
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    yard.clock.advance(seconds=89.9)
    await yard.settle()
    assert len(shop.calls) == 1
    yard.clock.advance(seconds=0.1)
    await yard.settle()
    assert len(shop.calls) == 2


async def test_what_cannot_be_sent_within_a_day_expires(yard: Yard) -> None:
    shop = Platform(*[errors.RateLimited(scope="recipient", after_s=3600)] * 100)
    await yard.account(shop)
    await yard.post(await yard.thread(), "Hello")
    for _ in range(25):
        await yard.settle()
        yard.clock.advance(hours=1)
    (row,) = await yard.rows()
    assert row.state == "expired"
    assert len(shop.calls) == 24


async def test_what_lay_for_a_day_is_not_sent_any_more(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    await yard.post(await yard.thread(), "Hello")
    yard.clock.advance(hours=24)
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, reason_of(row)["code"]) == ("expired", "too_old")
    assert shop.calls == []


async def test_replies_of_a_thread_leave_in_order_one_at_a_time(yard: Yard) -> None:
    shop = Platform(errors.TryLater())
    await yard.account(shop)
    await yard.post(await yard.thread(), "one", "two", "three")
    await yard.settle()
    assert shop.texts == ["one"]
    yard.clock.advance(seconds=3)
    await yard.settle()
    assert shop.texts == ["one", "one", "two", "three"]


async def test_later_replies_are_shown_as_waiting(yard: Yard) -> None:
    await yard.account(Platform(errors.TryLater()))
    await yard.post(await yard.thread(), "one", "two")
    await yard.settle()
    _, follower = await yard.rows()
    assert (follower.state, reason_of(follower)["code"]) == ("held", "waits_for_earlier")
    told = [json.loads(row.payload) for row in yard.log if row.kind == "delivery_changed"]
    assert [one["delivery_state"] for one in told] == ["retrying", "held"]
    yard.clock.advance(seconds=3)
    await yard.settle()
    assert await yard.states() == ["sent", "sent"]
    assert [reason_of(row) for row in await yard.rows()] == [{}, {}]


async def test_a_final_failure_lets_the_later_ones_go(yard: Yard) -> None:
    shop = Platform(errors.Undeliverable())
    await yard.account(shop)
    await yard.post(await yard.thread(), "one", "two")
    await yard.settle()
    assert await yard.states() == ["failed", "sent"]


async def test_a_waiting_thread_holds_up_no_other(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    slow, quick = await yard.thread(), await yard.thread()
    shop.by_text["slow"] = [errors.TryLater()]
    await yard.post(slow, "slow", "after it")
    await yard.post(quick, "quick")
    await yard.settle()
    assert sorted(shop.texts) == ["quick", "slow"]


async def test_a_long_text_goes_as_several_deliveries_in_order(yard: Yard) -> None:
    shop = Platform(errors.TryLater())
    await yard.account(shop, capabilities(text=TextLimit(max=5)))
    await yard.post(await yard.thread(), "aaaa bbbb cccc")
    await yard.settle()
    yard.clock.advance(seconds=3)
    await yard.settle()
    assert shop.texts == ["aaaa", "aaaa", "bbbb", "cccc"]
    assert [(row.part, row.parts, row.state) for row in await yard.rows()] == [(n, 3, "sent") for n in (1, 2, 3)]
    last = json.loads(yard.log[-1].payload)
    assert last["delivery_state"] == "sent"


async def test_a_message_shows_the_worst_of_its_parts(yard: Yard) -> None:
    shop = Platform()
    shop.by_text["bbbb"] = [errors.Undeliverable()]
    await yard.account(shop, capabilities(text=TextLimit(max=5)))
    await yard.post(await yard.thread(), "aaaa bbbb cccc")
    await yard.settle()
    last = json.loads(yard.log[-1].payload)
    assert (last["delivery"]["state"], last["delivery_state"], last["retryable"]) == ("sent", "failed", True)


async def test_a_store_that_cannot_take_the_result_is_asked_again(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, together = Platform(), yard.store.writer.write_together
    refusals = [errors.StoreUnavailable()] * 3

    async def write(work: object, item: object) -> object:
        if refusals:
            raise refusals.pop()
        return await together(work, item)  # type: ignore[arg-type]  # passed on as it came

    async def at_once(_seconds: float) -> None:
        return

    monkeypatch.setattr(yard.store.writer, "write_together", write)
    monkeypatch.setattr("trunkline.service.outbox.dispatcher.asyncio.sleep", at_once)
    await yard.account(shop, capabilities(Idempotency.KEY))
    await yard.post(await yard.thread(), "Hello")
    await yard.settle()
    assert (await yard.states(), len(shop.calls)) == (["sent"], 1)


async def test_an_account_that_is_gone_keeps_its_messages(yard: Yard) -> None:
    account = await yard.account(Platform())
    await yard.post(await yard.thread(), "Hello")
    account.connector = None
    await yard.settle()
    assert await yard.states() == ["queued"]
    account.connector = Platform(yes("again"))
    await yard.settle()
    assert await yard.states() == ["sent"]


@pytest.mark.parametrize("kind", [AuthorKind.BOT, AuthorKind.SYSTEM])
async def test_only_a_person_ends_a_customers_wait(yard: Yard, kind: AuthorKind) -> None:
    await yard.account(Platform())
    thread_id = await yard.thread()

    async def waits_since() -> Any:
        return {row.id: row.first_unanswered_at for row in await yard.rows(schema.thread)}[thread_id]

    await yard.store.writer.write(lambda tx: tx.execute(schema.thread.update().values(first_unanswered_at=7)).rowcount)
    await yard.post(thread_id, "We are with you soon.", author=Author(kind=kind))
    assert await waits_since() == 7
    await yard.post(thread_id, "Here I am.")
    assert await waits_since() is None
