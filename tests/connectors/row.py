"""A row of doors: one house with an account on every platform, and what each platform really sends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict

from tests.core.conftest import HandClock
from tests.promises.history import Database
from tests.promises.office import SUBJECTS, account_toml, only
from trunkline.contract import Connector, TrustedBody, WebhookRequest
from trunkline.errors import RequestRefused
from trunkline.main import build_app, open_house
from trunkline.service.house import House
from trunkline.service.puller import Puller
from trunkline.settings import load_settings
from trunkline.testing.conformance.door import Door, normal
from trunkline.testing.conformance.stage import simulator_of
from trunkline.testing.phones import Action
from trunkline.testing.simulator import Simulator

__all__ = ["CHANNELS", "Row", "open_row", "refused"]

CHANNELS = tuple(SUBJECTS)


def refused(connector: Connector, request: WebhookRequest) -> bool:
    """Whether the connector does not trust a request."""
    try:
        connector.authenticate(normal(request))
    except RequestRefused:
        return True
    return False


class Row:
    """The house, the platforms by channel, and one webhook of each as it was really sent."""

    house: House
    address = ""

    def __init__(self, folder: Path, clock: HandClock, platforms: Mapping[str, Simulator]) -> None:
        self.folder, self.clock, self.platforms = folder, clock, platforms
        self.requests: dict[str, WebhookRequest] = {}
        self.database = Database(f"sqlite:///{folder}/row.db")
        self.session = aiohttp.ClientSession()
        self._open = contextlib.AsyncExitStack()

    def connector(self, channel: str) -> Connector:
        account = self.house.accounts.get(channel)
        assert account is not None
        assert account.connector is not None
        return account.connector

    def body(self, channel: str) -> TrustedBody:
        """Return the trusted bytes of the platform's webhook."""
        return self.connector(channel).authenticate(normal(self.requests[channel]))

    async def open(self, *, server: str = "") -> None:
        """Open the house, or another one over the same database; `server` is more TOML."""
        await self.close()
        await self._open.enter_async_context(_at_work(self, server))

    async def close(self) -> None:
        await self._open.aclose()

    async def send(self, channel: str, request: WebhookRequest, **headers: str) -> int:
        """Post a request to the channel's door; returns the status."""
        given = {name: value for name, value in request.headers.items() if name.lower() not in _OF_THE_WIRE}
        url = f"{self.address}/webhooks/{channel}"
        call = self.session.post(url, data=request.body, params=request.query, headers={**given, **headers})
        async with call as answer:
            return answer.status

    async def pull(self) -> None:
        await Puller(self.house).settle()

    def stored(self) -> dict[str, int]:
        """Return how many messages each channel has."""
        query = "SELECT t.account_id, count(*) FROM message m JOIN thread t ON t.id = m.thread_id GROUP BY t.account_id"
        return {str(channel): int(count) for channel, count in self.database.rows(query)}

    def kept(self) -> int:
        """Return how many requests are stored, read or not."""
        return int(self.database.rows("SELECT count(*) FROM raw_request WHERE method <> 'PULL'")[0][0])

    async def heads_only(self, channel: str, length: int, *, target: str = "", **headers: str) -> int:
        """Send the head of a request whose body never comes; returns the status of the answer."""
        host, _, port = self.address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": host, **headers}.items())
        path = target or f"/webhooks/{channel}"
        writer.write(f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n".encode())
        try:
            async with asyncio.timeout(30):
                return int((await reader.readline()).split()[1])
        finally:
            writer.close()


#: Headers that the client writes itself.
_OF_THE_WIRE = {"host", "content-length", "accept", "accept-encoding", "user-agent", "connection"}


@contextlib.asynccontextmanager
async def open_row(folder: Path, *, server: str = "") -> AsyncIterator[Row]:
    """Open a row of doors, and let a customer of each platform write once into a notebook of ours."""
    clock = HandClock()
    async with contextlib.AsyncExitStack() as stack:
        made = {code: simulator_of(subject)(clock=clock) for code, subject in SUBJECTS.items()}
        for platform in made.values():
            await stack.enter_async_context(platform)
        row = Row(folder, clock, made)
        stack.push_async_callback(row.session.close)
        stack.push_async_callback(row.close)
        await row.open(server=server)
        for channel in made:
            row.requests[channel] = await _written(row, channel)
        yield row


async def _written(row: Row, channel: str) -> WebhookRequest:
    """Return the webhook of a customer's text."""
    door, platform = Door(), row.platforms[channel]
    door.connector = row.connector(channel)
    await door.open()
    try:
        platform.webhook_url = door.url
        await platform.act(platform.add_customer("Mei"), Action(kind="text", text="MARKER"))
        request = door.requests[-1]
        return msgspec.structs.replace(request, headers=CIMultiDict(request.headers))
    finally:
        await door.close()


@contextlib.asynccontextmanager
async def _at_work(row: Row, server: str) -> AsyncIterator[None]:
    hosts = ", ".join(f'"{platform.url.partition("//")[2]}"' for platform in row.platforms.values())
    accounts = "".join(
        account_toml(SUBJECTS[code], platform.settings(), code) for code, platform in row.platforms.items()
    )
    written = row.folder / "trunkline.toml"
    written.write_text(
        f'[server]\npublic_url = "http://row.example"\nallow_hosts = [{hosts}]\nmetrics_listen = "off"\n{server}\n'
        f'[database]\nurl = "{row.database.url}"\n[log]\nlevel = "ERROR"\n[media]\nfree_space_floor = 0\n{accounts}'
    )
    registry = only(*SUBJECTS.values())
    async with open_house(load_settings(written), clock=row.clock, registry=registry) as row.house:
        runner: Any = web.AppRunner(build_app(row.house), access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        row.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()
