"""LINE has its troubles: nothing is lost, nothing is said twice, nothing overtakes, and agents are told why."""

from __future__ import annotations

import json
from typing import Any

from tests.journeys.shop import Shop, until
from trunkline.testing.faults import Fault

Json = dict[str, Any]

SENDING = "/v2/bot/message/*"
REFUSAL = json.dumps({"message": "The request body has 1 error(s)", "details": [{"message": "May not be empty"}]})


async def test_twenty_replies_outlast_an_outage_in_order_and_none_twice(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.later(60)
    shop.line.fail(Fault(do="answer", path=SENDING, method="POST", status=503, times=8))
    sent = [await shop.reply(thread["id"], f"Answer {number}") for number in range(20)]
    await _until_all_sent(shop, thread)
    assert [said.message["text"] for said in mei.sees if said.author is None] == [
        f"Answer {number}" for number in range(20)
    ]
    first = await shop.message(sent[0]["id"], thread["id"])
    assert first["deliveries"][0]["attempts"] > 5


async def test_an_outage_of_one_hour_holds_the_replies_to_many_customers_and_then_sends_them(shop: Shop) -> None:
    people = [shop.line.customer(f"Customer {number}") for number in range(5)]
    async with shop.line.batch():
        for customer in people:
            await customer.text("Hello")
    threads = [await shop.thread_of(customer) for customer in people]
    shop.later(60)
    shop.line.fail(Fault(do="answer", path=SENDING, method="POST", status=500, times=1_000_000))
    for number in range(4):
        for thread in threads:
            await shop.reply(thread["id"], f"Answer {number}")

    async def failing() -> bool:
        return bool((await _account(shop))["state"] == "failing")

    assert await until(failing, turn=shop.pauses(120))
    shop.later(3600)
    shop.line._faults.clear()
    for thread in threads:
        await _until_all_sent(shop, thread)
    for customer in people:
        told = [said.message["text"] for said in customer.sees if said.author is None]
        assert told == [f"Answer {number}" for number in range(4)]
    assert (await _account(shop))["state"] == "connected"


async def test_a_push_that_line_took_without_an_answer_is_not_read_twice(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.later(60)
    shop.line.fail(Fault(do="close_after", path=SENDING, method="POST"))
    sent = await shop.reply(thread["id"], "Once")
    await shop.until_state(sent, "sent", turn=shop.pauses(5))
    assert [said.message["text"] for said in mei.sees] == ["Hello", "Once"]
    keys = {entry.headers["x-line-retry-key"] for entry in shop.line.requests("/v2/bot/message/push")}
    assert len(keys) == 1


async def test_a_free_answer_that_line_took_without_an_answer_is_not_read_twice(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.line.fail(Fault(do="close_after", path="/v2/bot/message/reply"))
    sent = await shop.reply(thread["id"], "Once")
    await shop.until_state(sent, "sent", turn=shop.pauses(5))
    assert [said.message["text"] for said in mei.sees] == ["Hello", "Once"]


async def test_what_line_refuses_is_shown_in_its_words_and_can_be_sent_again(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.line.fail(Fault(do="answer", path=SENDING, method="POST", status=400, body=REFUSAL))
    sent = await shop.reply(thread["id"], "Here you are")
    failed = await shop.until_state(sent, "failed")
    reason = failed["deliveries"][0]["reason"]
    assert "The request body has 1 error(s)" in reason["platform_text"]
    assert "May not be empty" in reason["platform_text"]
    assert failed["retryable"] is True
    again = await shop.ada.call("POST", f"/messages/{sent['id']}/retry", {})
    once_more = await shop.ada.call("POST", f"/messages/{sent['id']}/retry", {})
    assert (again.status, once_more.status) == (202, 409)
    await shop.until_state(sent, "sent")
    assert [said.message["text"] for said in mei.sees] == ["Hello", "Here you are"]


async def test_a_used_up_quota_holds_what_costs_and_lets_free_answers_through(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.later(60)
    shop.line.world.quota = shop.line.world.used
    held = await shop.until_state(await shop.reply(thread["id"], "This one costs"), "held")
    assert held["deliveries"][0]["reason"]["code"] == "quota"
    assert held["deliveries"][0]["reason"]["whose"] == "account"
    await mei.text("Hello again?")
    sent = await shop.until_state(held, "sent", turn=shop.pauses(5))
    assert sent["deliveries"][0]["cost"] == "free"
    assert shop.line.world.used == shop.line.world.quota


async def test_a_rate_limit_is_waited_for_and_is_no_trouble_of_the_account(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.later(60)
    body = json.dumps({"message": "The API rate limit has been exceeded. Try again later."})
    shop.line.fail(Fault(do="answer", path=SENDING, method="POST", status=429, body=body))
    waiting = await shop.until_state(await shop.reply(thread["id"], "Patience"), "retrying")
    assert waiting["deliveries"][0]["next_attempt_at"] is not None
    assert (await _account(shop))["state"] == "connected"
    await shop.until_state(waiting, "sent", turn=shop.pauses(5))
    assert [said.message["text"] for said in mei.sees] == ["Hello", "Patience"]


async def test_refused_credentials_hold_replies_until_the_account_is_well_again(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.line.fail(Fault(do="answer", path="/v2/bot/*", status=401, times=1_000_000))
    held = await shop.until_state(await shop.reply(thread["id"], "Wait for me"), "held")
    assert held["deliveries"][0]["reason"]["whose"] == "account"
    account = await _account(shop)
    assert account["state"] == "sign_in_needed"
    assert account["reason"]
    shop.line._faults.clear()
    shop.later(600)

    async def well() -> bool:
        return bool((await _account(shop))["state"] == "connected")

    assert await until(well, turn=shop.pauses(60))
    await shop.until_state(held, "sent", turn=shop.pauses(10))
    assert [said.message["text"] for said in mei.sees] == ["Hello", "Wait for me"]


async def test_who_cannot_be_reached_is_told_as_the_customers_reason(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    shop.later(60)
    del shop.line.world.chats[mei.id]
    failed = await shop.until_state(await shop.reply(thread["id"], "Are you there?"), "failed")
    assert failed["deliveries"][0]["reason"]["whose"] == "recipient"
    assert failed["deliveries"][0]["reason"]["platform_text"] == "Failed to send messages"


async def test_one_customer_whose_reply_fails_does_not_hold_up_another(shop: Shop) -> None:
    mei, bo = shop.line.customer("Mei"), shop.line.customer("Bo Zhang")
    await mei.text("Hello")
    await bo.text("Hello")
    to_mei, to_bo = await shop.thread_of(mei), await shop.thread_of(bo)
    shop.later(60)
    del shop.line.world.chats[mei.id]
    failed = await shop.reply(to_mei["id"], "For Mei")
    sent = await shop.reply(to_bo["id"], "For Bo")
    await shop.until_state(sent, "sent")
    await shop.until_state(failed, "failed")
    after = await shop.until_state(await shop.reply(to_mei["id"], "And this"), "failed")
    assert after["position"] > failed["position"]


async def _until_all_sent(shop: Shop, thread: Json) -> None:
    async def look() -> bool:
        ours = [one for one in await shop.messages(thread["id"]) if one["direction"] == "out"]
        return all(one["delivery_state"] == "sent" for one in ours)

    assert await until(look, turn=shop.pauses(400))


async def _account(shop: Shop) -> Json:
    (account,) = (await shop.ada.get("/accounts"))["items"]
    return dict(account)
