"""Asking for a rating, once, and taking it, once and in time."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event
from trunkline.plugins import Registry
from trunkline.service.drafts import contents_of
from trunkline.service.rendering import ReplyRefused, plan_for

from tests.people import Answer, Customer, Shop
from trunkline_waiting_room import Rules
from trunkline_waiting_room.ratings import Ratings

HOUR = 3600 * 1000


async def served(shop: Shop) -> Customer:
    """Return somebody whose talk with an agent is over."""
    ana = await shop.customer()
    await ana.ask()
    thread = await ana.thread()
    await shop.take(thread)
    await shop.close(thread)
    return ana


async def invitation(ana: Customer) -> dict[str, Any]:
    (rating,) = [one for one in await ana.changes("rating.changed") if one["state"] == "invited"]
    return rating


async def rate(ana: Customer, rating_id: str, score: Any = 5, **more: Any) -> Answer:
    answer = await ana.call("POST", f"/ratings/{rating_id}", {"score": score, **more})
    await ana.shop.settle()
    return answer


async def thanks(ana: Customer) -> int:
    return [message.get("text") for message in await ana.messages()].count(Rules().thanks)


async def test_a_talk_that_is_over_may_be_rated_for_twelve_hours(shop: Shop) -> None:
    ana = await served(shop)
    rating = await invitation(ana)
    assert (rating["scale"], len(rating["labels"]), rating["score"]) == (5, 5, None)
    assert rating["expires_at"] == "2026-11-22T00:00:00.000Z"
    (card,) = await ana.messages()
    assert (card["kind"], card["title"], card["author"]["kind"]) == ("card", "How was our help?", "bot")
    assert [action["label"] for action in card["actions"]][::4] == ["5: very good", "1: very bad"]


async def test_who_was_never_served_is_not_asked(shop: Shop) -> None:
    ana = await shop.customer()
    await ana.ask()
    await ana.call("DELETE", "/threads/live/queue")
    await shop.settle()
    assert (await ana.changes("rating.changed"), await ana.messages()) == ([], [])


async def test_a_rating_is_given_once_and_thanked_for_once(shop: Shop) -> None:
    ana = await served(shop)
    rating = await invitation(ana)
    given = await rate(ana, rating["id"], 4, comment="Quick!", tags=["friendly"])
    assert given.status == 200
    expected = {**rating, "state": "rated", "score": 4, "comment": "Quick!", "tags": ["friendly"], "rev": 2}
    assert given.json == expected
    assert (await ana.changes("rating.changed"))[-1] == expected
    again = await rate(ana, rating["id"], 1)
    assert (again.status, again.code) == (409, "already_rated")
    assert await thanks(ana) == 1


async def test_after_its_time_a_rating_is_refused(shop: Shop) -> None:
    ana, ben = await served(shop), await served(shop)
    shop.clock.now += 12 * HOUR - 1
    mine = (await invitation(ana))["id"]
    assert (await rate(ana, mine)).status == 200
    shop.clock.now += 1
    late = await rate(ben, (await invitation(ben))["id"])
    assert (late.status, late.code) == (409, "rating_expired")
    assert (await rate(ana, mine)).code == "already_rated"
    assert (await thanks(ana), await thanks(ben)) == (1, 0)


async def test_there_are_five_scores(shop: Shop) -> None:
    ana = await served(shop)
    mine = (await invitation(ana))["id"]
    for score in (0, 6, -1, 10**30):
        refused = await rate(ana, mine, score)
        assert (refused.status, refused.code) == (422, "invalid_score"), score
    assert await thanks(ana) == 0


async def test_a_button_rates_as_well_and_whatever_comes_after_it_changes_nothing(shop: Shop) -> None:
    ana = await served(shop)
    (card,) = await ana.messages()
    assert (await ana.press(card, card["actions"][1])).status == 201
    assert (await ana.changes("rating.changed"))[-1]["score"] == 4
    assert (await ana.press(card, card["actions"][0])).code == "card_answered"
    assert (await rate(ana, (await invitation(ana))["id"])).code == "already_rated"
    await ana.say("1")
    assert (await ana.changes("rating.changed"))[-1]["score"] == 4
    assert await thanks(ana) == 1


async def test_where_there_are_no_buttons_a_figure_rates(shop: Shop) -> None:
    ana = await served(shop)
    for words in ("9", "3 of them were broken", "3"):
        await ana.say(words)
    assert [one["score"] for one in await ana.changes("rating.changed")] == [None, 3]


async def test_too_late_a_button_is_a_message_and_no_more(shop: Shop) -> None:
    ana = await served(shop)
    (card,) = await ana.messages()
    shop.clock.now += 13 * HOUR
    assert (await ana.press(card, card["actions"][0])).status == 201
    assert [one["state"] for one in await ana.changes("rating.changed")] == ["invited"]


async def test_of_somebody_elses_rating_nobody_learns_that_it_exists(shop: Shop) -> None:
    """The same answer, and the same questions to the database: neither words nor time tell."""
    ana, eve = await served(shop), await served(shop)
    theirs, nobodys = (await invitation(ana))["id"], "rt_0199d0a0-0000-7000-8000-000000000001"
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    found = []
    for rating_id in (theirs, nobodys):
        asked.clear()
        answer = await rate(eve, rating_id)
        answer.json.pop("request_id")
        found.append((answer.status, answer.json, [one for one in asked if "waiting_rating" in one]))
    event.remove(Engine, "before_cursor_execute", note)
    assert found[0] == found[1]
    assert (found[0][0], len(found[0][2])) == (404, 1)
    assert (await rate(ana, theirs)).status == 200


def test_every_channel_can_carry_one_of_the_invitations(installed: Registry) -> None:
    house: Any = None
    for code, (_, channel) in installed.channels.items():
        ways = []
        for draft in Ratings(house, Rules()).invitations("0199d0a0-0000-7000-8000-000000000001"):
            (content,) = contents_of(draft, lambda _: pytest.fail("there are no files"))
            try:
                plan_for(content, draft.quick_replies, channel.capabilities)
            except ReplyRefused:
                continue
            ways.append(draft)
        assert ways, code
