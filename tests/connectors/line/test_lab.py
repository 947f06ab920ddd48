"""The laboratory of a phone page: time goes forward, the platform has a bad hour, tokens end."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.connectors.line.conftest import Build, outbound
from trunkline.errors import RateLimited, TryLater
from trunkline.testing.services import HandClock, MovableClock
from trunkline_line.simulator import Customer, Simulator


@pytest.fixture
async def lab(line: Simulator) -> Any:
    async with httpx2.AsyncClient(base_url=f"{line.url}/_sim/lab/", trust_env=False, timeout=60) as client:
        yield client


async def test_it_tells_the_time_and_how_the_platform_is(lab: Any, line: Simulator, clock: HandClock) -> None:
    state = (await lab.get(f"{line.url}/_sim/lab")).json()
    assert (state["now_ms"], state["movable"], state["outage"]) == (clock.now_ms(), True, "none")
    assert [one["name"] for one in state["outages"]] == ["none", "busy", "down", "slow", "silent"]


async def test_time_goes_forward_for_everybody_who_shares_the_clock(lab: Any, clock: HandClock) -> None:
    before = clock.now_ms()
    assert (await lab.post("clock", json={"seconds": 86_100})).json()["now_ms"] == before + 86_100_000
    assert clock.now_ms() == before + 86_100_000


@pytest.mark.parametrize("seconds", [0, -5, 1.5, "60", None, 32 * 86_400])
async def test_it_goes_neither_back_nor_too_far(lab: Any, clock: HandClock, seconds: Any) -> None:
    before = clock.now_ms()
    answer = await lab.post("clock", json={"seconds": seconds})
    assert (answer.status_code, clock.now_ms()) == (400, before)


async def test_an_outage_lasts_until_it_is_ended(lab: Any, build: Build, ada: Customer) -> None:
    connector = build()
    await lab.post("outage", json={"name": "busy"})
    for _ in range(2):
        with pytest.raises(RateLimited):
            await connector.deliver(outbound(ada, "Hello"))
    await lab.post("outage", json={"name": "down"})
    with pytest.raises(TryLater):
        await connector.deliver(outbound(ada, "Hello"))
    await lab.post("outage", json={"name": "none"})
    assert (await connector.deliver(outbound(ada, "Hello"))).parts
    assert (await lab.post("outage", json={"name": "flood"})).status_code == 400


def test_the_demos_clock_goes_by_itself_and_tells_of_jumps() -> None:
    heard: list[float] = []
    clock = MovableClock()
    clock.listeners.append(heard.append)
    before = clock.now_ms()
    clock.move(3600)
    assert clock.now_ms() >= before + 3_600_000
    assert heard == [3600]
