"""Checks of content, one per kind and direction: it is carried if, and only if, it is claimed."""

from __future__ import annotations

from functools import partial

from trunkline.contract import Extra, Item, MessageReceived
from trunkline.errors import DeliveryError, Undeliverable
from trunkline.model import ContentKind, Level, QuickReply, Text, content_kind
from trunkline.service.rendering import ReplyRefused, plan_for
from trunkline.testing.conformance.checks import Broken, Check, Subject, Topic, need
from trunkline.testing.conformance.samples import SHOWN, sample, template_of
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.phones import Action, Bubble, Press

__all__ = ["RECEIVING", "SENDING_KINDS", "pressed", "presses_of"]

_CARRIED = frozenset({Level.FULL, Level.PARTIAL})
#: What customers of some platform or other can send.
_INWARD = tuple(kind for kind in ContentKind if kind not in {ContentKind.TEMPLATE, ContentKind.UNSUPPORTED})
_OUTWARD = tuple(kind for kind in ContentKind if kind is not ContentKind.UNSUPPORTED)
#: Kinds whose words the customer must be able to read, where they are carried in full.
_WORDED = frozenset({ContentKind.TEXT, ContentKind.LOCATION, ContentKind.LINK, ContentKind.CONTACTS})


def _kinds_in(items: list[Item]) -> set[ContentKind]:
    return {content_kind(item.content) for item in items if isinstance(item, MessageReceived)}


async def received(stage: Stage, *, kind: ContentKind) -> None:
    rule = stage.capabilities.receives.get(kind)
    claimed = rule is not None and rule.level in _CARRIED
    customer = stage.add_customer()
    await stage.write(customer)
    arrived = await _sent_in(stage, customer, kind)
    if arrived is None:
        need(not claimed, f"{kind} is claimed, and the simulator does not write it: add it to Simulator.writes")
        raise stage.not_here(f"{kind} from customers")
    found = _kinds_in(arrived)
    need(claimed or kind not in found, f"{kind} arrives and is not claimed: add it to receives")
    need(not claimed or kind in found, f"{kind} is claimed, and arrives as {sorted(map(str, found)) or 'nothing'}")


async def _sent_in(stage: Stage, customer: str, kind: ContentKind) -> list[Item] | None:
    """Return what arrived of such a content; None where customers cannot send it."""
    action = stage.simulator.writes.get(kind)
    if action is None and kind is not ContentKind.CHOICE:
        return None
    if action is not None and action.kind != "press":
        return await stage.try_act(customer, action)
    return await pressed(stage, customer)


async def pressed(stage: Stage, customer: str) -> list[Item] | None:
    """Offer the customer something to press, as this channel can, and return what came of it; None if it cannot."""
    press = await _offered(stage, customer)
    return None if press is None else await stage.try_act(customer, Action(kind="press", press=press.id))


async def _offered(stage: Stage, customer: str) -> Press | None:
    for kind in (None, ContentKind.CARD, ContentKind.CAROUSEL):
        if kind is None and stage.capabilities.quick_replies is not None:
            await stage.say(customer, Text(text=stage.word()), quick_replies=[QuickReply(title="Yes", data="answer=1")])
        elif kind is not None and stage.capabilities.rule(kind).level in _CARRIED:
            await stage.say(customer, sample(kind, "Bell", stage.capabilities, stage.services.media))
        found = [press for bubble in stage.seen(customer) for press in presses_of(bubble) if press.id and not press.url]
        if found:
            return found[-1]
    return None


def presses_of(bubble: Bubble) -> list[Press]:
    """Return everything in a bubble that can be pressed."""
    return [*bubble.quick_replies, *(button for card in bubble.cards for button in card.buttons)]


async def sent(stage: Stage, *, kind: ContentKind) -> None:
    rule = stage.capabilities.rule(kind)
    customer, words = stage.add_customer(), stage.word("bell")[:20]
    content = sample(kind, words, stage.capabilities, stage.services.media)
    if kind is ContentKind.TEMPLATE and rule.level in _CARRIED:
        usable = [info for info in await stage.connector.templates() if info.usable]
        need(usable, "templates are claimed, and the platform lists none that may be sent")
        content = template_of(usable[0])
    await stage.talk(customer)
    before = len(stage.seen(customer))
    if rule.level in {Level.REJECTED, Level.DROPPED}:
        try:
            plan_for(content, (), stage.capabilities)
        except ReplyRefused:
            return await _not_carried(stage, customer, kind, words)
        raise Broken(f"{kind} is not carried, and the core does not refuse it")
    await stage.say(customer, content)
    shown = stage.seen(customer)[before:]
    need(shown, f"{kind} was accepted, and the customer sees nothing")
    if rule.level is Level.FULL:
        _in_full(kind, shown, words)
    return None


def _in_full(kind: ContentKind, shown: list[Bubble], words: str) -> None:
    wanted = SHOWN.get(kind)
    need(wanted is None or {one.kind for one in shown} & wanted, f"{kind} is shown as {[one.kind for one in shown]}")
    need(kind not in _WORDED or words in str(shown), f"{kind} is shown without its words: {str(shown)[:200]}")


async def _not_carried(stage: Stage, customer: str, kind: ContentKind, words: str) -> None:
    """Past the core: what is not claimed must not work either."""
    before = len(stage.seen(customer))
    content = sample(kind, words, stage.capabilities, stage.services.media)
    ended = await stage.outcome(await stage.message(customer, content))
    shown = [bubble.kind for bubble in stage.seen(customer)[before:]]
    works = not isinstance(ended, DeliveryError) and bool(shown)
    need(not works, f"{kind} is not claimed and is shown as {shown}: claim it, or refuse it with Undeliverable")
    need(isinstance(ended, DeliveryError), f"{kind} is said to be accepted, and nobody sees it")
    need(isinstance(ended, Undeliverable), f"{kind} is refused with {type(ended).__name__}, which tries it again")


def _sends_templates(subject: Subject) -> bool:
    return not subject.is_hosted and Extra.TEMPLATES in subject.capabilities.extras


RECEIVING = Topic(
    "Content in",
    tuple(
        Check(f"receives.{kind}", partial(received, kind=kind), f"What customers send as {kind} arrives as such, "
              "if and only if that is claimed.", "A claim nobody proved is advertising; a skill nobody claims is lost.")
        for kind in _INWARD
    ),
)  # fmt: skip
SENDING_KINDS = Topic(
    "Content out",
    tuple(
        Check(f"sends.{kind}", partial(sent, kind=kind), f"What is sent as {kind} is seen by the customer, if that is "
              "claimed, and refused before the wire if not.", "Agents must never send into the void.")
        for kind in _OUTWARD
    ),
)  # fmt: skip
