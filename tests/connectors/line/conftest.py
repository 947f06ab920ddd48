"""A simulated LINE, the connector that speaks to it, and messages to send."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from tests.connectors.receiver import Receiver, open_receiver
from trunkline.contract import Connector, OutboundMessage, ReplyCredential
from trunkline.model import Address, AddressKind, Author, AuthorKind, Content, Text
from trunkline.testing.services import FakeServices, HandClock
from trunkline_line import SPEC
from trunkline_line.config import Config
from trunkline_line.simulator import Customer, Simulator

Build = Callable[..., Connector]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def line(clock: HandClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def ada(line: Simulator) -> Customer:
    return line.customer("Ada")


@pytest.fixture
async def build(line: Simulator, clock: HandClock) -> AsyncIterator[Build]:
    """Build connectors to the simulated LINE; settings are given by keyword."""
    async with AsyncExitStack() as stack:

        def make(**settings: Any) -> Connector:
            services = FakeServices(Config(**{**line.settings(), **settings}), channel="line", clock=clock)
            stack.push_async_callback(services.http.aclose)
            connector = SPEC.build(services)
            connector.services = services  # type: ignore[attr-defined]  # tests look at the tokens
            return connector

        yield make


@pytest.fixture
def connector(build: Build) -> Connector:
    return build()


def outbound(to: Customer | str, *parts: Content | str, **more: Any) -> OutboundMessage:
    """Return a message by an agent to a person or group; texts may be given as they are."""
    chat = to if isinstance(to, str) else to.chat.id
    kind = {"C": AddressKind.GROUP, "R": AddressKind.ROOM}.get(chat[:1], AddressKind.PERSON)
    fields: dict[str, Any] = {
        "delivery_id": "delivery-1",
        "thread_key": chat,
        "to": Address(external_id=chat, kind=kind),
        "author": Author(kind=AuthorKind.SYSTEM),
        "parts": tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
        "key": str(uuid.uuid4()),
    }
    return OutboundMessage(**{**fields, **more})


async def credential(customer: Customer, line: Simulator) -> ReplyCredential:
    """Let a customer write and return the right to answer that."""
    await customer.text("a question")
    event = line.webhooks[-1].events[-1]
    return ReplyCredential(value=event["replyToken"], expires_at_ms=event["timestamp"] + 50_000)


def said_by_us(customer: Customer) -> list[dict[str, Any]]:
    return [said.message for said in customer.sees if said.author is None]


@pytest.fixture
async def shop(line: Simulator) -> AsyncIterator[Receiver]:
    async with open_receiver("/webhooks/line") as receiver:
        line.webhook_url = receiver.url
        yield receiver


@pytest.fixture
async def http(line: Simulator) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {line.world.long_lived}"}
    async with httpx2.AsyncClient(base_url=line.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client
