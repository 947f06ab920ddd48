"""What a simulator's customers send has the shape of what the platform's were recorded to send, and is read alike."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from defusedxml.ElementTree import fromstring

from tests.connectors.test_drift import REGISTRY, simulator_of
from tests.connectors.wire import RECORDINGS
from trunkline.contract import Connector, Item, PullRequest, PullRequested, Transport, TrustedBody, WebhookRequest
from trunkline.testing.services import FakeServices, HandClock
from trunkline.testing.simulator import Simulator
from trunkline_wechat.simulator.wire import xml_of

Json = dict[str, Any]


def from_xml(body: bytes) -> Iterator[Json]:
    """Return a packet; what is written several times under one name is a list."""

    def read(node: Any) -> Any:
        found: dict[str, Any] = {}
        for child in node:
            found[child.tag] = read(child)
        return found or (node.text or "")

    yield read(fromstring(body))


def graph(kind: str, entry: str) -> Callable[[Json], bytes]:
    def body_of(sample: Json) -> bytes:
        events = {sample["where"]: [sample["event"]]}
        return json.dumps({"object": kind, "entry": [{"id": entry, "time": 1767225600123, **events}]}).encode()

    return body_of


def whatsapp(sample: Json) -> bytes:
    entry = {"id": "7001", "changes": [sample["change"]]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def packet(sample: Json) -> bytes:
    return json.dumps(sample["packet"]).encode()


class Samples(NamedTuple):
    """How a channel's recorded samples become a body, and a body its events."""

    file: str
    body_of: Callable[[Json], bytes]
    events_in: Callable[[bytes], Iterator[Json]]


def plain(body: bytes) -> Iterator[Json]:
    yield json.loads(body)


def graph_events(body: bytes) -> Iterator[Json]:
    for entry in json.loads(body)["entry"]:
        yield from entry.get("messaging") or entry.get("changes") or entry.get("standby") or ()


_WECOM = {"ToUserName": "ww99ee88dd77cc66bb", "FromUserName": "Staff1", "CreateTime": 1720000100, "AgentID": 1000002}
_OFFICIAL = Samples("wechat/samples_official.jsonl", lambda one: xml_of(one["packet"]), from_xml)
SAMPLES = {
    "line": Samples(
        "line/samples.jsonl",
        lambda one: json.dumps({"destination": "U00000000000000000000000000000001", "events": [one["event"]]}).encode(),
        lambda body: iter(json.loads(body)["events"]),
    ),
    "whatsapp": Samples("whatsapp/samples.jsonl", whatsapp, graph_events),
    "facebook": Samples("facebook/samples.jsonl", graph("page", "9001"), graph_events),
    "instagram": Samples("facebook/samples.jsonl", graph("instagram", "17841400009001"), graph_events),
    "wechat_oa": _OFFICIAL,
    "wechat_mini": Samples("wechat/samples_official.jsonl", packet, plain),
    "wecom": Samples("wechat/samples_wecom.jsonl", lambda one: xml_of({**_WECOM, **one["packet"]}), from_xml),
    "wechat_kf": Samples(
        "wechat/samples_kf.jsonl",
        lambda one: json.dumps({"errcode": 0, "next_cursor": "c", "has_more": 0, "msg_list": [one["item"]]}).encode(),
        lambda body: iter(json.loads(body)["msg_list"]),
    ),
    "weibo": Samples("weibo/samples.jsonl", packet, plain),
    "baidu_ad": Samples("baidu/samples.jsonl", packet, plain),
}

Kind = tuple[str, str | None, str | None]
#: What any kind may have: the platform's pages say it of one kind and mean all.
ALSO = {
    "line": {".message.markAsReadToken: str"},
    "whatsapp": {f".value.messages[].{kind}.url: str" for kind in ("audio", "document", "sticker", "video")},
}


def kind_of(item: Item) -> Kind:
    content = getattr(item, "content", None)
    return type(item).__name__, type(content).__name__ if content else None, getattr(item, "platform_kind", None)


def paths(value: Any, at: str = "") -> set[str]:
    """Return every place in a value with the type of what stands there; a list is a place of its own."""
    if isinstance(value, dict):
        return {path for key, one in value.items() for path in paths(one, f"{at}.{key}")}
    if isinstance(value, list):
        return {path for one in value for path in paths(one, f"{at}[]")}
    return {f"{at}: {'number' if type(value) in (int, float) else type(value).__name__}"}


def recorded_events(channel: str, connector: Connector) -> dict[Kind, list[set[str]]]:
    """Return the shapes of all recorded events by what the connector reads in them."""
    samples: Samples = SAMPLES[channel]
    found: dict[Kind, list[set[str]]] = defaultdict(list)
    lines = (Path(__file__).parent / samples.file).read_text(encoding="utf-8").splitlines()
    for sample in map(json.loads, lines):
        add_events(samples.body_of(sample), samples, connector, found)
    return found


def add_events(body: bytes, samples: Samples, connector: Connector, found: dict[Kind, list[set[str]]]) -> None:
    """Add the shape of every event of a body to those of its kind; each event is one item."""
    events, items = list(samples.events_in(body)), connector.parse(TrustedBody(body))
    if len(events) == 1:
        events *= len(items)
    for event, item in zip(events, items, strict=True):
        found[kind_of(item)].append(paths(event))


class Ear:
    """Our address: keeps the bodies that were proved."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.bodies: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        asked = WebhookRequest(
            method=request.method, query=dict(request.query), headers=request.headers, body=await request.read()
        )
        self.bodies.append(self.connector.authenticate(asked))
        answer = self.connector.acknowledge(self.connector.parse(TrustedBody(self.bodies[-1])))
        return web.Response(status=answer.status, body=answer.body)


@asynccontextmanager
async def listening(platform: Simulator, connector: Connector) -> AsyncIterator[Ear]:
    ear, app = Ear(connector), web.Application()
    app.router.add_route("*", "/webhooks/shop", ear.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        platform.webhook_url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/shop"
        yield ear
    finally:
        await runner.cleanup()


async def made_by(platform: Simulator, connector: Connector, transport: Transport) -> list[bytes]:
    """Let a customer send every kind that the platform has, and return the bodies from which items are read."""
    async with listening(platform, connector) as ear:
        mei = platform.add_customer("Mei")
        for action in platform.writes.values():
            if action.kind != "press" or action.press:
                await platform.act(mei, action)
    if transport is not Transport.NOTIFY:
        return ear.bodies
    items = [item for body in ear.bodies for item in connector.parse(TrustedBody(body))]
    asked = next(item for item in items if isinstance(item, PullRequested))
    return [(await connector.pull(PullRequest(scope=asked.scope, token=asked.token))).raw]


@pytest.mark.parametrize("channel", SAMPLES)
async def test_what_a_simulator_sends_has_the_shape_of_what_was_recorded(channel: str) -> None:
    spec, described = REGISTRY.channels[channel]
    made: dict[Kind, list[set[str]]] = defaultdict(list)
    async with (
        simulator_of(channel, clock := HandClock()) as platform,
        FakeServices(spec.config(**platform.settings()), channel=channel, clock=clock) as services,
    ):
        connector = spec.build(services)
        recorded = recorded_events(channel, connector)
        for body in await made_by(platform, connector, described.capabilities.receiving.transport):
            add_events(body, SAMPLES[channel], connector, made)
    assert made
    also = ALSO.get(channel, set())
    told_apart = {kind: apart(shapes, recorded[kind], also) for kind, shapes in made.items()}
    assert {kind: words for kind, words in told_apart.items() if words} == {}


def apart(made: list[set[str]], recorded: list[set[str]], also: set[str]) -> list[str]:
    """Return what every recorded event has and one of these lacks, and what none has and one of these has."""
    if not recorded:
        return ["nothing like it was recorded"]
    always, ever = set.intersection(*recorded), set.union(*recorded)
    lacking = {f"lacks {path}" for shape in made for path in always - shape}
    return sorted(lacking | {f"has {path}" for shape in made for path in shape - ever - also})


def test_every_channel_of_a_platform_has_samples() -> None:
    assert set(SAMPLES) == set(RECORDINGS)
