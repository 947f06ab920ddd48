"""Checks of reply windows and budgets, at both edges and for each kind of author, by the platform's own clock."""

from __future__ import annotations

from functools import partial

from trunkline.contract import Act, Afterwards, Window
from trunkline.errors import WindowClosed
from trunkline.model import Author, AuthorKind, ContentKind, Text
from trunkline.testing.conformance.checks import Check, Subject, Topic, need
from trunkline.testing.conformance.samples import template_of
from trunkline.testing.conformance.stage import Stage

__all__ = ["WINDOWS"]

_AUTHORS = (AuthorKind.AGENT, AuthorKind.BOT, AuthorKind.SYSTEM)
_YEAR_S = 365 * 86_400


def _by(kind: AuthorKind) -> Author:
    return Author(kind=kind, id=f"{kind}-1", name="Bo")


def _windows(stage: Stage) -> list[Window]:
    """Return the windows that open when the customer writes."""
    return [one for one in stage.capabilities.windows if Act.MESSAGE in one.opened_by]


async def _at_the_end(stage: Stage, kind: AuthorKind, *, over_s: int) -> str:
    """Let a customer write, and move the clock to the end of what this kind of author may."""
    customer = stage.add_customer()
    ends = (await stage.talk(customer)).ends_ms(kind)
    if ends == 0:
        raise stage.not_here(f"window for the author {kind}")
    if ends is None:
        raise stage.not_here("end of the window")
    stage.clock.move((ends - stage.clock.now_ms()) / 1000 + over_s)
    return customer


async def inside(stage: Stage, *, kind: AuthorKind) -> None:
    customer, words = await _at_the_end(stage, kind, over_s=-1), stage.word()
    message = await stage.message(customer, Text(text=words), author=_by(kind))
    need(message.window is not None, f"a second before the end the core does not let the {kind} write")
    ended = await stage.outcome(message)
    need(not isinstance(ended, Exception), f"a second before the end the {kind} is refused: {ended!r}")
    need(stage.times_seen(customer, words) == 1, f"a second before the end the words of the {kind} are not seen")


async def outside(stage: Stage, *, kind: AuthorKind) -> None:
    customer, words = await _at_the_end(stage, kind, over_s=1), stage.word()
    talk = await stage.talk(customer)
    verdict = talk.judge(kind, stage.clock.now_ms())
    message = await stage.message(customer, Text(text=words), author=_by(kind), window=None)
    ended = await stage.outcome(message)
    if verdict.allowed and verdict.afterwards is Afterwards.COSTS:
        need(
            not isinstance(ended, Exception), f"after the end writing costs, it is declared, and is refused: {ended!r}"
        )
        return
    need(not verdict.allowed, f"a second after the end the core still lets the {kind} write")
    await stage.told_closed(ended, customer, f"after the end the {kind}")
    need(stage.times_seen(customer, words) == 0, f"after the end the words of the {kind} are seen all the same")


async def for_ever(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.talk(customer)
    stage.clock.move(_YEAR_S)
    words = stage.word()
    ended = await stage.outcome(await stage.message(customer, Text(text=words)))
    need(not isinstance(ended, WindowClosed), "the platform has a window, and none is declared")
    need(stage.times_seen(customer, words) == 1, f"a year later a text is not sent: {ended!r}")


def _budget(stage: Stage) -> int:
    """Return how many messages an agent may send after one text; NotHere where that is not limited."""
    mine = [one for one in _windows(stage) if AuthorKind.AGENT in one.authors]
    budgets = [one.budget for one in mine]
    if not budgets or None in budgets:
        raise stage.not_here("budget")
    # What other acts opened for a moment is over by then.
    shortest = min(one.lasts_s or _YEAR_S for one in mine)
    others = [one.lasts_s or 0 for one in stage.capabilities.windows if one not in mine]
    stage.clock.move(max((one for one in others if one < shortest), default=0) + 1)
    return sum(one for one in budgets if one is not None)


async def _written(stage: Stage) -> str:
    customer = stage.add_customer()
    await stage.talk(customer)
    return customer


async def budget_whole(stage: Stage) -> None:
    customer, budget = await _written(stage), _budget(stage)
    for number in range(1, budget + 1):
        ended = await stage.outcome(await stage.message(customer))
        need(not isinstance(ended, Exception), f"message {number} of {budget} is refused: {ended!r}")
    need(len(stage.seen(customer)) == budget, f"of {budget} messages the customer sees {len(stage.seen(customer))}")


async def budget_over(stage: Stage) -> None:
    customer, budget = await _written(stage), _budget(stage)
    for _ in range(budget):
        await stage.attempt(await stage.message(customer))
    verdict = (await stage.talk(customer)).judge(AuthorKind.AGENT, stage.clock.now_ms())
    need(verdict.code == "budget_spent", f"after {budget} messages the core says {verdict.code}")
    ended = await stage.outcome(await stage.message(customer))
    need(isinstance(ended, WindowClosed), f"message {budget + 1} gets {ended!r} and no WindowClosed")
    code = ended.code if isinstance(ended, WindowClosed) else ""
    need(code == "budget_spent", f"message {budget + 1} is refused with {code!r}, which closes the whole window")


def _has_end(subject: Subject) -> bool:
    return bool(subject.capabilities.windows) and not subject.is_hosted


def _has_none(subject: Subject) -> bool:
    return not subject.capabilities.windows and not subject.is_hosted


async def reopened(stage: Stage) -> None:
    customer = await _at_the_end(stage, AuthorKind.AGENT, over_s=3600)
    await stage.write(customer)
    words = stage.word()
    ended = await stage.outcome(await stage.message(customer, Text(text=words)))
    need(stage.times_seen(customer, words) == 1, f"the customer wrote again, and the answer is not sent: {ended!r}")


async def template_after(stage: Stage) -> None:
    if not any(one.afterwards is Afterwards.TEMPLATE for one in stage.capabilities.windows):
        raise stage.not_here("templates after a window")
    customer = await _at_the_end(stage, AuthorKind.AGENT, over_s=3600)
    need(stage.capabilities.rule(ContentKind.TEMPLATE).level, "templates are not sent")
    usable = [info for info in await stage.connector.templates() if info.usable]
    need(usable, "the platform lists no template that may be sent")
    before = len(stage.seen(customer))
    ended = await stage.outcome(await stage.message(customer, template_of(usable[0]), window=None))
    need(len(stage.seen(customer)) == before + 1, f"after the window a template is not sent: {ended!r}")


async def before_any(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.talk(customer)
    stage.clock.move(_YEAR_S)
    ended = await stage.outcome(await stage.message(customer, window=None))
    costs = any(one.afterwards is Afterwards.COSTS for one in stage.capabilities.windows)
    endless = any(one.lasts_s is None for one in _windows(stage))
    if not costs and not endless:
        await stage.told_closed(ended, customer, "a year after the last word an agent")


_EDGES = tuple(
    check
    for kind in _AUTHORS
    for check in (
        Check(f"windows.{kind}_inside", partial(inside, kind=kind),
              f"A second before the end an author of the kind {kind} may still write.",
              "An hour given away is an answer that nobody got.", _has_end),
        Check(f"windows.{kind}_outside", partial(outside, kind=kind),
              f"A second after the end an author of the kind {kind} is refused as WindowClosed.",
              "The thread shows that it is over, and what remains; nothing is tried again.", _has_end),
    )
)  # fmt: skip

WINDOWS = Topic(
    "Windows and budgets",
    (
        *_EDGES,
        Check("windows.none", for_ever, "Where no window is declared, a year later a text is still sent.",
              "An undeclared window loses messages without a countdown.", _has_none),
        Check("windows.over", before_any, "A year after the customer's last word a text is refused as WindowClosed.",
              "By the platform's own word, whatever we believed.", _has_end),
        Check("windows.reopened", reopened, "When the customer writes again the window is open again.",
              "What was over is not over for good.", _has_end),
        Check("windows.budget_whole", budget_whole, "As many messages as the budget has are sent.",
              "One less is an answer that nobody got.", _has_end),
        Check("windows.budget_over", budget_over,
              "One message over the budget is refused as WindowClosed, budget_spent.",
              "The core sets its counter by the platform's word.", _has_end),
        Check("windows.template_after", template_after,
              "After the window a template is still sent, where that is declared.",
              "It is the only way back to a customer.", _has_end),
    ),
)  # fmt: skip
