"""A second invented channel: cards with limits, places, templates after the window, reactions, recalls, remedies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.desk.harness import ADA, Client, Running
from tests.desk.wire import WireConfig, WireConnector
from trunkline.contract import (
    Accepted,
    Act,
    Afterwards,
    Capabilities,
    CardLimit,
    Channel,
    Connector,
    ConnectorSpec,
    ContentRule,
    Extra,
    Health,
    MediaLimit,
    OutboundMessage,
    QuickReplyLimit,
    Remedy,
    Sending,
    Services,
    Signal,
    TemplateInfo,
    TemplateVariable,
    TextLimit,
    TextUnit,
    Window,
)
from trunkline.errors import DeliveryError, PlatformAnswer, Undeliverable
from trunkline.model import ContentKind, Cost, Level

__all__ = ["CAPABILITIES", "FAIR", "RICH_CONNECTOR", "TEMPLATES", "RichConnector", "open_fair"]

FAIR = "fair"
KINDS = ContentKind
SHAPE = CardLimit(
    title_max=20, text_max=60, buttons_max=2, button_title_max=10, button_data_max=50, unit=TextUnit.GRAPHEMES
)
TEMPLATES = (
    TemplateInfo(
        name="parcel",
        language="en_US",
        category="utility",
        text="Your parcel {{number}} arrives on {{day}}.",
        variables=(
            TemplateVariable(name="number", example="A-17", max_length=12),
            TemplateVariable(name="day", example="Monday"),
        ),
    ),
    TemplateInfo(name="greeting", language="en_US", text="Hello again!"),
    TemplateInfo(name="old", language="en_US", text="Old words", usable=False, note="The platform paused it."),
    TemplateInfo(
        name="poster", language="en_US", text="Look", variables=(TemplateVariable(name="picture", kind="image"),)
    ),
)
BROKEN = Health(
    state="failing",
    summary="The platform sends us nothing.",
    remedies=(Remedy(code="subscribe", title="Subscribe again"),),
)


class RichConnector(WireConnector):
    """As the plain one, with all that an agent can do besides writing."""

    def __init__(self, services: Services[WireConfig]) -> None:
        super().__init__(services)
        self.asked = 0
        #: Raised instead of an answer, None while all is well.
        self.trouble: DeliveryError | None = None
        self.is_subscribed = True
        #: Cleared while the platform takes its time with what we send.
        self.sending = asyncio.Event()
        self.sending.set()

    async def deliver(self, message: OutboundMessage) -> Accepted:
        await self.sending.wait()
        return await super().deliver(message)

    async def templates(self) -> Sequence[TemplateInfo]:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return TEMPLATES

    async def signal(self, signal: Signal) -> None:
        if self.trouble is not None:
            raise self.trouble
        await super().signal(signal)

    async def probe(self) -> Health:
        return await super().probe() if self.is_subscribed else BROKEN

    async def remedy(self, code: str) -> Health:
        if self.trouble is not None:
            raise self.trouble
        self.is_subscribed = True
        return await self.probe()


def refused(words: str) -> Undeliverable:
    return Undeliverable("No.", answer=PlatformAnswer(status=400, code="R1", text=words))


CAPABILITIES = Capabilities(
    receives={kind: ContentRule(level=Level.FULL) for kind in ContentKind},
    sends={
        KINDS.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=100)),
        KINDS.IMAGE: ContentRule(level=Level.FULL, media=(MediaLimit(mimes=("image/png",), max_bytes=1_000_000),)),
        KINDS.CARD: ContentRule(level=Level.FULL, card=SHAPE),
        KINDS.CAROUSEL: ContentRule(
            level=Level.FULL,
            card=CardLimit(title_max=10, buttons_max=1, button_title_max=10, cards_max=3, image=False, links=False),
        ),
        KINDS.LOCATION: ContentRule(level=Level.FULL),
        KINDS.LINK: ContentRule(level=Level.FALLBACK, becomes=KINDS.TEXT),
        KINDS.CONTACTS: ContentRule(level=Level.FALLBACK, becomes=KINDS.TEXT, note="Contacts go out as text."),
        KINDS.TEMPLATE: ContentRule(level=Level.FULL),
    },
    windows=(
        Window(
            name="reply",
            opened_by=frozenset({Act.MESSAGE}),
            lasts_s=24 * 3600,
            budget=5,
            afterwards=Afterwards.TEMPLATE,
        ),
    ),
    sending=Sending(cost=Cost.QUOTA, items_per_request=2),
    quick_replies=QuickReplyLimit(max=3, title_max=20, data_max=100),
    extras=frozenset({Extra.TYPING, Extra.QUOTE, Extra.REACTIONS_OUT, Extra.RECALL, Extra.TEMPLATES}),
)


def _build(services: Services[Any]) -> Connector:
    return RichConnector(services)


RICH_CONNECTOR = ConnectorSpec(
    name="rich",
    title={"en": "Rich"},
    config=WireConfig,
    channels=(Channel(code="rich", title={"en": "Rich"}, capabilities=CAPABILITIES),),
    build=_build,
    hosts=("api.wire.example",),
)


async def open_fair(desk: Running) -> tuple[Client, RichConnector]:
    """Make an account of this channel and return an admin with its connector."""
    ada = desk.client(ADA[0])
    settings = {"secret": f"{FAIR}-invented-secret"}
    await ada.post("/accounts", {"id": FAIR, "connector": "rich", "title": "Fair", "settings": settings})
    return ada, fair(desk)


def fair(desk: Running) -> RichConnector:
    """Return the connector of the account."""
    connector = desk.connector(FAIR)
    assert isinstance(connector, RichConnector)
    return connector
