"""Windows and budgets: edges, acts that do not add up, authors, and what remains afterwards."""

from __future__ import annotations

import json

import pytest

from tests.core.conftest import NOON
from tests.core.outbox_yard import Platform, Yard, capabilities, reason_of
from trunkline import errors
from trunkline.contract import Act, Afterwards, TextLimit, Window
from trunkline.model import Author, AuthorKind
from trunkline.service.windows import Open, judge, window_snapshot
from trunkline.store import schema

AGENT, BOT = AuthorKind.AGENT, AuthorKind.BOT
MINUTE = 60_000
DAY = Window(name="day", opened_by=frozenset({Act.MESSAGE}), lasts_s=86_400)
FIVE = Window(name="five", opened_by=frozenset({Act.MESSAGE, Act.CLICK}), lasts_s=3600, budget=5)
ONE = Window(name="one", opened_by=frozenset({Act.FOLLOW}), lasts_s=60, budget=1)


def test_a_channel_without_windows_always_lets_write() -> None:
    assert judge((), {}, AGENT, NOON).allowed
    assert window_snapshot((), {}, NOON) is None


@pytest.mark.parametrize(("now", "allowed"), [(NOON - 1, True), (NOON, False), (NOON + 1, False)])
def test_a_window_is_open_until_its_end_and_not_at_it(now: int, allowed: bool) -> None:
    verdict = judge((DAY,), {"day": (NOON, None)}, AGENT, now)
    assert (verdict.allowed, verdict.code) == (allowed, None if allowed else "window_closed")


def test_a_window_that_was_never_opened_is_closed() -> None:
    assert judge((DAY,), {}, AGENT, NOON).code == "window_closed"


def test_a_window_without_end_stays_open() -> None:
    verdict = judge((DAY,), {"day": (None, None)}, AGENT, NOON)
    assert (verdict.allowed, verdict.expires_at) == (True, None)


@pytest.mark.parametrize(("left", "code"), [(1, None), (0, "budget_spent"), (-1, "budget_spent")])
def test_a_budget_is_spent_at_nought(left: int, code: str | None) -> None:
    assert judge((FIVE,), {"five": (NOON + 1, left)}, AGENT, NOON).code == code


def test_the_first_open_window_with_budget_counts() -> None:
    known: dict[str, Open] = {"one": (NOON + 1, 0), "five": (NOON + 1, 3)}
    verdict = judge((ONE, FIVE), known, AGENT, NOON)
    assert (verdict.window, verdict.remaining, verdict.expires_at) == ("five", 3, NOON + 1)


def test_a_window_for_people_is_none_for_bots() -> None:
    human = Window(name="human", opened_by=frozenset({Act.MESSAGE}), authors=frozenset({AGENT}))
    known: dict[str, Open] = {"human": (None, None)}
    assert judge((human,), known, AGENT, NOON).allowed
    assert judge((human,), known, BOT, NOON).code == "author_not_allowed"


@pytest.mark.parametrize("afterwards", list(Afterwards))
def test_what_remains_afterwards_is_told_and_only_a_price_lets_write(afterwards: Afterwards) -> None:
    window = Window(name="w", opened_by=frozenset({Act.MESSAGE}), lasts_s=60, afterwards=afterwards)
    verdict = judge((window,), {"w": (NOON - 1, None)}, AGENT, NOON)
    assert (verdict.allowed, verdict.afterwards) == (afterwards is Afterwards.COSTS, afterwards)
    assert verdict.window is None


def test_what_is_left_is_shown() -> None:
    shown = window_snapshot((FIVE,), {"five": (NOON, 2)}, NOON - 1)
    assert shown == {
        "open": True,
        "expires_at": "2026-11-21T12:00:00.000Z",
        "remaining": 2,
        "afterwards": "nothing",
        "reason": None,
    }


# ---------------------------------------------------------------- in the store


async def known(yard: Yard) -> dict[str, tuple[int | None, int | None]]:
    """Return window → (milliseconds from noon to its end, what is left)."""
    rows = await yard.rows(schema.window)
    return {row.name: (None if row.expires_at is None else row.expires_at - NOON, row.remaining) for row in rows}


async def test_an_act_opens_what_names_it(yard: Yard) -> None:
    await yard.account(Platform())
    thread = await yard.thread()
    await yard.act(thread, (DAY, FIVE, ONE), Act.CLICK)
    assert await known(yard) == {"five": (3_600_000, 5)}
    await yard.act(thread, (DAY, FIVE, ONE), Act.FOLLOW)
    assert await known(yard) == {"five": (3_600_000, 5), "one": (MINUTE, 1)}


async def test_acts_do_not_add_up(yard: Yard) -> None:
    await yard.account(Platform(), capabilities(windows=(FIVE,)))
    thread = await yard.thread()
    await yard.act(thread, (FIVE,))
    await yard.act(thread, (FIVE,))
    await yard.post(thread, "one", "two")
    await yard.settle()
    assert await known(yard) == {"five": (3_600_000, 3)}
    yard.clock.advance(seconds=60)
    await yard.act(thread, (FIVE,))
    assert await known(yard) == {"five": (3_600_000 + MINUTE, 5)}


async def test_the_later_end_counts_when_acts_arrive_late(yard: Yard) -> None:
    await yard.account(Platform())
    thread = await yard.thread()
    await yard.act(thread, (DAY,))
    yard.clock.advance(seconds=-600)
    await yard.act(thread, (DAY,))
    assert await known(yard) == {"day": (86_400_000, None)}


async def test_a_window_that_was_over_opens_anew(yard: Yard) -> None:
    await yard.account(Platform(), capabilities(windows=(ONE,)))
    thread = await yard.thread()
    await yard.act(thread, (ONE,), Act.FOLLOW)
    await yard.post(thread, "Welcome")
    await yard.settle()
    yard.clock.advance(seconds=60)
    await yard.act(thread, (ONE,), Act.FOLLOW)
    assert await known(yard) == {"one": (2 * MINUTE, 1)}


async def test_an_act_closes_what_names_it_until_another_opens_it_anew(yard: Yard) -> None:
    fans = Window(name="fans", opened_by=frozenset({Act.MESSAGE, Act.FOLLOW}), lasts_s=60, budget=5,
                  closed_by=frozenset({Act.UNFOLLOW}))  # fmt: skip
    await yard.account(Platform())
    thread = await yard.thread()
    await yard.act(thread, (fans,), Act.UNFOLLOW)
    assert await known(yard) == {}
    await yard.act(thread, (fans, DAY))
    await yard.act(thread, (fans, DAY), Act.UNFOLLOW)
    assert await known(yard) == {"fans": (0, 0), "day": (86_400_000, None)}
    await yard.act(thread, (fans, DAY), Act.FOLLOW)
    assert await known(yard) == {"fans": (MINUTE, 5), "day": (86_400_000, None)}


async def test_a_reply_after_the_window_is_kept_and_never_sent(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(windows=(DAY,)))
    thread = await yard.thread()
    await yard.act(thread, (DAY,))
    yard.clock.advance(hours=24)
    await yard.post(thread, "Too late")
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, reason_of(row)["code"], shop.calls) == ("suppressed", "window_closed", [])
    assert yard.kinds()[-1] == "delivery_suppressed"


async def test_a_reply_whose_window_closes_while_it_waits_expires(yard: Yard) -> None:
    shop = Platform(errors.RateLimited(after_s=7200))
    await yard.account(shop, capabilities(windows=(FIVE,)))
    thread = await yard.thread()
    await yard.act(thread, (FIVE,))
    await yard.post(thread, "Hello")
    await yard.settle()
    (row,) = await yard.rows()
    assert (row.state, len(shop.calls)) == ("expired", 1)


async def test_the_budget_is_judged_again_before_the_network(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(windows=(ONE,)))
    thread = await yard.thread()
    await yard.act(thread, (ONE,), Act.FOLLOW)
    await yard.post(thread, "one", "two")
    await yard.settle()
    assert shop.texts == ["one"]
    _, second = await yard.rows()
    assert (second.state, reason_of(second)["code"]) == ("expired", "budget_spent")
    assert "used up" in reason_of(second)["text"]


async def test_a_message_that_needs_more_than_is_left_is_not_begun(yard: Yard) -> None:
    shop = Platform()
    await yard.account(shop, capabilities(windows=(ONE,), text=TextLimit(max=4)))
    thread = await yard.thread()
    await yard.act(thread, (ONE,), Act.FOLLOW)
    await yard.post(thread, "aaaa bbbb")
    await yard.settle()
    assert (await yard.states(), shop.calls) == (["suppressed", "suppressed"], [])


async def test_what_failed_costs_no_budget(yard: Yard) -> None:
    await yard.account(Platform(errors.Undeliverable()), capabilities(windows=(FIVE,)))
    thread = await yard.thread()
    await yard.act(thread, (FIVE,))
    await yard.post(thread, "one", "two")
    await yard.settle()
    assert await known(yard) == {"five": (3_600_000, 4)}


async def test_a_bot_may_not_use_the_window_of_people(yard: Yard) -> None:
    human = Window(name="human", opened_by=frozenset({Act.MESSAGE}), authors=frozenset({AGENT}))
    shop = Platform()
    await yard.account(shop, capabilities(windows=(human,)))
    thread = await yard.thread()
    await yard.act(thread, (human,))
    await yard.post(thread, "beep", author=Author(kind=BOT, id="b", name="Bot"))
    await yard.post(thread, "hello")
    await yard.settle()
    assert shop.texts == ["hello"]
    told = next(json.loads(row.payload) for row in yard.log if row.kind == "delivery_suppressed")
    assert told["delivery"]["reason"]["code"] == "author_not_allowed"


async def test_the_platforms_word_corrects_the_count(yard: Yard) -> None:
    platform = Platform(errors.WindowClosed("Used up.", code="budget_spent"))
    await yard.account(platform, capabilities(windows=(FIVE,)))
    thread = await yard.thread()
    await yard.act(thread, (FIVE,))
    await yard.post(thread, "one too many")
    await yard.settle()
    await yard.post(thread, "not tried any more")
    await yard.settle()
    assert platform.texts == ["one too many"]
    assert [row.remaining for row in await yard.rows(schema.window)] == [0]
    assert await yard.states() == ["expired", "suppressed"]
    assert reason_of((await yard.rows())[1])["code"] == "budget_spent"
    await yard.act(thread, (FIVE,))
    await yard.post(thread, "they wrote again")
    await yard.settle()
    assert platform.texts[-1] == "they wrote again"


async def test_the_platforms_word_closes_a_window_and_leaves_the_others(yard: Yard) -> None:
    week = Window(name="week", opened_by=frozenset({Act.MESSAGE}), lasts_s=7 * 86_400)
    platform = Platform(errors.WindowClosed("Over."))
    await yard.account(platform, capabilities(windows=(DAY, week)))
    thread = await yard.thread()
    await yard.act(thread, (DAY, week))
    await yard.post(thread, "first")
    await yard.settle()
    await yard.post(thread, "second")
    await yard.settle()
    assert [call.window for call in platform.calls] == ["day", "week"]
    assert await yard.states() == ["expired", "sent"]
