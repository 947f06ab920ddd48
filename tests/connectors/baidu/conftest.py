"""A simulated Baidu, the connector that speaks to it, and messages to send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from trunkline.contract import Connector, OutboundMessage
from trunkline.model import Address, Author, AuthorKind, Content, Text
from trunkline.testing.services import FakeServices, HandClock
from trunkline_baidu import SPEC
from trunkline_baidu.config import Config
from trunkline_baidu.simulator import Simulator
from trunkline_baidu.simulator.world import Person

Build = Callable[..., Connector]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def baidu(clock: HandClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def ada(baidu: Simulator) -> Person:
    """Somebody who wrote a moment ago."""
    person = baidu.world.person("Ada")
    baidu.world.open(person)
    return person


@pytest.fixture
async def build(baidu: Simulator, clock: HandClock) -> AsyncIterator[Build]:
    """Build connectors to the simulated Baidu; settings are given by keyword."""
    async with AsyncExitStack() as stack:

        def make(**settings: Any) -> Connector:
            services = FakeServices(Config(**{**baidu.settings(), **settings}), channel="baidu_ad", clock=clock)
            stack.push_async_callback(services.http.aclose)
            connector = SPEC.build(services)
            connector.services = services  # type: ignore[attr-defined]  # tests look at the tokens
            return connector

        yield make


@pytest.fixture
def connector(build: Build) -> Connector:
    return build()


def outbound(to: Person | str, *parts: Content | str, **more: Any) -> OutboundMessage:
    """Return a message by an agent; texts may be given as they are."""
    person = to if isinstance(to, str) else to.id
    fields: dict[str, Any] = {
        "delivery_id": "delivery-1",
        "thread_key": person,
        "to": Address(external_id=person),
        "author": Author(kind=AuthorKind.AGENT, name="Bo"),
        "parts": tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
        "key": "key-1",
    }
    return OutboundMessage(**{**fields, **more})
