"""Connectors that send something else than they were given, or forget a window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tests.conformance.bay import BayConnector
from tests.conformance.mutants.making import Mutant, by_names, replaced, works
from trunkline.contract import Accepted, AcceptedPart, OutboundMessage
from trunkline.errors import TryLater, Undeliverable, WindowClosed
from trunkline.model import AuthorKind, Card, Content, ContentKind, Cost, Image, Template, Text, content_kind

_Methods = Mapping[str, Any]
_HOUR_MS = 3_600_000


def _sending(change: Callable[[OutboundMessage], OutboundMessage]) -> _Methods:
    """Return a `deliver` that sends something else."""

    async def deliver(self: Any, message: OutboundMessage) -> Accepted:
        return await BayConnector.deliver(self, change(message))

    return {"deliver": deliver}


def _parts(change: Callable[[Any], Content]) -> _Methods:
    return _sending(lambda message: replaced(message, parts=tuple(map(change, message.parts))))


def _accepting(change: Callable[[Accepted], Accepted]) -> _Methods:
    """Return a `deliver` that tells something else."""

    async def deliver(self: Any, message: OutboundMessage) -> Accepted:
        return change(await BayConnector.deliver(self, message))

    return {"deliver": deliver}


def _pretending(when: Callable[[Any, OutboundMessage], bool]) -> _Methods:
    """Return a `deliver` that says yes to some messages and sends nothing."""

    async def deliver(self: Any, message: OutboundMessage) -> Accepted:
        return Accepted() if when(self, message) else await BayConnector.deliver(self, message)

    return {"deliver": deliver}


def _refusing(when: Callable[[Any, OutboundMessage], bool]) -> _Methods:
    """Return a `deliver` that believes that a window is over."""

    async def deliver(self: Any, message: OutboundMessage) -> Accepted:
        if when(self, message):
            raise WindowClosed
        return await BayConnector.deliver(self, message)

    return {"deliver": deliver}


def _instead(error: Callable[[WindowClosed], Exception], *authors: AuthorKind) -> _Methods:
    """Return a `deliver` that tells another error when a window is over."""

    async def deliver(self: Any, message: OutboundMessage) -> Accepted:
        try:
            return await BayConnector.deliver(self, message)
        except WindowClosed as closed:
            if authors and message.author.kind not in authors:
                raise
            raise error(closed) from closed

    return {"deliver": deliver}


def _without(kind: ContentKind) -> _Methods:
    return _pretending(lambda _, message: any(content_kind(part) is kind for part in message.parts))


_CLAIMED = [kind for kind in ContentKind if kind not in {ContentKind.CHOICE, ContentKind.UNSUPPORTED}]
KINDS: tuple[Mutant, ...] = (
    *(works(f"sends.{kind}", "says yes and sends nothing", **_without(kind)) for kind in _CLAIMED),
    works("sends.choice", "sends what nobody declared",
          **_parts(lambda part: Text(text=part.title or "") if content_kind(part) is ContentKind.CHOICE else part)),
    works("sends.choice", "raises what nobody knows",
          **_parts(lambda part: {}[part] if content_kind(part) is ContentKind.CHOICE else part)),
    works("sends.image", "sends it as a text",
          **_parts(lambda part: Text(text="a picture") if isinstance(part, Image) else part)),
)  # fmt: skip


def _text(change: Callable[[str], str]) -> _Methods:
    return _parts(lambda part: Text(text=change(part.text)) if isinstance(part, Text) else part)


async def _held(self: Any, message: OutboundMessage) -> Accepted:
    """Send every second message before the first."""
    first, self.kept = getattr(self, "kept", None), None
    if first is None:
        self.kept = message
        return Accepted()
    await BayConnector.deliver(self, message)
    return await BayConnector.deliver(self, first)


async def _shared(self: Any, message: OutboundMessage) -> Accepted:
    """Keep the message where others find it."""
    self.now = message
    await asyncio.sleep(0)
    return await BayConnector.deliver(self, self.now)


async def _to_nobody(self: Any, message: OutboundMessage) -> Accepted:
    try:
        return await BayConnector.deliver(self, message)
    except Undeliverable:
        return Accepted()


def _no_buttons(part: Any) -> Any:
    return replaced(part, buttons=()) if isinstance(part, Card) else part


def _no_caption(part: Any) -> Any:
    return replaced(part, caption=None) if isinstance(part, Image) else part


def _known_shape(part: Any) -> Any:
    return {20: part}[len(part.title)] if isinstance(part, Card) else part


def _loud(message: OutboundMessage) -> OutboundMessage:
    name: Any = message.author.name
    return replaced(message, author=replaced(message.author, name=name.upper()))


SENDING = by_names({
    "sending.one_over": ("loses the last letter", _text(lambda text: text[:-1])),
    "sending.quick_replies": ("loses one", _sending(lambda one: replaced(one, quick_replies=one.quick_replies[:-1]))),
    "sending.cards": ("loses the buttons", _parts(_no_buttons)),
    "sending.cards_over": ("knows one shape", _parts(_known_shape)),
    "sending.caption": ("loses it", _parts(_no_caption)),
    "sending.several": ("backwards", _sending(lambda one: replaced(one, parts=one.parts[::-1]))),
    "sending.order": ("every second one first", {"deliver": _held}),
    "sending.ids": ("one id for all", _accepting(lambda one: replaced(one, parts=(AcceptedPart(external_id="1"),)))),
    "sending.cost": ("costs", _accepting(lambda one: replaced(one, cost=Cost.PAID))),
    "sending.crowd": ("one for all", {"deliver": _shared}),
    "sending.nobody": ("says yes to nobody", {"deliver": _to_nobody}),
    "sending.unnamed": ("wants a name", _sending(_loud)),
})  # fmt: skip


def _late(kind: AuthorKind) -> Callable[[Any, OutboundMessage], bool]:
    """Whether this author writes in the last hour of the window."""

    def is_late(self: Any, message: OutboundMessage) -> bool:
        now: int = self._services.clock.now_ms()
        return message.author.kind is kind and now > message.last_inbound_ms + 23 * _HOUR_MS

    return is_late


def _after_a_day(self: Any, _message: OutboundMessage) -> bool:
    """Whether a day has passed since the stage began."""
    return bool(self._services.clock.now_ms() > 1_700_000_000_000 + 24 * _HOUR_MS)


def _old(self: Any, message: OutboundMessage) -> bool:
    return bool(self._services.clock.now_ms() > message.last_inbound_ms + 24 * _HOUR_MS)


_AUTHORS = (AuthorKind.AGENT, AuthorKind.BOT, AuthorKind.SYSTEM)
WINDOWS: tuple[Mutant, ...] = (
    *(works(f"windows.{kind}_inside", "an hour early", **_refusing(_late(kind))) for kind in _AUTHORS),
    *(works(f"windows.{kind}_outside", "tries again", **_instead(lambda _: TryLater(), kind)) for kind in _AUTHORS),
    works("windows.none", "a window that nobody declared", "cove", **_refusing(_old)),
    *by_names({
        "windows.over": ("calls it undeliverable", _instead(lambda _: Undeliverable())),
        "windows.reopened": ("over for good", _refusing(_after_a_day)),
        "windows.budget_over": ("tells no reason", _instead(lambda _: WindowClosed())),
        "windows.template_after": ("believes that all is over",
                                   _refusing(lambda _, one: one.window is None and isinstance(one.parts[0], Template))),
    }),
)  # fmt: skip
