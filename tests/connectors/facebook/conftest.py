"""A simulated Messenger and Instagram, the connector that speaks to them, and messages to send."""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from tests.connectors.receiver import Receiver, open_receiver
from trunkline.contract import Connector, Item, OutboundMessage, TrustedBody
from trunkline.model import Address, Author, AuthorKind, Content, Text
from trunkline.testing.services import FakeServices, HandClock, MemoryMedia
from trunkline_facebook import SPEC
from trunkline_facebook.config import Config
from trunkline_facebook.simulator import Customer, Simulator

Build = Callable[..., Connector]

#: Loading the machine's certificates takes longer than most tests, and nothing here speaks TLS.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
AGENT, BOT = Author(kind=AuthorKind.AGENT, name="Mina"), Author(kind=AuthorKind.BOT)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def page(clock: HandClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
async def insta(clock: HandClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock, channel="instagram") as simulator:
        yield simulator


@pytest.fixture(params=["facebook", "instagram"])
async def either(clock: HandClock, request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock, channel=request.param) as simulator:
        yield simulator


@pytest.fixture
async def ada(page: Simulator) -> Customer:
    """Somebody who has just written to the Page."""
    return await newcomer(page)


async def newcomer(simulator: Simulator) -> Customer:
    customer = simulator.customer("Ada Lovelace")
    await customer.text("Hello")
    return customer


@pytest.fixture
def media() -> MemoryMedia:
    return MemoryMedia()


@pytest.fixture
async def build(clock: HandClock, media: MemoryMedia) -> AsyncIterator[Build]:
    """Build connectors to a simulator; settings are given by keyword."""
    async with AsyncExitStack() as stack:

        def make(simulator: Simulator, **settings: Any) -> Connector:
            config = Config.model_validate({**simulator.settings(), **settings})
            http = httpx2.AsyncClient(timeout=60, trust_env=False, verify=NO_CERTIFICATES)
            services = FakeServices(config, channel=config.channel, clock=clock, http=http)
            services.media = media
            stack.push_async_callback(services.http.aclose)
            return SPEC.build(services)

        yield make


@pytest.fixture
def connector(build: Build, page: Simulator) -> Connector:
    return build(page)


def outbound(who: Customer | str, *parts: Content | str, **more: Any) -> OutboundMessage:
    """Return a message by an agent; texts may be given as they are."""
    person = who if isinstance(who, str) else who.id
    fields: dict[str, Any] = {
        "delivery_id": f"delivery-{uuid.uuid4()}",
        "thread_key": person,
        "to": Address(external_id=person),
        "author": AGENT,
        "parts": tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
        "key": str(uuid.uuid4()),
        "window": "standard",
    }
    return OutboundMessage(**{**fields, **more})


def said(simulator: Simulator, path: str = "*/messages") -> list[dict[str, Any]]:
    """Return what the platform was asked, as JSON."""
    return [json.loads(entry.body) for entry in simulator.requests(path)]


def items(connector: Connector, simulator: Simulator, at: int = -1) -> list[Item]:
    """Return what a webhook brought."""
    return list(connector.parse(TrustedBody(simulator.body_of(simulator.webhooks[at].entries))))


@pytest.fixture
async def door(page: Simulator) -> AsyncIterator[Receiver]:
    async with open_receiver("/webhooks/page") as receiver:
        page.webhook_url = receiver.url
        yield receiver
        await page.settled()


@pytest.fixture
async def http(either: Simulator) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the Graph API with the Page's token."""
    headers = {"Authorization": f"Bearer {either.world.token}"}
    base = f"{either.url}/v26.0"
    more: Any = {"trust_env": False, "timeout": 5, "verify": NO_CERTIFICATES}
    async with httpx2.AsyncClient(base_url=base, headers=headers, **more) as client:
        yield client
