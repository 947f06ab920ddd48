"""A house with an account on every channel that is installed, each beside its simulator: what a whole street sees."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import aiohttp

from tests.core.conftest import HandClock
from tests.desk.harness import Answer, Client
from tests.journeys.shop import Template, until
from tests.ports import free_port
from trunkline.main import open_house, serve_house
from trunkline.plugins import Registry, load_registry
from trunkline.service.house import House
from trunkline.settings import load_settings
from trunkline.testing.simulator import Simulator

__all__ = ["Street", "open_street"]

Json = dict[str, Any]


class Street:
    """The platforms by the name of the channel (of the connector where one account has several), and the API."""

    house: House

    def __init__(self, address: str, session: aiohttp.ClientSession, tokens: dict[str, str]) -> None:
        self.address, self._session, self._tokens = address, session, tokens
        self.platforms: dict[str, Simulator] = {}

    def client(self, email: str) -> Client:
        return Client(self._session, self.address, self._tokens[email])

    async def visits(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Call the visitor protocol below /client/v1 as a page or an app does."""
        url, sent = f"{self.address}/client/v1{path}", {name.replace("_", "-"): one for name, one in headers.items()}
        async with self._session.request(method, url, json=body, headers=sent) as answer:
            return Answer(answer.status, answer.headers, await answer.read())


@asynccontextmanager
async def open_street(folder: Path, template: Template) -> AsyncIterator[Street]:
    """Serve every installed channel; each account has the id of its platform."""
    file, tokens = template
    shutil.copy(file, folder / "street.db")
    clock, registry, port = HandClock(), load_registry(()), free_port()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        street = Street(f"http://127.0.0.1:{port}", session, tokens)
        connectors = await _platforms(stack, registry, clock, street.platforms)
        written = folder / "trunkline.toml"
        written.write_text(_configuration(folder, street, connectors), encoding="utf-8")
        street.house = await stack.enter_async_context(open_house(load_settings(written), clock=clock))
        await stack.enter_async_context(serve_house(street.house, f"127.0.0.1:{port}"))
        await until(lambda: _all_connected(street))
        yield street


async def _platforms(
    stack: AsyncExitStack, registry: Registry, clock: HandClock, platforms: dict[str, Simulator]
) -> dict[str, str]:
    """Start a platform for every channel; returns the connector of each."""
    found = {}
    for name, spec in registry.connectors.items():
        assert spec.simulator is not None
        kind = resolve_name(spec.simulator)
        for channel in kind.channels or (None,):
            options = {} if channel is None else {"channel": channel}
            platforms[channel or name] = await stack.enter_async_context(kind(clock=clock, **options))
            found[channel or name] = name
    return found


async def _all_connected(street: Street) -> bool:
    accounts = [street.house.accounts.get(name) for name in street.platforms]
    return all(account is not None and account.state == "connected" for account in accounts)


def _configuration(folder: Path, street: Street, connectors: dict[str, str]) -> str:
    hosts = [platform.url.partition("//")[2] for platform in street.platforms.values()]
    lines = ["[server]", f"public_url = {json.dumps(street.address)}", f"allow_hosts = {json.dumps(hosts)}"]
    lines += ['metrics_listen = "off"', "[database]", f'url = "sqlite:///{folder}/street.db"']
    lines += ["[log]", 'level = "ERROR"']
    for name, platform in street.platforms.items():
        platform.webhook_url = f"{street.address}/webhooks/{name}"
        lines += ["[[accounts]]", f'id = "{name}"', f'connector = "{connectors[name]}"', "[accounts.settings]"]
        lines += [f"{key} = {_toml(value)}" for key, value in platform.settings().items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Return a value as TOML writes it; JSON's strings, numbers and words are TOML's too."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_toml(one)}' for key, one in value.items())} }}"
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list) else json.dumps(value)
