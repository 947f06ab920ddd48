"""A simulated WeChat of each surface, connectors to it, somebody's webhook, and messages to send."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from aiohttp import web

from trunkline.contract import Connector, Item, OutboundMessage, TrustedBody, WebhookRequest
from trunkline.errors import RequestRefused
from trunkline.model import Address, Author, AuthorKind, Content, Text
from trunkline.testing.services import FakeServices, HandClock
from trunkline_wechat import SPEC
from trunkline_wechat.config import Config
from trunkline_wechat.simulator import Simulator

#: Made once: reading the certificates takes longer than a test.
_TLS = ssl.create_default_context()
#: Builds the connector of a simulator; settings are given by keyword.
Build = Callable[..., Connector]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def build(clock: HandClock) -> AsyncIterator[Build]:
    """Build connectors: `build(simulator, mode="plain")`. Their services stand at `connector.services`."""
    async with AsyncExitStack() as stack:

        def make(simulator: Simulator, **settings: Any) -> Connector:
            config = Config(**{**simulator.settings(), **settings})
            http = httpx2.AsyncClient(timeout=60, trust_env=False, verify=_TLS)
            services = FakeServices(config, channel=simulator.channel, clock=clock, http=http)
            stack.push_async_callback(services.http.aclose)
            connector = SPEC.build(services)
            connector.services = services  # type: ignore[attr-defined]  # tests look at tokens and files
            return connector

        yield make


class Shop:
    """Somebody's webhook: keeps what arrives, reads it with a connector if there is one, answers as told."""

    def __init__(self) -> None:
        self.requests: list[WebhookRequest] = []
        self.items: list[Item] = []
        self.bodies: list[TrustedBody] = []
        self.connector: Connector | None = None
        self.status, self.body = 200, b""
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body, query = await request.read(), dict(request.query)
        given = WebhookRequest(method=request.method, query=query, headers=dict(request.headers), body=body)
        self.requests.append(given)
        try:
            if self.connector is not None and self.status == 200:
                self.bodies.append(self.connector.authenticate(given))
                self.items.extend(self.connector.parse(self.bodies[-1]))
        except RequestRefused as refused:
            return web.Response(status=refused.status)
        return web.Response(status=self.status, body=self.body)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop, app = Shop(), web.Application()
    app.router.add_route("*", "/webhooks/wechat", shop.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/wechat"
    yield shop
    await runner.cleanup()


def outbound(to: str, *parts: Content | str, **more: Any) -> OutboundMessage:
    """Return a message by an agent; texts may be given as they are."""
    fields: dict[str, Any] = {
        "delivery_id": "delivery-1",
        "thread_key": to,
        "to": Address(external_id=to),
        "author": Author(kind=AuthorKind.AGENT, name="Bo"),
        "parts": tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
        "key": str(uuid.uuid4()),
    }
    return OutboundMessage(**{**fields, **more})


def tokens_of(connector: Connector) -> Any:
    """Return the token cache of a built connector."""
    return connector.services.tokens  # type: ignore[attr-defined]  # set by `build`


def media_of(connector: Connector) -> Any:
    """Return the files of a built connector's messages."""
    return connector.services.media  # type: ignore[attr-defined]  # set by `build`


@pytest.fixture
async def oa(clock: HandClock, shop: Shop) -> AsyncIterator[Simulator]:
    """A simulated Official Account that sends its webhooks to the shop."""
    async with Simulator(channel="wechat_oa", clock=clock, webhook_url=shop.url) as simulator:
        yield simulator


@pytest.fixture
async def mini(clock: HandClock, shop: Shop) -> AsyncIterator[Simulator]:
    """A simulated Mini Program that sends its webhooks to the shop."""
    async with Simulator(channel="wechat_mini", clock=clock, webhook_url=shop.url) as simulator:
        yield simulator
