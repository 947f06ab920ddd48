"""A simulated WhatsApp, the connector that speaks to it, and messages to send."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from tests.connectors.receiver import Receiver, open_receiver
from trunkline.contract import Connector, Item, OutboundMessage, TrustedBody
from trunkline.model import Address, AddressKind, Author, AuthorKind, Content, Text
from trunkline.testing.services import FakeServices, HandClock
from trunkline_whatsapp import SPEC
from trunkline_whatsapp.config import Config
from trunkline_whatsapp.simulator import Customer, Simulator

Build = Callable[..., Connector]

#: The path of sends at the simulator.
SENDS = "/v26.0/8001/messages"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def whatsapp(clock: HandClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
async def ada(whatsapp: Simulator) -> Customer:
    """Somebody who wrote a minute ago."""
    customer = whatsapp.customer("Ada")
    await customer.text("Hello")
    return customer


@pytest.fixture
async def build(whatsapp: Simulator, clock: HandClock) -> AsyncIterator[Build]:
    """Build connectors to the simulated WhatsApp; settings are given by keyword."""
    async with AsyncExitStack() as stack:

        def make(**settings: Any) -> Connector:
            config = Config(**{**whatsapp.settings(), **settings})
            http = httpx2.AsyncClient(timeout=60, trust_env=False, verify=False)
            services = FakeServices(config, channel="whatsapp", clock=clock, http=http)
            stack.push_async_callback(services.http.aclose)
            connector = SPEC.build(services)
            connector.services = services  # type: ignore[attr-defined]  # tests look at the media
            return connector

        yield make


@pytest.fixture
def connector(build: Build) -> Connector:
    return build()


def address_of(customer: Customer) -> Address:
    """Return the address under which the core knows a customer, or their group."""
    if customer.chat.is_group:
        return Address(external_id=customer.chat.id, kind=AddressKind.GROUP)
    ids = [customer.id, customer.person.user_id]
    return Address(external_id=ids[0], aliases=tuple(one for one in ids[1:] if one != ids[0]))


def outbound(to: Customer | Address, *parts: Content | str, **more: Any) -> OutboundMessage:
    """Return a message by an agent; texts may be given as they are."""
    address = to if isinstance(to, Address) else address_of(to)
    fields: dict[str, Any] = {
        "delivery_id": "delivery-1",
        "thread_key": address.external_id,
        "to": address,
        "author": Author(kind=AuthorKind.AGENT, name="Bo"),
        "parts": tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
        "key": str(uuid.uuid4()),
    }
    return OutboundMessage(**{**fields, **more})


def sent(whatsapp: Simulator) -> dict[str, Any]:
    """Return the body of the newest request to send."""
    body: dict[str, Any] = json.loads(whatsapp.requests(SENDS)[-1].body)
    return body


def received(connector: Connector, whatsapp: Simulator) -> list[Item]:
    """Return what the newest webhook brought."""
    return list(connector.parse(TrustedBody(whatsapp.webhooks[-1].body)))


@pytest.fixture
async def shop(whatsapp: Simulator) -> AsyncIterator[Receiver]:
    async with open_receiver("/webhooks/account-under-test") as receiver:
        whatsapp.webhook_url = receiver.url
        yield receiver


@pytest.fixture
async def http(whatsapp: Simulator) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {whatsapp.settings()['access_token']}"}
    async with httpx2.AsyncClient(base_url=whatsapp.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client
