"""Recordings, simulators and connectors agree: what is replayed to one is what the other would have got.

The facts of the recordings are those of the platforms' documentation. A simulator that answers otherwise, or a
connector that asks otherwise, has drifted away.
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import msgspec
import pytest

from tests.connectors.wire import RECORDINGS, Exchange, differences, filled, recorded
from trunkline.contract import OutboundMessage
from trunkline.errors import DeliveryError
from trunkline.model import Address, Author, AuthorKind, QuickReply
from trunkline.plugins import load_registry
from trunkline.testing.phones import Action
from trunkline.testing.services import FakeServices, HandClock
from trunkline.testing.simulator import Simulator

REGISTRY = load_registry(())
#: Hosted channels: both ends are ours, and one document describes the wire between them.
HOSTED = {"web_desktop", "web_mobile", "app_sdk"}


def simulator_of(channel: str, clock: HandClock) -> Simulator:
    spec, _ = REGISTRY.channels[channel]
    assert spec.simulator is not None
    kind = resolve_name(spec.simulator)
    simulator: Simulator = kind(clock=clock, **({"channel": channel} if channel in kind.channels else {}))
    return simulator


def test_every_channel_of_a_platform_is_recorded() -> None:
    assert set(REGISTRY.channels) - HOSTED == set(RECORDINGS)


# ---------------------------------------------------------------- the simulator


@pytest.mark.parametrize("channel", RECORDINGS)
async def test_a_simulator_answers_as_the_platform_was_recorded(channel: str) -> None:
    clock, found = HandClock(), {}
    async with (
        simulator_of(channel, clock) as platform,
        httpx2.AsyncClient(base_url=platform.url, trust_env=False) as http,
    ):
        known = await known_of(platform)
        for exchange in recorded(channel):
            clock.move(exchange.later_s)
            asked = filled(exchange, {**known, "key": exchange.key, "ours": "omni_0001"})
            answer = await asked.call.ask(http)
            told = answer.json()
            lacking = {f"{key} is only recorded" for key in asked.may_lack}
            found_apart = differences(asked.answer.json, told, asked.decides)
            told_apart = [words for words in found_apart if words.rpartition(".")[2] not in lacking]
            if answer.status_code != asked.answer.status:
                told_apart.append(f"the status is {asked.answer.status} recorded, {answer.status_code} found")
            found[exchange.name] = told_apart
            known |= {name: told.get(key) for name, key in exchange.keep.items()}
    assert {name: words for name, words in found.items() if words} == {}


async def known_of(platform: Simulator) -> dict[str, Any]:
    """Return what the placeholders stand for: the settings of the account, a customer, and what they just wrote."""
    customer = platform.add_customer("Mei")
    await platform.act(customer, Action(kind="text", text="Hello"))
    (first,) = platform.chat(customer)
    return {**_simple(platform.settings()), "customer": customer, "first": first.id}


def _simple(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that stand in requests; of a list its first."""
    firsts = {name: one[0] if isinstance(one, list) else one for name, one in settings.items()}
    return {name: one for name, one in firsts.items() if isinstance(one, str | int)}


# ---------------------------------------------------------------- the connector

SENDS = [
    pytest.param(channel, exchange, id=f"{channel}: {exchange.name}")
    for channel in RECORDINGS
    for exchange in recorded(channel)
    if exchange.sends is not None
]


@pytest.mark.parametrize(("channel", "exchange"), SENDS)
async def test_a_connector_asks_as_recorded_and_heeds_the_answer(channel: str, exchange: Exchange) -> None:
    platform, clock = simulator_of(channel, HandClock()), HandClock()
    known = {**await known_of(platform), "token": "a-kept-token", "key": exchange.key, "ours": "*"}
    wanted, stage = filled(exchange, known), Stage([filled(one, known) for one in recorded(channel)])
    stage.answers = {where(wanted): wanted}
    spec, _ = REGISTRY.channels[channel]
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(stage.answer))
    async with FakeServices(spec.config(**platform.settings()), channel=channel, clock=clock, http=http) as services:
        connector = spec.build(services)
        try:
            outcome = type(await connector.deliver(message(wanted))).__name__
        except DeliveryError as error:
            outcome = type(error).__name__
    assert outcome == exchange.outcome
    assert wrong_in(wanted, stage.asked[where(wanted)]) == {}


class Stage:
    """A platform that answers as it was recorded, and keeps the first request of each kind."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._others = exchanges
        self.answers: dict[tuple[str, str], Exchange] = {}
        self.asked: dict[tuple[str, str], httpx2.Request] = {}

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        place = (request.method, request.url.path)
        self.asked.setdefault(place, request)
        others = (one for one in self._others if where(one) == place and one.answer.status == 200)
        chosen = self.answers.get(place) or next(others)
        return httpx2.Response(chosen.answer.status, json=chosen.answer.json)


def where(exchange: Exchange) -> tuple[str, str]:
    return exchange.call.method, exchange.call.path


def message(wanted: Exchange) -> OutboundMessage:
    assert wanted.sends is not None
    return OutboundMessage(
        delivery_id="d1",
        thread_key=wanted.thread_key or wanted.to,
        to=Address(external_id=wanted.to),
        author=Author(kind=AuthorKind.AGENT, name="Bo"),
        parts=(wanted.sends,),
        quick_replies=tuple(msgspec.convert(wanted.quick_replies, list[QuickReply])),
        key=wanted.key,
    )


def wrong_in(wanted: Exchange, asked: httpx2.Request) -> dict[str, Any]:
    """Return what a request has otherwise than it is recorded, by part: (recorded, asked)."""
    call = wanted.call
    headers = {name: asked.headers.get(name) for name in call.headers}
    pairs: dict[str, tuple[Any, Any]] = {name: (one, headers[name]) for name, one in call.headers.items()}
    if "body" not in wanted.not_compared:
        pairs["query"] = (call.query, dict(asked.url.params))
        pairs["body"] = _bodies(wanted, asked)
    return {name: pair for name, pair in pairs.items() if name not in wanted.not_compared and not _same(*pair)}


def _bodies(wanted: Exchange, asked: httpx2.Request) -> tuple[Any, Any]:
    if wanted.call.form is not None:
        return wanted.call.form, dict(parse_qsl(asked.content.decode(), keep_blank_values=True))
    return wanted.call.json, msgspec.json.decode(asked.content)


def _same(wanted: Any, found: Any) -> bool:
    if wanted == "*":
        return bool(found)
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(_same(one, found[key]) for key, one in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    return bool(wanted == found)
