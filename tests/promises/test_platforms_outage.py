"""P12 on every platform: fourteen ways in which a platform fails, and an hour in which it answers nothing else.

Push run, on each platform: every way twice on the way of one reply, whose copies at the customer are counted exactly;
1,000 replies that wait an hour while every request is refused, with at most 130 requests. The clock is a hand's.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conftest import Rounds
from tests.promises.office import PLATFORMS, SEEDED, SILENT_AFTER, SILENT_BEFORE, Office, open_office
from tests.promises.platform_seeds import planted
from trunkline.contract import Idempotency
from trunkline.service.outbox import dispatcher
from trunkline.testing.faults import Fault

pytestmark = [pytest.mark.promise("P12"), pytest.mark.timeout(600)]

_DOWN = Fault(do="answer", status=503, body="down", content_type="text/plain")
_TIMES = 2
_MOST_REQUESTS = 130
#: An error in the body of a yes, in the dialects of all platforms at once.
_ERROR = (
    '{"errcode":-1,"errmsg":"system error","errno":1,"error_code":10001,"error":"system error",'
    '"request":"/x","message":"system error","code":1}'
)


@dataclass(frozen=True)
class Way:
    """One way to fail: how, and whether the platform took the message all the same."""

    make: Callable[[Any], Fault]
    taken: bool = False


#: Ways to fail of which a platform may mean that it is for good: then the reply ends visibly.
_TOLD = "a yes with an error in it"


def _answer(status: int, body: str = "oops", content_type: str = "text/plain") -> Way:
    return Way(lambda _: Fault(do="answer", status=status, body=body, content_type=content_type))


WAYS: dict[str, Way] = {
    "500": _answer(500),
    "502": _answer(502),
    "503": _answer(503),
    "limited, with a time": Way(lambda platform: platform.limited(after_s=90)),
    "limited, without a time": Way(lambda platform: platform.limited(after_s=None)),
    "silent before it took it": Way(lambda _: SILENT_BEFORE),
    "silent after it took it": Way(lambda _: SILENT_AFTER, taken=True),
    "reset before it took it": Way(lambda _: Fault(do="close_before")),
    "reset after it took it": Way(lambda _: Fault(do="close_after"), taken=True),
    "half an answer": Way(lambda _: Fault(do="cut"), taken=True),
    "an answer byte by byte": Way(lambda _: Fault(do="drip", seconds=0)),
    _TOLD: _answer(200, _ERROR, "application/json"),
    "a yes that is no JSON": _answer(200, '{"a":', "application/json"),
    "an answer of 10 MiB": _answer(200, "x" * (10 << 20)),
}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")


class Hourglass:
    """The dispatcher's `asyncio`, whose time-outs can be turned over."""

    def __init__(self) -> None:
        self._last: asyncio.Timeout | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        self._last = asyncio.timeout(seconds)
        return self._last

    def run_out(self) -> None:
        """End the time of the attempt that began last."""
        assert self._last is not None
        self._last.reschedule(asyncio.get_running_loop().time())


@pytest.fixture
def hourglass(monkeypatch: pytest.MonkeyPatch) -> Hourglass:
    glass = Hourglass()
    monkeypatch.setattr(dispatcher, "asyncio", glass)
    return glass


def _expected(office: Office, name: str) -> int:
    """Return how often the customer reads the reply: more than once only where nothing tells us that it was taken."""
    if name == "an answer byte by byte" or not WAYS[name].taken:
        return 1
    return 1 if office.idempotency is not Idempotency.NOTHING else 1 + _TIMES


@pytest.mark.parametrize("channel", PLATFORMS)
async def test_what_is_delivered_is_counted_exactly_in_fourteen_ways_to_fail(
    channel: str, tmp_path: Path, hourglass: Hourglass
) -> None:
    async with open_office(tmp_path, channel) as office:
        office.weather.out_of_patience = hourglass.run_out
        read = {name: await _fail(office, name) for name in WAYS}
        ended = office.given_up()
        assert ended <= {f"after {_TOLD}"}
        assert read == {name: _expected(office, name) - (f"after {name}" in ended) for name in WAYS}
        assert set(office.states()) <= {"sent", "delivered", "failed"}
        more = {f"after {name}" for name, count in read.items() if count > 1}
        assert more <= office.flagged()


@pytest.mark.parametrize("channel", PLATFORMS)
async def test_the_time_that_a_platform_asks_for_is_kept(channel: str, tmp_path: Path) -> None:
    async with open_office(tmp_path, channel) as office:
        fault = office.platform.limited(after_s=90)
        before = len(office.platform.journal)
        await _fail(office, "limited, with a time")
        tries = [entry for entry in list(office.platform.journal)[before:] if entry.path in office.weather.paths]
        pauses = [(later.at_ms - earlier.at_ms) / 1000 for earlier, later in itertools.pairwise(tries)]
        assert len(pauses) == _TIMES
        told = bool(fault.headers) or "90" in fault.body
        assert min(pauses) >= (90 if told else 1)


async def _fail(office: Office, name: str) -> int:
    """Let both first attempts of a reply fail; returns how often the customer reads it in the end."""
    ((customer, thread),) = (await office.customers(1, name.title())).items()
    way = WAYS[name].make(office.platform)
    whole = way if way in (SILENT_BEFORE, SILENT_AFTER) else msgspec.structs.replace(way, times=1)
    office.weather.fault, office.weather.times = whole, _TIMES
    await office.post({thread: [f"after {name}"]})
    await office.drain()
    assert office.weather.times < _TIMES, "The fault did not happen."
    office.weather.fault = None
    return office.heard(customer).count(f"after {name}")


@pytest.mark.parametrize("channel", PLATFORMS)
async def test_an_hours_outage_is_no_storm_and_loses_nothing(channel: str, tmp_path: Path, rounds: Rounds) -> None:
    waiting = rounds(push=1_000, long=10_000)
    async with open_office(tmp_path, channel) as office:
        people, requests = await _an_hour_down(office, waiting)
        assert 0 < requests <= _MOST_REQUESTS
        assert office.account_state()[0] == "failing"
        await office.drain(step_s=30)
        assert office.account_state()[0] == "connected"
        assert {customer: office.heard(customer) for customer in people} == {
            customer: [f"{thread}-{number}" for number in range(5)] for customer, thread in people.items()
        }


@pytest.mark.parametrize("channel", SEEDED)
async def test_a_sender_that_tries_again_at_once_is_caught(channel: str, tmp_path: Path) -> None:
    with planted("storm"):
        async with open_office(tmp_path, channel) as office:
            _, requests = await _an_hour_down(office, 5)
    assert requests > _MOST_REQUESTS


async def _an_hour_down(office: Office, waiting: int) -> tuple[dict[str, str], int]:
    """Let so many replies wait for an hour; returns customer → thread, and the requests that were made."""
    people = await office.customers(waiting // 5)
    # What answers at once is over by now: a reply without a key that got no answer is given up, and shown as such.
    await office.later(3_600)
    office.weather.fault, office.weather.sends = _DOWN, 0
    await office.post({thread: [f"{thread}-{number}" for number in range(5)] for thread in people.values()})
    await office.settle()
    for _ in range(360):
        await office.later(10)
    office.weather.fault = None
    return people, office.weather.sends
