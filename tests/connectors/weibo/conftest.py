"""A simulated Weibo, the connector that speaks to it, and messages to send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from trunkline.contract import Connector, OutboundMessage
from trunkline.model import Address, Author, AuthorKind, Content, Text
from trunkline.testing.services import FakeServices, HandClock
from trunkline_weibo import SPEC
from trunkline_weibo.config import Config
from trunkline_weibo.simulator import Simulator
from trunkline_weibo.simulator.world import Fan

Build = Callable[..., Connector]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def weibo(clock: HandClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def ada(weibo: Simulator) -> Fan:
    """A fan who wrote a moment ago."""
    fan = weibo.world.fan("Ada")
    weibo.world.open(fan)
    return fan


@pytest.fixture
async def build(weibo: Simulator, clock: HandClock) -> AsyncIterator[Build]:
    """Build connectors to the simulated Weibo; settings are given by keyword."""
    async with AsyncExitStack() as stack:

        def make(**settings: Any) -> Connector:
            services = FakeServices(Config(**{**weibo.settings(), **settings}), channel="weibo", clock=clock)
            stack.push_async_callback(services.http.aclose)
            return SPEC.build(services)

        yield make


@pytest.fixture
def connector(build: Build) -> Connector:
    return build()


def outbound(to: Fan | str, *parts: Content | str, **more: Any) -> OutboundMessage:
    """Return a message by an agent; texts may be given as they are."""
    fan = to if isinstance(to, str) else to.id
    fields: dict[str, Any] = {
        "delivery_id": "delivery-1",
        "thread_key": fan,
        "to": Address(external_id=fan),
        "author": Author(kind=AuthorKind.AGENT, name="Bo"),
        "parts": tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
        "key": "key-1",
    }
    return OutboundMessage(**{**fields, **more})
