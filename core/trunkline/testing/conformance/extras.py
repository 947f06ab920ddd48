"""Checks of what a channel has besides messages: each extra works if, and only if, it is claimed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from trunkline.contract import (
    Accepted,
    Extra,
    Item,
    MessageEdited,
    MessageRecalled,
    MessageReceived,
    Quote,
    Reacted,
    ReceiptReceived,
    Signal,
)
from trunkline.errors import DeliveryError
from trunkline.model import Address, AddressKind, DeliveryState, Profile, Text
from trunkline.testing.conformance.checks import Check, Topic, need
from trunkline.testing.conformance.stage import AGENT, Stage
from trunkline.testing.conformance.talk import Talk
from trunkline.testing.phones import Action

__all__ = ["EXTRAS", "RECEIPTS"]


def _judge(stage: Stage, extra: Extra, *, works: bool, seen: str) -> None:
    """Compare what was seen with the claim; NotHere where there is neither."""
    claimed = extra in stage.capabilities.extras
    need(works or not claimed, f"Extra.{extra.name} is claimed, and {seen}")
    need(claimed or not works, f"Extra.{extra.name} works and is not claimed")
    if not works:
        raise stage.not_here(str(extra))


# ---------------------------------------------------------------- what customers do


async def _chats(stage: Stage) -> list[str]:
    """Return a chat of one, and a group where the platform has groups: some acts exist in one of them only."""
    person = stage.add_customer("Ada")
    group = stage.simulator.add_group("Family", [person, stage.add_customer("Bo")])
    return [person] if group is None else [person, group]


async def _after_writing(stage: Stage, kind: str) -> list[Item]:
    """Return what arrives when customers do something with a message: their own, else one of ours."""
    found: list[Item] = []
    for chat in await _chats(stage):
        await stage.write(chat)
        await stage.say(chat, Text(text=stage.word()))
        bubbles = stage.simulator.chat(chat)
        for bubble in (next(one for one in bubbles if one.mine), next(one for one in bubbles if not one.mine)):
            action = Action(kind=kind, text="👍" if kind == "react" else stage.word(kind), bubble=bubble.id)
            found += await stage.try_act(chat, action) or []
    return found


async def inward(stage: Stage, *, extra: Extra, act: str, fits: Callable[[Item], bool]) -> None:
    items = await _after_writing(stage, act)
    _judge(stage, extra, works=any(fits(item) for item in items), seen=f"“{act}” of a customer tells nothing of it")


def _quotes(item: Item) -> bool:
    return isinstance(item, MessageReceived) and bool(item.quotes)


async def groups(stage: Stage) -> None:
    people = [stage.add_customer("Ada"), stage.add_customer("Bo")]
    group = stage.simulator.add_group("Family", people)
    items = await stage.write(group) if group is not None else []
    said = [item for item in items if isinstance(item, MessageReceived)]
    works = bool(said) and said[0].contact.kind is not AddressKind.PERSON and said[0].member is not None
    _judge(stage, Extra.GROUPS, works=works, seen="a message in a group tells neither the group nor its author")
    assert group is not None
    words = stage.word()
    await stage.say(group, Text(text=words))
    need(stage.times_seen(group, words) == 1, "an answer to a group does not reach it")


# ---------------------------------------------------------------- what we do


async def _signalled(stage: Stage, kind: str, talk: Talk, **more: str | None) -> None:
    """Send a signal; a refusal is an answer, anything else gets out."""
    last = talk.messages[-1]
    fields = {"token": last.read_token, "external_id": last.external_id, **more}
    try:
        await stage.connector.signal(Signal(kind=kind, to=talk.contact, thread_key=talk.thread_key, **fields))
    except DeliveryError:
        return


async def typing(stage: Stage) -> None:
    customer = stage.add_customer()
    await _signalled(stage, "typing", await stage.talk(customer))
    works = any(one.typing for one in stage.simulator.customers() if one.id == customer)
    _judge(stage, Extra.TYPING, works=works, seen="the customer sees nobody typing")


async def mark_read(stage: Stage) -> None:
    customer = stage.add_customer()
    talk = await stage.talk(customer)
    before = [bubble.state for bubble in stage.simulator.chat(customer)]
    await _signalled(stage, "read", talk)
    works = [bubble.state for bubble in stage.simulator.chat(customer)] != before
    _judge(stage, Extra.MARK_READ, works=works, seen="the customer's message does not show as read")


async def react(stage: Stage) -> None:
    customer = stage.add_customer()
    talk = await stage.talk(customer)
    before = stage.simulator.chat(customer)
    await _signalled(stage, "reaction", talk, emoji="👍")
    works = stage.simulator.chat(customer) != before
    _judge(stage, Extra.REACTIONS_OUT, works=works, seen="the customer sees no reaction")


async def recall(stage: Stage) -> None:
    customer, words = stage.add_customer(), stage.word()
    accepted = await stage.say(customer, Text(text=words))
    ids = [part.external_id for part in accepted[0].parts] or [""]
    await _signalled(stage, "recall", await stage.talk(customer), external_id=ids[0])
    works = stage.times_seen(customer, words) == 0
    _judge(stage, Extra.RECALL, works=works, seen="a message that was taken back is still there")


async def quote(stage: Stage) -> None:
    customer = stage.add_customer()
    last = (await stage.talk(customer)).messages[-1]
    quoted = Quote(external_id=last.external_id, token=last.quote_token)
    message = await stage.message(customer, Text(text=stage.word()), quote=quoted)
    ended = await stage.outcome(message)
    need(isinstance(ended, Accepted), f"a message with a quote is not sent: {ended!r}")
    works = any(bubble.quoted for bubble in stage.seen(customer))
    _judge(stage, Extra.QUOTE, works=works, seen="the customer does not see what is quoted")


async def sender_name(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.say(customer, Text(text=stage.word()), author=AGENT)
    works = any(AGENT.name in bubble.name for bubble in stage.seen(customer) if AGENT.name)
    _judge(stage, Extra.SENDER_NAME, works=works, seen="the customer does not see who speaks")


async def templates(stage: Stage) -> None:
    found = await stage.connector.templates()
    for one in found:
        need(one.name and one.language, f"a template has no name or no language: {one}")
    need(len({(one.name, one.language) for one in found}) == len(found), "two templates have one name and language")
    _judge(stage, Extra.TEMPLATES, works=bool(found), seen="none is listed")


async def profile(stage: Stage) -> None:
    customer = stage.add_customer("Ada")
    talk = await stage.talk(customer)
    found = await stage.connector.profile(talk.contact)
    works = found is not None and found != Profile()
    _judge(stage, Extra.PROFILE, works=works, seen="the platform does not tell who somebody is")


async def no_profile(stage: Stage) -> None:
    talk = await stage.talk(stage.add_customer())
    stranger = Address(external_id=talk.contact.external_id[:-2] + "zz")
    try:
        found = await stage.connector.profile(stranger)
    except DeliveryError:
        return
    need(found is None or not found.name, f"somebody who does not exist has the profile {found}")


async def odd_signals(stage: Stage) -> None:
    talk = await stage.talk(stage.add_customer())
    for kind in ("typing", "read", "reaction", "recall", "a_kind_of_next_year"):
        await _signalled(stage, kind, talk, token=None, external_id="nothing-of-ours")


# ---------------------------------------------------------------- receipts


async def _told(stage: Stage, state: DeliveryState) -> list[ReceiptReceived]:
    """Return the receipts that say of a message of ours what the platform says."""
    customer = stage.add_customer()
    message = await stage.message(customer)
    ids = {part.external_id for part in (await stage.attempt(message)).parts}
    began = len(stage.door.items)
    if await stage.simulator.tell(customer, state):
        await stage.pull(began)
    thread = (await stage.talk(customer)).thread_key
    found = [item for item in stage.door.items if isinstance(item, ReceiptReceived) and item.state is state]
    for one in found:
        ours = one.external_id in ids or one.correlation == message.delivery_id
        upto = one.watermark_ms is not None and one.thread_key == thread
        need(ours or upto, f"the receipt “{state}” does not say which message it is about")
    return found


async def receipt(stage: Stage, *, state: DeliveryState, claim: str) -> None:
    found, claimed = await _told(stage, state), bool(getattr(stage.capabilities.receipts, claim))
    need(found or not claimed, f"Receipts.{claim} is claimed, and Simulator.tell brings none")
    need(claimed or not found, f"the receipt “{state}” arrives, and Receipts.{claim} is not claimed")
    if not found:
        raise stage.not_here(f"receipt “{state}”")


async def watermark(stage: Stage) -> None:
    found = [one for state in (DeliveryState.DELIVERED, DeliveryState.READ) for one in await _told(stage, state)]
    if not found:
        raise stage.not_here("receipts")
    marks, claimed = any(one.watermark_ms is not None for one in found), stage.capabilities.receipts.watermark
    need(marks == claimed, f"Receipts.watermark is {claimed}, receipts {'have' if marks else 'have no'} watermark_ms")


async def why_failed(stage: Stage) -> None:
    found = await _told(stage, DeliveryState.FAILED)
    if not found:
        raise stage.not_here("late failures")
    need(found[-1].answer is not None, "a failure after the yes does not say what the platform said")


async def repeated(stage: Stage) -> None:
    found = [one for state in (DeliveryState.DELIVERED, DeliveryState.FAILED) for one in await _told(stage, state)]
    if not found:
        raise stage.not_here("receipts")
    need(len({one.dedupe_key for one in found}) == len(found), "receipts of different messages share a dedupe_key")


def _inward(extra: Extra, act: str, fits: Callable[[Item], bool], sentence: str) -> Check:
    run: Callable[[Stage], Awaitable[None]] = partial(inward, extra=extra, act=act, fits=fits)
    return Check(f"extras.{extra}", run, sentence, "Staff must see what the customer sees.")


EXTRAS = Topic(
    "Extras",
    (
        _inward(Extra.EDITS_IN, "edit", lambda item: isinstance(item, MessageEdited),
                "A message that the customer changes is changed, if that is claimed."),
        _inward(Extra.RECALLS_IN, "recall", lambda item: isinstance(item, MessageRecalled),
                "A message that the customer takes back is taken back, if that is claimed."),
        _inward(Extra.REACTIONS_IN, "react", lambda item: isinstance(item, Reacted),
                "A reaction of the customer arrives, if that is claimed."),
        _inward(Extra.QUOTES_IN, "quote", _quotes,
                "What the customer quotes is told, if that is claimed."),
        Check("extras.groups", groups, "Groups write and are answered, if that is claimed.",
              "An answer meant for one must not go to all, nor the other way round."),
        Check("extras.typing", typing, "The customer sees that somebody types, if that is claimed.",
              "It keeps people in the chat."),
        Check("extras.mark_read", mark_read, "The customer sees that their message was read, if that is claimed.",
              "And not before anybody did."),
        Check("extras.reactions_out", react, "The customer sees our reaction, if that is claimed.",
              "A button that does nothing is a lie."),
        Check("extras.recall", recall, "A message of ours is taken back, if that is claimed.",
              "An agent who thinks it is gone writes differently."),
        Check("extras.quote", quote, "The customer sees what we quote, if that is claimed.",
              "“Yes” to which question?"),
        Check("extras.sender_name", sender_name, "The customer sees who speaks, if that is claimed.",
              "Some companies want that, some must not."),
        Check("extras.templates", templates, "The platform's templates are listed, if that is claimed.",
              "Agents pick from that list."),
        Check("extras.profile", profile, "The platform tells who somebody is, if that is claimed.",
              "Otherwise people are numbers."),
        Check("extras.no_profile", no_profile, "Somebody who does not exist has no profile.",
              "People close their accounts."),
        Check("extras.odd_signals", odd_signals, "A signal about nothing of ours does no harm.",
              "Signals are sent without looking."),
    ),
)  # fmt: skip
RECEIPTS = Topic(
    "Receipts",
    (
        Check("receipts.delivered", partial(receipt, state=DeliveryState.DELIVERED, claim="delivered"),
              "“Delivered” is told, if that is claimed.", "A state that never comes looks like a fault."),
        Check("receipts.read", partial(receipt, state=DeliveryState.READ, claim="read"),
              "“Read” is told, if that is claimed.", "Agents wait for it."),
        Check("receipts.late_failure", partial(receipt, state=DeliveryState.FAILED, claim="late_failure"),
              "A failure after the yes is told, if that is claimed.", "“Sent” must not stay where nothing arrived."),
        Check("receipts.watermark", watermark, "Receipts cover all up to a time if, and only if, that is claimed.",
              "One receipt may be about ten messages."),
        Check("receipts.why", why_failed,
              "A failure after the yes says why.", "The agent has to do something about it."),
        Check("receipts.distinct", repeated, "Receipts of different messages have different keys.",
              "The second one would be taken for a copy."),
    ),
)  # fmt: skip
