"""A branch of the shop on any platform that has a simulator: driven by what customers do on their phones alone."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import aiohttp

from tests.core.conftest import HandClock
from tests.journeys.shop import Shop, Template, until
from tests.ports import free_port
from trunkline.main import open_house, serve_house
from trunkline.plugins import Registry
from trunkline.settings import Settings, load_settings
from trunkline.testing.phones import Action, Bubble
from trunkline.testing.simulator import Simulator

__all__ = ["Branch", "open_branch"]

Json = dict[str, Any]
Platform = TypeVar("Platform", bound=Simulator)

ACCOUNT = "branch"
_MONTH_MS = 30 * 86_400_000


class Branch(Shop, Generic[Platform]):
    """What a test holds in hand: the platform, the agents, and the time."""

    def __init__(
        self, settings: Settings, platform: Platform, session: aiohttp.ClientSession, tokens: dict[str, str]
    ) -> None:
        super().__init__(settings, cast("Any", platform), session, tokens)
        self.platform = platform

    async def is_connected(self) -> bool:
        account = self.house.accounts.get(ACCOUNT)
        return account is not None and account.state == "connected"

    async def account(self) -> Json:
        (account,) = (await self.ada.get("/accounts"))["items"]
        return dict(account)

    # ---------------------------------------------------------------- what customers do and see

    async def writes(self, customer: str, kind: str = "text", **more: Any) -> None:
        """Let a customer do something; it was taken when this returns."""
        await self.platform.act(customer, Action(kind=kind, **more))

    async def thread_with(self, customer: str) -> Json:
        """Return the thread of a customer, when the log has told of it."""

        async def look() -> Json | None:
            for item in await self.threads():
                detail: Json = await self.ada.get(f"/threads/{item['id']}")
                if any(one["external_id"] == customer for one in detail["identities"]):
                    return detail
            return None

        return await until(look)

    async def greeted_by(self, name: str) -> tuple[str, Json]:
        """Let somebody new say hello; returns their id and their thread."""
        customer = self.platform.add_customer(name)
        await self.writes(customer, text="Hello")
        return customer, await self.thread_with(customer)

    def heard(self, customer: str) -> list[Bubble]:
        """Return what the account said to a customer."""
        return [bubble for bubble in self.platform.chat(customer) if not bubble.mine]

    # ---------------------------------------------------------------- what agents do and see

    async def upload(self, name: str, mime: str, body: bytes) -> str:
        answer = await self.ada.call("POST", f"/media?name={name}", headers={"Content-Type": mime}, data=body)
        assert answer.status == 201, answer.raw
        return str(answer.json["id"])

    async def sends(self, thread: Json, **what: Any) -> Json:
        """Send something as an agent and return it once it is sent."""
        posted = dict(await self.ada.post(f"/threads/{thread['id']}/messages", what))
        return await self.until_state(posted, "sent", turn=self.pauses(0))

    async def file_of(self, message: Json) -> bytes:
        """Return the bytes of a stored file as an agent downloads it."""
        answer = await self.ada.call("GET", f"/media/{message['content']['media']['id']}?variant=original")
        assert answer.status == 200, answer.raw
        return answer.raw

    async def outlasts_an_outage(self, customer: str, thread: Json, *, replies: int = 20) -> None:
        """Queue replies until all are sent, and expect them in their order and none twice."""
        for number in range(replies):
            await self.reply(thread["id"], f"Answer {number}")

        async def all_sent() -> bool:
            ours = [one for one in await self.messages(thread["id"]) if one["direction"] == "out"]
            return all(one["delivery_state"] == "sent" for one in ours)

        assert await until(all_sent, turn=self.pauses(60))
        assert [bubble.text for bubble in self.heard(customer)] == [f"Answer {number}" for number in range(replies)]


@asynccontextmanager
async def open_branch(
    folder: Path,
    template: Template,
    platform: Platform,
    *,
    connector: str,
    clock: HandClock,
    registry: Registry | None = None,
) -> AsyncIterator[Branch[Platform]]:
    """Run a house whose one account speaks to `platform`; `registry` when the connector is not installed."""
    file, tokens = template
    shutil.copy(file, folder / "shop.db")
    _stay_signed_in(folder / "shop.db", clock.now_ms() + _MONTH_MS)
    port = free_port()
    async with platform, aiohttp.ClientSession(auto_decompress=False) as session:
        written = folder / "trunkline.toml"
        written.write_text(_configuration(folder, platform, connector, port), encoding="utf-8")
        branch = Branch(load_settings(written), platform, session, tokens)
        branch.address = f"http://127.0.0.1:{port}"
        platform.webhook_url = f"{branch.address}/webhooks/{ACCOUNT}"
        async with (
            open_house(branch.settings, clock=clock, registry=registry) as branch.house,
            serve_house(branch.house, f"127.0.0.1:{port}"),
        ):
            await until(branch.is_connected)
            platform.journal.clear()
            yield branch


def _stay_signed_in(file: Path, until_ms: int) -> None:
    """Let the agents' tokens outlast the days that a window stays open."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE agent_token SET last_used_at = ?, expires_at = ?", (until_ms, until_ms))


def _configuration(folder: Path, platform: Simulator, connector: str, port: int) -> str:
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in platform.settings().items())
    return f"""
[server]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
allow_hosts = [{json.dumps(platform.url.partition("//")[2])}]
metrics_listen = "off"
[database]
url = "sqlite:///{folder}/shop.db"
[log]
level = "WARNING"
[[accounts]]
id = "{ACCOUNT}"
connector = "{connector}"
title = "Shop"
[accounts.settings]
{settings}
"""
