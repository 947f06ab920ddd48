"""Apps without a house: their connector with services in memory, and Firebase on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from trunkline.testing.services import FakeServices, HandClock
from trunkline_sdk.config import Config
from trunkline_sdk.connector import SdkConnector
from trunkline_sdk.simulator import Simulator

KEY = "ak_shop_of_a_test"
SECRET = "identity-secret-for-tests-000001"
RELAY_SECRET = "relay-secret-for-tests-000000001"
PEM = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"


def app(account_id: str = "shop-app", **settings: Any) -> SdkConnector:
    """Return a connector with these settings, which speaks to nobody."""
    services: Any = FakeServices(Config.model_validate(settings))
    services.account_id = account_id
    return SdkConnector(services)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def sim(clock: HandClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
async def services(sim: Simulator, clock: HandClock) -> AsyncIterator[FakeServices[Config]]:
    async with FakeServices(Config.model_validate(sim.settings()), clock=clock) as services:
        yield services


@pytest.fixture
def connector(services: FakeServices[Config]) -> SdkConnector:
    return SdkConnector(services)
