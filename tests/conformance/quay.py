"""A well-behaved hosted connector of an invented shop."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, ClassVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from tests.conformance.bay import CARD
from trunkline.contract import (
    Capabilities,
    Channel,
    ConnectorSpec,
    ContentRule,
    FilledSecret,
    MediaLimit,
    QuickReplyLimit,
    Receiving,
    Services,
    Submissions,
    TextLimit,
    Transport,
)
from trunkline.hosted import Client, HostedConnector, Pages
from trunkline.model import ContentKind, Level
from trunkline.testing.phones import Action, Bubble, Customer
from trunkline.testing.simulator import Simulator

TITLE = dict.fromkeys(("en", "zh-Hans", "zh-Hant", "pl"), "Quay")
_FULL = ContentRule(level=Level.FULL)
QUAY = Capabilities(
    receives={ContentKind.TEXT: _FULL},
    sends={
        ContentKind.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=60)),
        ContentKind.IMAGE: ContentRule(level=Level.FULL, media=(MediaLimit(mimes=("image/*",), max_bytes=1000),)),
        ContentKind.CARD: ContentRule(level=Level.FULL, card=CARD),
        ContentKind.LINK: ContentRule(level=Level.FALLBACK, becomes=ContentKind.TEXT),
    },
    submissions=Submissions(modes=("ticket",), scopes=("channel",)),
    receiving=Receiving(transport=Transport.HOSTED, dedupe_source="client_id"),
    quick_replies=QuickReplyLimit(max=3, title_max=10),
)


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    key: Annotated[str, Field(pattern="^ak_")] | None = None
    signing: FilledSecret


class QuayConnector(HostedConnector):
    def __init__(self, services: Services[Config]) -> None:
        self.config, self.account_id = services.config, services.account_id

    @property
    def public_key(self) -> str:
        return self.config.key or f"ak_{hashlib.sha256(self.account_id.encode()).hexdigest()[:16]}"

    def channel_for(self, client: Client) -> str:
        return "quay"

    def presentation(self, client: Client) -> dict[str, Any]:
        return {"locale": client.locale}

    def embed(self, public_url: str) -> str:
        return f"{public_url}/quay.js?key={self.public_key}"


def pages(house: Pages) -> web.Application:
    async def script(request: web.Request) -> web.Response:
        return web.Response(text=house.title(request.query.get("key", "")))

    app = web.Application()
    app.router.add_get("/quay.js", script)
    return app


class Shop(Simulator):
    """Nobody is simulated: the suite asks a hosted connector itself."""

    title: ClassVar[str] = "Quay"

    def routes(self) -> list[web.RouteDef]:
        return []

    def settings(self) -> dict[str, Any]:
        return {"key": "ak_quay_shop", "signing": "invented-signing-secret"}

    def customers(self) -> list[Customer]:
        return []

    def chat(self, customer: str) -> list[Bubble]:
        return []

    def add_customer(self, name: str) -> str:
        return name

    async def act(self, customer: str, action: Action) -> None:
        raise ValueError("Nobody is here.")


SPEC = ConnectorSpec(
    name="quay",
    title=TITLE,
    config=Config,
    channels=(Channel(code="quay", title=TITLE, capabilities=QUAY),),
    build=QuayConnector,
    simulator="tests.conformance.quay:Shop",
    pages=pages,
    pages_at="/quay",
)
