"""A shop that runs: a simulated LINE, the real connector, the real house and its desk on loopback ports."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiohttp

from tests.core.conftest import HandClock
from tests.desk.harness import ADA, BO, Answer, Client
from tests.ports import free_port
from trunkline.clock import SystemClock
from trunkline.main import open_house, serve_house
from trunkline.service.house import House
from trunkline.settings import Settings, load_settings
from trunkline_line.signature import sign
from trunkline_line.simulator import Customer, Simulator

__all__ = ["ACCOUNT", "Open", "Shop", "at_work", "open_shop", "quiet_shop", "until"]

ACCOUNT = "shop-line"
#: How long anything may take on a machine that is busy with other things.
PATIENCE_S = 60.0

Json = dict[str, Any]
Found = TypeVar("Found")


class Open(Protocol):
    """The fixture `open_shop`: a shop of its own, with what differs from the usual one."""

    def __call__(self, *, clock: HandClock | None = None, demo: bool = False, **settings: Any) -> Any: ...


async def until(look: Callable[[], Awaitable[Found | None]], *, turn: Callable[[], None] | None = None) -> Found:
    """Look until there is something to see and return it; `turn` is called between two looks.

    Raises:
        TimeoutError: there was nothing for a minute.
    """
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await look()
            if found:
                return found
            if turn is not None:
                turn()
            await asyncio.sleep(0.05)


class Shop:
    """What a test holds in hand: the customers' side (`line`), the agents' side (`ada`, `bo`), and the time."""

    house: House

    def __init__(
        self, settings: Settings, line: Simulator, session: aiohttp.ClientSession, tokens: dict[str, str]
    ) -> None:
        self.settings, self.line, self.tokens = settings, line, tokens
        self.address = ""
        self._session = session

    def client(self, email: str | None) -> Client:
        return Client(self._session, self.address, self.tokens[email] if email else None)

    @property
    def ada(self) -> Client:
        """An admin."""
        return self.client(ADA[0])

    @property
    def bo(self) -> Client:
        """An agent."""
        return self.client(BO[0])

    async def is_connected(self) -> bool:
        """Whether the account was asked and answered well."""
        account = self.house.accounts.get(ACCOUNT)
        return account is not None and account.state == "connected"

    # ---------------------------------------------------------------- time

    def later(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due by then."""
        clock = self.house.clock
        assert isinstance(clock, HandClock)
        clock.advance(seconds=seconds)
        self.house.wake({"*"})

    def pauses(self, seconds: float) -> Callable[[], None]:
        """Return a `turn` that lets time pass, but not while a send is under way: its lease would end."""

        def turn() -> None:
            if not self.house.outbox.busy:
                self.later(seconds)

        return turn

    # ---------------------------------------------------------------- what agents see

    async def threads(self) -> list[Json]:
        page = await self.ada.get("/threads?state=any&limit=100")
        return list(page["items"])

    async def thread_of(self, customer: Customer) -> Json:
        """Return the thread of a customer's chat, when the log has told of it."""

        async def look() -> Json | None:
            for item in await self.threads():
                detail: Json = await self.ada.get(f"/threads/{item['id']}")
                if any(one["external_id"] == customer.chat.id for one in detail["identities"]):
                    return detail
            return None

        return await until(look)

    async def messages(self, thread_id: str) -> list[Json]:
        return list((await self.ada.get(f"/threads/{thread_id}/messages?limit=100"))["items"])

    async def message(self, message_id: str, thread_id: str) -> Json:
        return next(one for one in await self.messages(thread_id) if one["id"] == message_id)

    async def history(self, thread_id: str) -> list[Json]:
        return list((await self.ada.get(f"/threads/{thread_id}/history"))["items"])

    async def reply(self, thread_id: str, text: str, **more: Any) -> Json:
        return dict(await self.ada.post(f"/threads/{thread_id}/messages", {"text": text, **more}))

    async def until_state(self, message: Json, *states: str, turn: Callable[[], None] | None = None) -> Json:
        """Return our message when its delivery is in one of these states."""
        seen: list[str] = []

        async def look() -> Json | None:
            now = await self.message(message["id"], message["thread_id"])
            seen.append(now["delivery_state"])
            return now if now["delivery_state"] in states else None

        try:
            return await until(look, turn=turn)
        except TimeoutError:
            raise AssertionError(f"It never came to {states}; it was {dict.fromkeys(seen)}") from None

    async def until_media(self, thread_id: str, *, turn: Callable[[], None] | None = None) -> list[Json]:
        """Return the messages of a thread when no file is on its way any more."""

        async def look() -> list[Json] | None:
            shown = await self.messages(thread_id)
            waits = [one for one in shown if (one["content"].get("media") or {}).get("state") == "pending"]
            return None if waits else shown

        return await until(look, turn=turn)

    # ---------------------------------------------------------------- what the platform does

    async def knock(
        self, body: bytes = b'{"events":[]}', *, account: str = ACCOUNT, method: str = "POST", **headers: str
    ) -> Answer:
        """Call the webhook address with any body, signed if no signature is given. "-" leaves a header out."""
        secret = self.line.world.channel_secret
        given = {
            "x-line-signature": sign(body, secret).decode(),
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        kept = {name: value for name, value in given.items() if value != "-"}
        url = f"{self.address}/webhooks/{account}"
        async with self._session.request(method, url, data=BytesIO(body), headers=kept) as response:
            return Answer(response.status, response.headers, await response.read())

    def calls(self, path: str) -> list[Json]:
        """Return what LINE was asked under a path."""
        return [json.loads(entry.body or "{}") for entry in self.line.requests(path)]


Template = tuple[str, dict[str, str]]


@asynccontextmanager
async def open_shop(
    folder: Path, template: Template, *, clock: HandClock | None = None, demo: bool = False, **settings: Any
) -> AsyncIterator[Shop]:
    """Run a shop with the agents of `template`; `demo` lets pictures come from the simulator, as in the demo."""
    async with quiet_shop(folder, template, clock=clock, **settings) as shop, at_work(shop, demo=demo):
        yield shop


@asynccontextmanager
async def quiet_shop(
    folder: Path, template: Template, *, clock: HandClock | None = None, **settings: Any
) -> AsyncIterator[Shop]:
    """Have everything ready for a shop that does not work yet."""
    file, tokens = template
    if file:
        shutil.copy(file, folder / "shop.db")
        if clock is None:
            _renew_tokens(folder / "shop.db")
    async with Simulator(clock=clock) as line, aiohttp.ClientSession(auto_decompress=False) as session:
        port = free_port()
        written = folder / "trunkline.toml"
        written.write_text(_configuration(folder, line, port), encoding="utf-8")
        shop = Shop(load_settings(written, settings), line, session, tokens)
        shop.address = f"http://127.0.0.1:{port}"
        line.webhook_url = f"{shop.address}/webhooks/{ACCOUNT}"
        yield shop


@asynccontextmanager
async def at_work(shop: Shop, *, demo: bool = False) -> AsyncIterator[None]:
    """Open the house and its doors until the end of the block; the platform and the files stay."""
    async with open_house(shop.settings, clock=shop.line.clock) as shop.house:
        shop.house.is_demo = demo
        async with serve_house(shop.house, shop.address.removeprefix("http://")):
            await until(shop.is_connected)
            shop.line.journal.clear()
            shop.line.webhooks[:] = [webhook for webhook in shop.line.webhooks if webhook.events]
            yield


def _renew_tokens(file: Path) -> None:
    """Let the agents' tokens, which were given at the tests' noon, be good where time passes as it does."""
    now = SystemClock().now_ms()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE agent_token SET last_used_at = ?, expires_at = ?", (now, now + 3_600_000))


def _configuration(folder: Path, line: Simulator, port: int) -> str:
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in line.settings().items())
    return f"""
[server]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
allow_hosts = [{json.dumps(line.url.partition("//")[2])}]
metrics_listen = "off"
[database]
url = "sqlite:///{folder}/shop.db"
[log]
level = "WARNING"
[[accounts]]
id = "{ACCOUNT}"
connector = "line"
title = "Shop"
[accounts.settings]
{settings}
"""
