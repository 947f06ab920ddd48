"""Addresses and keys of accounts: none leads where it must not, none is given twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any

import pytest
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from tests.desk.harness import Client, Running
from tests.desk.test_accounts import KIOSK, refusal, wrote
from trunkline.contract import Capabilities, Channel, ConnectorSpec, Receiving, Services, Transport
from trunkline.hosted import HostedConnector
from trunkline.plugins import load_registry
from trunkline.service.account_forms import FormRefused, read_form, schema_of
from trunkline.store import schema

# ---------------------------------------------------------------- SEC-05

ELSEWHERE = [
    "http://127.0.0.1:{port}",
    "https://127.0.0.1",
    "https://localhost",
    "https://169.254.169.254",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://0x7f000001",
    "https://127.1",
    "https://168.63.129.16",
    "https://10.0.0.8",
    "https://metadata.google.internal",
    "https://evil.example",
    "https://api.wire.example.evil.example",
    "https://api.wire.example@evil.example",
    "https://api.wire.example:8443",
    "http://api.wire.example",
]


def _simulated() -> Iterator[tuple[str, dict[str, Any]]]:
    """What simulated platforms give as settings, for every connector that has one."""
    for spec in load_registry().connectors.values():
        if spec.simulator is not None and spec.pages is None and spec.name != "line":
            module, _, name = spec.simulator.partition(":")
            settings = getattr(import_module(module), name)().settings()
            yield spec.name, {key: value for key, value in settings.items() if not str(value).startswith("http://")}


SIMULATED = dict(_simulated())
#: What the installed connectors need besides their addresses. A new connector with an address must be added.
SAMPLES: dict[str, dict[str, Any]] = {
    "line": {"channel_id": "2000000001", "channel_secret": ["0123456789abcdef0123456789abcdef"], "access_token": "t"},
    **SIMULATED,
}


#: (connector, address) → what else has to be set, None for what must not.
GO_WITH: dict[tuple[str, str], dict[str, Any]] = {
    ("wechat", "access_service"): {"tokens_from": "service", "app_secret": None},
}


@pytest.fixture
async def canary() -> AsyncIterator[tuple[int, list[str]]]:
    """A private server that nobody may reach: its port and who did."""
    hits: list[str] = []

    async def hit(request: web.Request) -> web.Response:
        hits.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hit)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1], hits
    await runner.cleanup()


async def test_sec_05_no_address_of_an_account_leads_elsewhere(
    desk: Running, ada: Client, canary: tuple[int, list[str]]
) -> None:
    port, hits = canary
    for address in ELSEWHERE:
        url = address.format(port=port)
        for settings, field in (
            ({"secret": "x", "calls_home": True, "api_base": url}, "settings.api_base"),
            ({"secret": "x", "keys": [{"name": "a", "key": "k", "served_at": url}]}, "settings.keys.0.served_at"),
        ):
            answer = await ada.call("POST", "/accounts", {**KIOSK, "settings": settings})
            assert [place for place, _ in await refusal(answer)] == [field], url
    good = {"secret": "x", "keys": [{"name": "a", "key": "k", "served_at": "https://eu.keys.wire.example/a"}]}
    await ada.post("/accounts", {**KIOSK, "settings": good})
    assert hits == []


async def test_sec_05_what_was_stored_before_is_guarded_when_it_is_used(
    desk: Running, ada: Client, canary: tuple[int, list[str]]
) -> None:
    """The form is a courtesy; the client is the guard."""
    port, hits = canary
    await ada.post("/accounts", KIOSK)
    settings = {"secret": "x", "calls_home": True, "api_base": f"http://127.0.0.1:{port}"}
    sealed = desk.house.secrets.encrypt(settings)
    table = schema.account
    await desk.house.store.writer.write(
        lambda tx: tx.execute(table.update().where(table.c.id == "kiosk").values(settings=sealed)).rowcount
    )
    await desk.house.accounts.refresh()
    health = await ada.post("/accounts/kiosk/probe")
    assert (health["state"], hits) == ("failing", [])
    assert "not allowed" in health["reason"]


def test_sec_05_every_address_of_every_installed_connector_is_guarded() -> None:
    fields = list(_fields())
    assert ("line", ("api_base",)) in [(spec.name, place) for spec, place in fields]
    for spec, place in fields:
        for address in ELSEWHERE:
            wanted = {**SAMPLES[spec.name], **GO_WITH.get((spec.name, place[0]), {}), place[0]: address.format(port=80)}
            settings = {name: value for name, value in wanted.items() if value is not None}
            with pytest.raises(FormRefused) as refused:
                read_form(spec, settings, None, key=b"k", allow_hosts=())
            assert refused.value.errors[0][0] == f"settings.{place[0]}", (spec.name, address)


def _fields() -> Iterator[tuple[ConnectorSpec, tuple[str, ...]]]:
    """Every setting of every installed connector that holds an address, found in the schemas."""
    for spec in load_registry().connectors.values():
        for name, part in schema_of(spec).get("properties", {}).items():
            if '"format": "uri"' in json.dumps(part):
                yield spec, (name,)


# ---------------------------------------------------------------- hosted accounts


class Booth(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str | None = None


class BoothConnector(HostedConnector):
    def __init__(self, services: Services[Booth]) -> None:
        self._key = services.config.key or f"wk_{services.account_id}"

    @property
    def public_key(self) -> str:
        return self._key

    def channel_for(self, client: Any) -> str:
        return "booth"

    def embed(self, public_url: str) -> str:
        return f"{public_url}/booth?key={self._key}"


BOOTH = ConnectorSpec(
    name="booth",
    title={"en": "Booth"},
    config=Booth,
    channels=(
        Channel(
            code="booth",
            title={"en": "Booth"},
            capabilities=Capabilities(receives={}, sends={}, receiving=Receiving(transport=Transport.HOSTED)),
        ),
    ),
    build=BoothConnector,
)


async def test_a_hosted_account_has_lines_to_embed_and_a_key_of_its_own(desk: Running, ada: Client) -> None:
    connectors: Any = desk.house.registry.connectors
    connectors["booth"] = BOOTH
    made = await ada.post("/accounts", {"id": "b1", "connector": "booth"})
    assert (made["webhook_url"], made["embed"]) == (None, "http://desk.example/booth?key=wk_b1")
    assert {one["name"]: one["hosted"] for one in (await ada.get("/connectors"))["items"]}["booth"] is True
    assert await wrote(desk, "x", "x", account="b1") in {404, 405}
    for method, path, body in (
        ("POST", "/accounts", {"id": "b2", "connector": "booth", "settings": {"key": "wk_b1"}}),
        ("PATCH", "/accounts/b1", {"settings": {"key": "wk_own"}}),
        ("POST", "/accounts", {"id": "b3", "connector": "booth", "settings": {"key": "wk_own"}}),
    ):
        answer = await ada.call(method, path, body)
        if method == "PATCH":
            assert answer.json["embed"].endswith("wk_own")
        else:
            assert [place for place, _ in await refusal(answer)] == ["settings.key"]
