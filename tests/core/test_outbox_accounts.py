"""What an account as a whole waits for: the breaker, the platform's Retry-After, quota, rates, and fairness."""

from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs

from tests.core.outbox_yard import Platform, Yard, capabilities, reason_of, yes
from trunkline import errors
from trunkline.contract import Accepted, OutboundMessage, Rate
from trunkline.model import Cost
from trunkline.service.outbox import claims
from trunkline.store import schema

FAULT = errors.TryLater("The platform answered 503.", after_s=1)


async def fail_five_times(yard: Yard, shop: Platform) -> list[str]:
    """Open the breaker with five threads, one fault each; returns the threads."""
    shop.script = [FAULT] * 5
    threads = [await yard.thread() for _ in range(5)]
    for number, thread in enumerate(threads):
        await yard.post(thread, f"fault {number}")
    await yard.settle()
    return threads


async def account_states(yard: Yard) -> list[str]:
    """Return what the log told of the account, oldest first."""
    told = [json.loads(row.payload) for row in yard.log if row.kind == "account_changed"]
    return [one["account"]["state"] for one in told]


async def test_four_faults_in_a_row_leave_the_breaker_closed(yard: Yard) -> None:
    shop = Platform(*[FAULT] * 4)
    await yard.account(shop)
    for number in range(4):
        await yard.post(await yard.thread(), f"fault {number}")
    await yard.settle()
    yard.clock.advance(seconds=1)
    await yard.settle()
    assert await yard.states() == ["sent"] * 4
    assert await account_states(yard) == []


async def test_a_yes_between_faults_starts_the_count_anew(yard: Yard) -> None:
    shop = Platform(*[FAULT] * 4, yes("between"), *[FAULT] * 4)
    await yard.account(shop, capabilities(concurrency=1))
    for number in range(9):
        await yard.post(await yard.thread(), f"message {number}")
    await yard.settle()
    assert len(shop.calls) == 9
    assert await account_states(yard) == []


async def test_after_five_faults_nothing_goes_for_half_a_minute(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    await fail_five_times(yard, shop)
    await yard.post(await yard.thread(), "more")
    yard.clock.advance(seconds=29)
    await yard.settle()
    assert len(shop.calls) == 5
    assert await account_states(yard) == ["failing"]
    (brake,) = await yard.rows(schema.breaker)
    assert (brake.state, brake.failures, brake.reason) == ("open", 5, "The platform answered 503.")


async def test_the_log_tells_that_an_account_waits(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    with capture_logs() as lines:
        await fail_five_times(yard, shop)
    told = [(line["failures"], line["code"]) for line in lines if line["event"] == "breaker.opened"]
    assert told == [(5, FAULT.code)]


async def test_an_open_breaker_lets_one_through_every_half_minute(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    await fail_five_times(yard, shop)
    shop.script = [FAULT] * 10
    for _ in range(10):
        yard.clock.advance(seconds=15)
        await yard.settle()
    assert len(shop.calls) == 5 + 5


async def test_a_probe_that_succeeds_closes_the_breaker_and_all_go(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop)
    await fail_five_times(yard, shop)
    yard.clock.advance(seconds=30)
    await yard.settle()
    assert await yard.states() == ["sent"] * 5
    assert await account_states(yard) == ["failing", "connected"]
    (brake,) = await yard.rows(schema.breaker)
    assert (brake.state, brake.failures, brake.blocked_until) == ("closed", 0, None)


async def test_a_broken_account_holds_up_no_other(yard: Yard) -> None:
    broken, good = Platform(), Platform()
    await yard.account(broken)
    await yard.account(good, name="other")
    await fail_five_times(yard, broken)
    await yard.post(await yard.thread("other"), "fine")
    await yard.settle()
    assert good.texts == ["fine"]


async def test_retry_after_of_the_account_holds_all_its_messages(yard: Yard) -> None:
    shop = Platform(errors.RateLimited(after_s=90))
    await yard.account(shop, capabilities(concurrency=1))
    for number in range(3):
        await yard.post(await yard.thread(), f"message {number}")
    await yard.settle()
    yard.clock.advance(seconds=89)
    await yard.settle()
    assert len(shop.calls) == 1
    yard.clock.advance(seconds=1)
    await yard.settle()
    assert await yard.states() == ["sent"] * 3


async def test_a_yes_that_was_under_way_does_not_end_the_platforms_wait(yard: Yard) -> None:
    shop = Platform(FAULT, errors.RateLimited(after_s=90), yes("late"))
    await yard.account(shop)
    for number in range(3):
        await yard.post(await yard.thread(), f"message {number}")
    await yard.settle()
    yard.clock.advance(seconds=60)
    await yard.settle()
    assert len(shop.calls) == 3


async def test_retry_after_of_one_recipient_holds_only_that_thread(yard: Yard) -> None:
    shop = Platform(errors.RateLimited(after_s=90, scope="recipient"))
    await yard.account(shop)
    for number in range(2):
        await yard.post(await yard.thread(), f"message {number}")
    await yard.settle()
    assert sorted(await yard.states()) == ["retrying", "sent"]


async def test_refused_credentials_hold_the_messages_and_ask_for_an_administrator(yard: Yard) -> None:
    shop = Platform(*[errors.SignInNeeded()] * 20)
    await yard.account(shop, capabilities(concurrency=1))
    for number in range(10):
        await yard.post(await yard.thread(), f"message {number}")
    for _ in range(4):
        await yard.settle()
        yard.clock.advance(seconds=30)
    assert len(shop.calls) == 4
    assert "failed" not in await yard.states()
    assert await account_states(yard) == ["sign_in_needed"]
    shop.script = []
    await yard.settle()
    assert await yard.states() == ["sent"] * 10
    assert await account_states(yard) == ["sign_in_needed", "connected"]


# ---------------------------------------------------------------- quota

QUOTA = errors.RateLimited(scope="quota", after_s=3600)
COSTLY = capabilities(credentials=True, cost=Cost.QUOTA)


async def test_without_quota_replies_with_a_credential_still_go(yard: Yard) -> None:
    shop = Platform(QUOTA)
    await yard.account(shop, COSTLY)
    await yard.post(await yard.thread(), "costs")
    await yard.settle()
    answered = await yard.thread()
    await yard.credential(answered, "token")
    await yard.post(answered, "free")
    await yard.post(await yard.thread(), "costs too")
    await yard.settle()
    assert shop.texts == ["costs", "free"]
    states = {json.loads(row.plan)[0]["text"]: (row.state, reason_of(row).get("code")) for row in await yard.rows()}
    assert states == {"costs": ("held", "quota"), "free": ("sent", None), "costs too": ("held", "quota")}


async def test_what_waits_for_quota_takes_a_credential_that_comes(yard: Yard) -> None:
    shop = Platform(QUOTA)
    await yard.account(shop, COSTLY)
    thread = await yard.thread()
    await yard.post(thread, "costs")
    await yard.settle()
    await yard.credential(thread, "token", lasts_s=50)
    yard.clock.advance(seconds=20)
    await yard.settle()
    assert await yard.states() == ["sent"]


async def test_quota_that_comes_back_sends_what_waited(yard: Yard) -> None:
    shop = Platform(QUOTA)
    await yard.account(shop, COSTLY)
    await yard.post(await yard.thread(), "costs")
    await yard.post(await yard.thread(), "costs too")
    await yard.settle()
    yard.clock.advance(hours=1)
    await yard.settle()
    yard.clock.advance(seconds=20)
    await yard.settle()
    assert await yard.states() == ["sent", "sent"]


async def test_many_that_wait_for_quota_do_not_hide_one_that_may_go(yard: Yard) -> None:
    shop = Platform(QUOTA)
    await yard.account(shop, COSTLY)
    for number in range(30):
        await yard.post(await yard.thread(), f"costs {number}")
    free = await yard.thread()
    await yard.credential(free, "token")
    await yard.post(free, "free")
    await yard.settle()
    assert "free" in shop.texts
    assert len(shop.calls) <= 1 + 1 + 8


# ---------------------------------------------------------------- rates and fairness


async def test_no_more_than_the_declared_rate_is_sent(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(rates=(Rate(limit=10), Rate(limit=30, per_s=60)), concurrency=100))
    for number in range(50):
        await yard.post(await yard.thread(), f"message {number}")
    await yard.settle()
    assert len(shop.calls) == 10
    yard.clock.advance(seconds=0.5)
    await yard.settle()
    assert len(shop.calls) == 15
    yard.clock.advance(seconds=10)
    await yard.settle()
    assert len(shop.calls) == 25
    yard.clock.advance(hours=1)
    for _ in range(20):
        await yard.settle()
        yard.clock.advance(seconds=2)
    assert len(shop.calls) == 50


async def test_one_recipient_gets_no_more_than_their_rate_and_holds_up_nobody(yard: Yard) -> None:
    shop = Platform()
    rates = (Rate(limit=2, per_s=60, scope="recipient"), Rate(limit=100))
    await yard.account(shop, capabilities(rates=rates, concurrency=100))
    busy, calm = await yard.thread(), await yard.thread()
    await yard.post(busy, *(f"busy {number}" for number in range(5)))
    await yard.post(calm, "calm")
    await yard.settle()
    assert sorted(shop.texts) == ["busy 0", "busy 1", "calm"]
    assert set(await yard.states()) == {"sent", "queued"}
    yard.clock.advance(seconds=29)
    await yard.settle()
    assert len(shop.calls) == 3
    for _ in range(3):
        yard.clock.advance(seconds=31)
        await yard.settle()
    assert [text for text in shop.texts if text != "calm"] == [f"busy {number}" for number in range(5)]


async def test_an_account_out_of_breath_says_when_to_look_again(yard: Yard) -> None:
    await yard.account(Platform(), capabilities(rates=(Rate(limit=1, per_s=4),)))
    for number in range(2):
        await yard.post(await yard.thread(), f"message {number}")
    await yard.settle()
    assert await yard.outbox.step() == yard.clock.now + 4000


async def test_no_more_than_the_declared_concurrency_is_under_way(yard: Yard) -> None:
    under_way, most = 0, 0

    async def watched(message: OutboundMessage) -> Accepted:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await yard.store.writer.write(lambda tx: None)
        under_way -= 1
        return yes(message.delivery_id)

    shop = Platform(*[watched] * 20)
    await yard.account(shop, capabilities(concurrency=3))
    for number in range(20):
        await yard.post(await yard.thread(), f"message {number}")
    await yard.settle()
    assert most == 3
    assert await yard.states() == ["sent"] * 20


async def test_idle_accounts_leave_room_for_the_last_in_the_alphabet(yard: Yard) -> None:
    last = Platform()
    for number in range(40):
        await yard.account(Platform(), name=f"idle-{number:02}")
    await yard.account(last, name="zebra")
    await yard.post(await yard.thread("zebra"), "Hello")
    await yard.settle()
    assert last.texts == ["Hello"]


async def test_a_page_is_shared_and_goes_on_with_those_that_had_nothing(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    shops = {f"shop-{number}": Platform() for number in range(6)}
    for name, shop in shops.items():
        await yard.account(shop, name=name)
        for number in range(4):
            await yard.post(await yard.thread(name), f"message {number}")
    monkeypatch.setattr(claims, "PAGE", 8)
    await yard.settle()
    assert [len(shop.calls) for shop in shops.values()] == [4] * 6
