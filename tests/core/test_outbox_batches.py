"""Messages that wait together share a request where the platform takes several at once, and stay together in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.outbox_yard import AGENT, Platform, Yard, capabilities, reason_of
from trunkline import errors
from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Act,
    Idempotency,
    OutboundMessage,
    QuickReplyLimit,
    TextLimit,
    Window,
)
from trunkline.model import Author, AuthorKind, Cost, QuickReply, Text
from trunkline.service.outbox.claims import AccountPlan, claim
from trunkline.service.outbox.leases import release
from trunkline.service.replies import Draft
from trunkline.store import schema

KEY = Idempotency.KEY
FIVE = capabilities(KEY, items_per_request=5, credentials=True, cost=Cost.QUOTA)


class Carrier(Platform):
    """Says yes with an id for each part, named after it."""

    async def deliver(self, message: OutboundMessage) -> Accepted:
        if self.by_text.get(words(message)[0]) or self.script:
            return await super().deliver(message)
        self.calls.append(message)
        parts = tuple(AcceptedPart(external_id=f"p-{text}") for text in words(message))
        return Accepted(parts=parts, route="push", cost=Cost.QUOTA, credential_used=message.credential is not None)


def words(message: OutboundMessage) -> list[str]:
    return [part.text for part in message.parts if isinstance(part, Text)]


def sent(shop: Platform) -> list[list[str]]:
    """Return the texts of every request, retries included."""
    return [words(call) for call in shop.calls]


async def open_shop(yard: Yard, shop: Platform, can: Any = FIVE) -> str:
    await yard.account(shop, can)
    return await yard.thread()


async def test_what_waits_together_goes_in_one_request_and_costs_once(yard: Yard) -> None:
    shop = Carrier()
    thread = await open_shop(yard, shop)
    await yard.credential(thread, "token")
    await yard.post(thread, *"abcdefg")
    await yard.settle()
    assert sent(shop) == [list("abcde"), ["f", "g"]]
    assert [call.credential is not None for call in shop.calls] == [True, False]
    rows = await yard.rows()
    assert [row.cost for row in rows] == ["quota", *["free"] * 4, "quota", "free"]
    assert {row.state for row in rows} == {"sent"}


async def test_each_message_gets_its_own_id_and_its_own_attempt(yard: Yard) -> None:
    thread = await open_shop(yard, Carrier())
    await yard.post(thread, "a", "b", "c")
    await yard.settle()
    ids = {row.external_id: row.delivery_id for row in await yard.rows(schema.delivery_id_at_platform)}
    assert ids == {f"p-{text}": row.id for text, row in zip("abc", await yard.rows(), strict=True)}
    assert {row.external_id for row in await yard.rows(schema.message)} == {"p-a", "p-b", "p-c"}
    assert len(await yard.rows(schema.attempt)) == 3


async def test_parts_of_a_long_message_and_a_short_one_share_what_has_room(yard: Yard) -> None:
    shop = Carrier()
    can = capabilities(KEY, items_per_request=3, text=TextLimit(max=4))
    thread = await open_shop(yard, shop, can)
    await yard.post(thread, "aaaabbbb", "c", "d")
    await yard.settle()
    assert sent(shop) == [["aaaa", "bbbb", "c"], ["d"]]


async def test_suggested_answers_end_a_request_and_another_author_begins_one(yard: Yard) -> None:
    shop = Carrier()
    thread = await open_shop(
        yard, shop, capabilities(KEY, items_per_request=5, quick_replies=QuickReplyLimit(max=3, title_max=9))
    )
    await yard.post(thread, "a")
    await yard.post(thread, draft=Draft(text="b", quick_replies=(QuickReply(title="Yes"),)))
    await yard.post(thread, "c")
    await yard.post(thread, "d", author=Author(kind=AuthorKind.BOT, id="bot"))
    await yard.settle()
    assert sent(shop) == [["a", "b"], ["c"], ["d"]]
    assert [len(call.quick_replies) for call in shop.calls] == [1, 0, 0]


async def test_a_message_that_quotes_begins_a_request(yard: Yard) -> None:
    shop = Carrier()
    thread = await open_shop(yard, shop)
    quoted = await yard.post(thread, "a")
    await yard.settle()
    await yard.post(thread, "b")
    await yard.post(thread, draft=Draft(text="c", reply_to=quoted))
    await yard.settle()
    assert sent(shop) == [["a"], ["b"], ["c"]]
    assert [call.quote.external_id if call.quote else None for call in shop.calls] == [None, None, "p-a"]


@pytest.mark.parametrize("trouble", [errors.Uncertain(), errors.TryLater()])
async def test_a_request_is_repeated_as_it_was_whatever_waits_by_then(yard: Yard, trouble: Exception) -> None:
    shop = Carrier(trouble)
    thread = await open_shop(yard, shop)
    await yard.credential(thread, "token", lasts_s=3600)
    await yard.post(thread, "a", "b")
    await yard.settle()
    assert len(set(await yard.states())) == 1
    await yard.post(thread, "c")
    yard.clock.advance(seconds=5)
    await yard.settle()
    assert sent(shop) == [["a", "b"], ["a", "b"], ["c"]]
    first, again, other = shop.calls
    assert first.key == again.key != other.key
    assert (first.credential, other.credential) == (again.credential, None)
    assert await yard.states() == ["sent"] * 3
    assert not any(row.maybe_duplicate for row in await yard.rows())


async def test_what_a_dead_process_had_under_way_is_repeated_as_it_was(yard: Yard) -> None:
    shop = Carrier()
    thread = await open_shop(yard, shop)
    await yard.post(thread, "a", "b")
    plans, now = {"shop": AccountPlan(8, batch=5)}, yard.clock.now
    taken = await yard.store.writer.write(lambda tx: claim(tx, plans, "dead", now))
    assert [len(one.all) for one in taken.claims] == [2]
    yard.clock.advance(seconds=61)
    await yard.post(thread, "c")
    await yard.settle()
    assert sent(shop) == [["a", "b"], ["c"]]
    assert (shop.calls[0].after_uncertain, shop.calls[0].key) == (True, taken.claims[0].message.key)


async def test_a_refused_message_takes_no_other_with_it(yard: Yard) -> None:
    refusal = errors.Undeliverable("The second one is no good.")
    shop = Carrier(refusal)
    shop.by_text["b"] = [refusal]
    thread = await open_shop(yard, shop)
    await yard.credential(thread, "token")
    await yard.post(thread, "a", "b", "c")
    await yard.settle()
    assert sent(shop) == [["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert await yard.states() == ["sent", "failed", "sent"]
    assert len({call.key for call in shop.calls}) == 4
    assert [call.credential is not None for call in shop.calls] == [True, True, False, False]


async def test_what_is_wrong_with_the_recipient_is_wrong_for_all(yard: Yard) -> None:
    shop = Carrier(errors.Undeliverable("Nobody there.", whose="recipient"))
    thread = await open_shop(yard, shop)
    await yard.post(thread, "a", "b")
    await yard.settle()
    assert sent(shop) == [["a", "b"]]
    assert await yard.states() == ["failed", "failed"]


async def test_one_request_that_fails_is_one_fault(yard: Yard) -> None:
    thread = await open_shop(yard, Carrier(errors.TryLater()))
    await yard.post(thread, *"abcde")
    await yard.settle()
    (brake,) = await yard.rows(schema.breaker)
    assert (brake.state, brake.failures) == ("closed", 1)


async def test_one_of_several_that_is_sent_again_by_hand_is_a_request_of_its_own(yard: Yard) -> None:
    shop = Carrier(errors.Undeliverable("Nobody there.", whose="recipient"))
    thread = await open_shop(yard, shop)
    last = await yard.post(thread, "a", "b")
    await yard.settle()
    await yard.retry(last)
    await yard.settle()
    assert sent(shop) == [["a", "b"], ["b"]]
    assert shop.calls[0].key != shop.calls[1].key
    assert await yard.states() == ["failed", "sent"]


async def test_no_request_takes_more_than_the_budget_has(yard: Yard) -> None:
    windows = (Window(name="reply", opened_by=frozenset({Act.MESSAGE}), lasts_s=3600, budget=2),)
    shop = Carrier()
    thread = await open_shop(yard, shop, capabilities(KEY, items_per_request=5, windows=windows))
    await yard.act(thread, windows)
    await yard.post(thread, "a", "b", "c")
    await yard.settle()
    assert sent(shop) == [["a", "b"]]
    assert [reason_of(row).get("code") for row in await yard.rows()] == [None, None, "budget_spent"]


async def test_what_is_too_old_is_left_out_of_a_repeated_request(yard: Yard) -> None:
    shop = Carrier(errors.TryLater(after_s=2 * 3600))
    thread = await open_shop(yard, shop)
    await yard.post(thread, "a")
    yard.clock.advance(hours=23)
    await yard.post(thread, "b")
    await yard.settle()
    yard.clock.advance(hours=2)
    await yard.settle()
    assert sent(shop) == [["a", "b"], ["b"]]
    assert await yard.states() == ["expired", "sent"]
    assert shop.calls[0].key == shop.calls[1].key


async def test_where_the_platform_echoes_our_field_each_delivery_is_a_request(yard: Yard) -> None:
    shop = Carrier()
    thread = await open_shop(yard, shop, capabilities(Idempotency.CORRELATION, items_per_request=5))
    await yard.post(thread, "a", "b", author=AGENT)
    await yard.settle()
    assert sent(shop) == [["a"], ["b"]]


async def test_what_was_taken_together_is_given_back_together(yard: Yard) -> None:
    shop = Carrier()
    thread = await open_shop(yard, shop)
    await yard.credential(thread, "token")
    await yard.post(thread, "a", "b")
    plans, now = {"shop": AccountPlan(8, credentials=True, batch=5)}, yard.clock.now
    taken = await yard.store.writer.write(lambda tx: claim(tx, plans, "stopping", now))
    await yard.store.writer.write(lambda tx: release(tx, taken.claims, now))
    assert [(row.state, row.attempts) for row in await yard.rows()] == [("queued", 0)] * 2
    await yard.settle()
    assert sent(shop) == [["a", "b"]]
    assert shop.calls[0].credential is not None
