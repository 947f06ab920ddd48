"""Checks of sending: lengths, choices, cards, files, order, and that each message arrives once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from fnmatch import fnmatch

import msgspec

from trunkline.contract import Accepted, CardLimit, MediaLimit, MessageReceived, TextLimit, measure
from trunkline.errors import DeliveryError, Undeliverable
from trunkline.model import (
    Address,
    Card,
    Carousel,
    Choice,
    Content,
    ContentKind,
    Cost,
    File,
    Image,
    Level,
    Media,
    QuickReply,
    Text,
    Video,
)
from trunkline.service.rendering import ReplyRefused, plan_for
from trunkline.testing.conformance.checks import Broken, Check, Subject, Topic, need
from trunkline.testing.conformance.kinds import pressed, presses_of
from trunkline.testing.conformance.samples import EMOJI, FAMILY, MARKED, filled, largest_card, media_for
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.conformance.together import several

__all__ = ["SENDING"]

_CARRIED = frozenset({Level.FULL, Level.PARTIAL})
_COSTS = (Cost.FREE, Cost.QUOTA, Cost.PAID)
_replaced = msgspec.structs.replace


def _limit(stage: Stage) -> TextLimit:
    limit = stage.capabilities.rule(ContentKind.TEXT).text
    need(limit is not None, "text has no limit")
    assert limit is not None
    return limit


async def _arrives(stage: Stage, text: str, what: str) -> None:
    customer = stage.add_customer()
    accepted = await stage.say(customer, Text(text=text))
    need(len(accepted) == 1, f"{what} was split into {len(accepted)}")
    shown = [bubble.text for bubble in stage.seen(customer)]
    need(shown == [text], f"{what} is shown as {[(len(one), one[-10:]) for one in shown]}")


async def at_limit(stage: Stage) -> None:
    await _arrives(stage, filled(_limit(stage), "x"), f"a text of {_limit(stage).max} {_limit(stage).unit}")


async def emoji_at_limit(stage: Stage) -> None:
    await _arrives(stage, filled(_limit(stage), EMOJI), f"{_limit(stage).max} {_limit(stage).unit} of emoji")


async def marks_at_limit(stage: Stage) -> None:
    for piece in (FAMILY, MARKED, "字"):
        await _arrives(stage, filled(_limit(stage), piece), f"{_limit(stage).max} {_limit(stage).unit} of {piece}")


async def one_over(stage: Stage) -> None:
    limit, customer = _limit(stage), stage.add_customer()
    for piece in ("x", EMOJI):
        before, text = len(stage.seen(customer)), filled(limit, piece) + piece
        await stage.say(customer, Text(text=text))
        shown = [bubble.text for bubble in stage.seen(customer)[before:]]
        need("".join(shown) == text, f"a text one over the limit arrived as {list(map(len, shown))} characters")


async def limit_is_real(stage: Stage) -> None:
    limit, customer = _limit(stage), stage.add_customer()
    text = filled(limit, "x") + "x"
    ended = await stage.outcome(await stage.message(customer, Text(text=text)))
    whole = any(bubble.text == text for bubble in stage.seen(customer))
    need(not whole, f"the platform takes more than the {limit.max} {limit.unit} that are declared")
    good = isinstance(ended, Accepted | Undeliverable)
    need(good, f"a text over the limit ended as {ended!r}: it would be tried again, and refused again")


def _has_choices(subject: Subject) -> bool:
    return not subject.is_hosted and subject.capabilities.quick_replies is not None


def _choices(stage: Stage, *, more: int = 0, longer: int = 0, data: int = 0) -> list[QuickReply]:
    """Return as many quick replies, as long, as are declared; or a little more."""
    limit = stage.capabilities.quick_replies
    assert limit is not None
    title = TextLimit(max=limit.title_max + longer - 2, unit=limit.title_unit)
    return [
        QuickReply(title=f"{at:02d}{filled(title, 'y')}", data=f"{at:02d}" + "d" * max(0, limit.data_max - 2 + data))
        for at in range(limit.max + more)
    ]


async def choices(stage: Stage) -> None:
    customer, wanted = stage.add_customer(), _choices(stage)
    await stage.say(customer, Text(text=stage.word()), quick_replies=wanted)
    shown = [press.label for bubble in stage.seen(customer) for press in presses_of(bubble)]
    need(
        shown == [one.title for one in wanted],
        f"of {len(wanted)} quick replies the customer sees {len(shown)}: {shown[:2]}",
    )


async def choices_over(stage: Stage) -> None:
    cases = {"one too many": _choices(stage, more=1), "a title too long": _choices(stage, longer=1)[:1]}
    limit = stage.capabilities.quick_replies
    if limit is not None and limit.data_max:
        cases["data too long"] = _choices(stage, data=1)[:1]
    customer = stage.add_customer()
    await stage.talk(customer)
    for what, over in cases.items():
        _refused(stage, Text(text="which?"), f"quick replies with {what}", over)
        if what == "one too many":
            before = len(stage.seen(customer))
            message = await stage.message(customer, Text(text=stage.word()), quick_replies=tuple(over))
            await stage.outcome(message)
            shown = [one.label for bubble in stage.seen(customer)[before:] for one in bubble.quick_replies]
            need(len(shown) <= len(over) - 1, "one quick reply more than declared is shown: the limit is too small")


def _refused(stage: Stage, content: Content, what: str, quick: list[QuickReply] | None = None) -> None:
    try:
        plan_for(content, quick or (), stage.capabilities)
    except ReplyRefused:
        return
    raise Broken(f"{what} would be sent: the core does not refuse it")


async def choice_pressed(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.talk(customer)
    items = await pressed(stage, customer)
    if items is None:
        raise stage.not_here("buttons")
    said = [item.content for item in items if isinstance(item, MessageReceived)]
    answers = [one.data if isinstance(one, Choice) else getattr(one, "text", "") for one in said]
    good = {"answer=1", "take=1", "Yes", "Take it"}
    need(set(answers) & good, f"what the customer pressed arrived as {answers}")


async def no_choices(stage: Stage) -> None:
    customer = stage.add_customer()
    message = await stage.message(customer, Text(text=stage.word()), quick_replies=(QuickReply(title="Yes", data="y"),))
    await stage.outcome(message)
    shown = [press for bubble in stage.seen(customer) for press in bubble.quick_replies]
    need(not shown, "quick replies are shown and not declared: declare their limits")


def _lacks_choices(subject: Subject) -> bool:
    return not subject.is_hosted and subject.capabilities.quick_replies is None


def _card_limits(stage: Stage) -> dict[ContentKind, CardLimit]:
    rules = {kind: stage.capabilities.rule(kind) for kind in (ContentKind.CARD, ContentKind.CAROUSEL)}
    return {kind: rule.card for kind, rule in rules.items() if rule.level in _CARRIED and rule.card is not None}


def _has_cards(subject: Subject) -> bool:
    rules = [subject.capabilities.rule(kind) for kind in (ContentKind.CARD, ContentKind.CAROUSEL)]
    return not subject.is_hosted and any(rule.level in _CARRIED and rule.card for rule in rules)


async def cards(stage: Stage) -> None:
    for kind, limit in _card_limits(stage).items():
        customer = stage.add_customer()
        many = [largest_card(limit, "Bell")]
        if kind is ContentKind.CAROUSEL:
            small = many[0].buttons[:1]
            many = [Card(title=f"Bell {at}", text="It rings", buttons=small) for at in range(max(1, limit.cards_max))]
        await stage.say(customer, Carousel(cards=tuple(many)) if kind is ContentKind.CAROUSEL else many[0])
        shown = str(stage.seen(customer))
        lost = [card.title for card in many if card.title not in shown]
        need(not lost, f"of {len(many)} cards {len(lost)} are not shown, or not whole: {lost[:1]}")
        buttons = [one.title for card in many for one in card.buttons if one.title not in shown]
        need(not buttons, f"{len(buttons)} buttons of the largest card are not shown, or not whole")


async def cards_over(stage: Stage) -> None:
    for kind, limit in _card_limits(stage).items():
        card: Card = largest_card(limit, "Bell"[: limit.title_max])
        worse: list[Card] = [_replaced(card, title=card.title + "y")]
        worse += [_replaced(card, text=f"{card.text}y")] if limit.text_max else []
        worse += [_replaced(card, buttons=(*card.buttons, *card.buttons[:1]))] if limit.buttons_max else []
        for one in worse:
            _refused(
                stage, one if kind is ContentKind.CARD else Carousel(cards=(one,)), f"a {kind} larger than declared"
            )
        if kind is ContentKind.CAROUSEL:
            _refused(stage, Carousel(cards=(Card(title="x"),) * (limit.cards_max + 1)), "a carousel of too many cards")
        # Past the core: an error of our tree, or what the platform makes of it.
        for one in worse:
            await stage.outcome(await stage.message(stage.add_customer(), one))


_FILES: dict[ContentKind, Callable[[Media], Content]] = {
    ContentKind.IMAGE: lambda media: Image(media=media),
    ContentKind.VIDEO: lambda media: Video(media=media),
    ContentKind.FILE: lambda media: File(media=media),
}


def too_large(subject: Subject) -> None:
    for kind, make in _FILES.items():
        rule = subject.capabilities.rule(kind)
        if rule.level not in _CARRIED:
            continue
        rows = rule.media
        usual = rows[0].mimes[0].replace("*", "png") if rows else "image/png"
        _refuses(subject, make(_sized(usual, 1 << 42)), f"a {kind} of four terabytes")
        for row in rows:
            # A type that an earlier row has as well is held to that row.
            mime = next((one for one in row.mimes if _first(rows, one) is row and "*" not in one), None)
            if mime is not None:
                plan_for(make(_sized(mime, row.max_bytes)), (), subject.capabilities)
                _refuses(subject, make(_sized(mime, row.max_bytes + 1)), f"a {kind} over the {row.max_bytes} bytes")


def _first(rows: Sequence[MediaLimit], mime: str) -> MediaLimit | None:
    return next((row for row in rows if any(fnmatch(mime, pattern) for pattern in row.mimes)), None)


def _sized(mime: str, size: int) -> Media:
    return Media(mime=mime, size=size, url="https://files.example/1", name="a")


def _refuses(subject: Subject, content: Content, what: str) -> None:
    try:
        plan_for(content, (), subject.capabilities)
    except ReplyRefused:
        return
    raise Broken(f"{what} would be sent")


def wrong_type(subject: Subject) -> None:
    rule = subject.capabilities.rule(ContentKind.IMAGE)
    if rule.level not in _CARRIED:
        return
    odd = Image(media=Media(mime="image/x-nobody-has-it", size=10, url="https://files.example/1"))
    if "image/*" not in str(rule.media) and "*/*" not in str(rule.media):
        _refuses(subject, odd, "a picture of an unknown type")


async def caption(stage: Stage) -> None:
    rule, customer = stage.capabilities.rule(ContentKind.IMAGE), stage.add_customer()
    if rule.level not in _CARRIED:
        raise stage.not_here("pictures")
    words = stage.word("caption")
    picture = Image(media=media_for(ContentKind.IMAGE, stage.capabilities, stage.services.media), caption=words)
    ended = await stage.outcome(await stage.message(customer, picture))
    told = isinstance(ended, DeliveryError) or rule.level is Level.PARTIAL
    need(
        told or words in str(stage.seen(customer)), "a caption was lost in silence: level PARTIAL with a note tells it"
    )


async def order(stage: Stage) -> None:
    customer, words = stage.add_customer(), [stage.word() for _ in range(4)]
    for one in words:
        await stage.say(customer, Text(text=one))
    need(
        [bubble.text for bubble in stage.seen(customer)] == words,
        "texts sent one after another arrived in another order",
    )


async def ids(stage: Stage) -> None:
    people = [stage.add_customer("Ada"), stage.add_customer("Bo")]
    accepted = [one for person in people for _ in range(2) for one in await stage.say(person, Text(text="the same"))]
    found = [part.external_id for one in accepted for part in one.parts]
    need(all(found) and len(set(found)) == len(found), f"accepted messages have the ids {found}")
    need(len(found) in {0, len(accepted)}, "some accepted messages have an id and some have none")


async def cost(stage: Stage) -> None:
    most = _COSTS.index(stage.capabilities.sending.cost)
    customer = stage.add_customer()
    for _ in range(2):
        for accepted in await stage.say(customer, Text(text=stage.word())):
            need(_COSTS.index(accepted.cost) <= most, f"a message costs {accepted.cost}, {_COSTS[most]} is declared")


async def crowd(stage: Stage) -> None:
    people = [stage.add_customer(f"Customer {at}") for at in range(12)]
    messages = [await stage.message(one, Text(text=f"to {one}")) for one in people]
    await asyncio.gather(*(stage.attempt(message) for message in messages))
    for one in people:
        need([bubble.text for bubble in stage.seen(one)] == [f"to {one}"], "of messages sent at once one went astray")


async def nobody(stage: Stage) -> None:
    message = await stage.message(stage.add_customer(), Text(text=stage.word()), credential=None)
    stranger = message.thread_key[:-3] + ("000" if not message.thread_key.endswith("000") else "111")
    lost = _replaced(message, thread_key=stranger, to=Address(external_id=stranger), credential=None)
    ended = await stage.outcome(lost)
    if isinstance(ended, Accepted) and stage.capabilities.receipts.late_failure:
        told = await stage.settled(lambda: bool(stage.failures_after(ended)))
        need(told, "a message to somebody who does not exist was accepted, and no failure follows")
        return
    need(isinstance(ended, DeliveryError), "a message to somebody who does not exist was accepted")


async def unnamed(stage: Stage) -> None:
    customer = stage.add_customer()
    message = await stage.message(customer, Text(text=stage.word()))
    bare = _replaced(message, author=_replaced(message.author, name=None))
    need(not isinstance(await stage.outcome(bare), DeliveryError), "a message by an author without a name is not sent")


def measured(subject: Subject) -> None:
    limit = subject.capabilities.rule(ContentKind.TEXT).text
    if limit is None:
        return
    plan = plan_for(Text(text=filled(limit, FAMILY) + FAMILY * 3), (), subject.capabilities)
    for request in plan.requests:
        for part in request.parts:
            size = measure(getattr(part, "text", ""), limit.unit)
            need(size <= limit.max, f"the core would send a piece of {size} {limit.unit}")


SENDING = Topic(
    "Sending",
    (
        Check("sending.at_limit", at_limit, "A text exactly at the limit is sent in one piece and arrives whole.",
              "One less than the truth splits what need not be split; one more loses it."),
        Check("sending.emoji_at_limit", emoji_at_limit,
              "Emoji up to the limit, in the platform's own unit, arrive whole.",
              "An emoji is one character, two UTF-16 units and four bytes: the wrong unit shows here."),
        Check("sending.marks_at_limit", marks_at_limit, "Families, marks and Chinese up to the limit arrive whole.",
              "What readers take for one character may be eleven units."),
        Check("sending.one_over", one_over, "A text one over the limit is split, and nothing of it is lost.",
              "Agents need not count."),
        Check("sending.limit_is_real", limit_is_real, "The platform itself refuses what is longer than declared.",
              "A limit that is too small makes two messages, and two prices, of one."),
        Check("sending.pieces", measured, "No piece that the core makes is longer than declared.",
              "The unit is the platform's, not ours."),
        Check("sending.quick_replies", choices, "As many quick replies, as long, as are declared are shown whole.",
              "A title that is cut is another answer.", _has_choices),
        Check("sending.quick_replies_over", choices_over, "More or longer quick replies than declared are refused.",
              "The platform would refuse the whole message.", _has_choices),
        Check("sending.no_quick_replies", no_choices, "Where none are declared, no quick reply is shown.",
              "A skill that nobody declared is one that nobody uses.", _lacks_choices),
        Check("sending.pressed", choice_pressed, "What a customer presses comes back as what was offered.",
              "Satisfaction, menus and forms are built on it."),
        Check("sending.cards", cards, "The largest declared cards are shown with all their parts.",
              "A claim of ten buttons must show ten.", _has_cards),
        Check("sending.cards_over", cards_over, "Cards larger than declared are refused before the wire.",
              "A platform refuses the whole message, or cuts it.", _has_cards),
        Check("sending.too_large", too_large, "A file of the declared size fits, one byte more is refused.",
              "Before the upload, and in words."),
        Check("sending.wrong_type", wrong_type, "A file of a type that was not declared is refused.",
              "Before the upload, and in words."),
        Check("sending.caption", caption, "A caption is shown, or its loss is told.",
              "The price stands in the caption."),
        Check("sending.several", several,
              "As many parts, of several kinds, as one request may carry arrive in their order.",
              "It is cheaper and faster, if it holds."),
        Check("sending.order", order, "Messages sent one after another arrive in that order.",
              "An answer before its greeting reads badly."),
        Check("sending.ids", ids, "Every accepted message has an id of its own, or none has.",
              "Receipts and quotes find messages by it."),
        Check("sending.cost", cost, "No message costs more than is declared.",
              "The composer shows the price before sending."),
        Check("sending.crowd", crowd, "Messages to many people at once each reach their own.",
              "A shared buffer would mix them."),
        Check("sending.nobody", nobody, "A message to somebody who does not exist is not accepted.",
              "“Sent” must not mean “to nobody”."),
        Check("sending.unnamed", unnamed, "A message by an author without a name is sent.",
              "Bots and systems have none."),
    ),
)  # fmt: skip
