"""What the doctor asks of the world: whether the clock is right, and whether platforms find the way to us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel, ConfigDict

from trunkline.cli.findings import Finding
from trunkline.cli.reach import check_clock, check_public_address
from trunkline.clock import SystemClock
from trunkline.contract import Capabilities, Channel, ConnectorSpec
from trunkline.main import open_house, serve_house
from trunkline.plugins import Registry
from trunkline.settings import AccountSettings, Server, Settings

#: A port of this machine that nothing listens on.
NOWHERE = "127.0.0.1:9"


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")
    api_base: str


def _build(_services: Any) -> Any:
    raise AssertionError("The doctor builds nothing to compare clocks.")


SHOP = Channel(code="shop", title={"en": "Shop"}, capabilities=Capabilities(receives={}, sends={}))
SPEC = ConnectorSpec(name="shop", title={"en": "Shop"}, config=Config, channels=(SHOP,), build=_build)
REGISTRY = Registry(connectors={"shop": SPEC}, channels={"shop": (SPEC, SHOP)})


class World:
    """A server that is not ours; what it answers is set by the test."""

    def __init__(self) -> None:
        self.status, self.headers = 404, dict[str, str]()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(app)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.server.start_server()
    yield world
    await world.server.close()


async def clocks(*bases: str) -> list[Finding]:
    """Compare with platforms at these addresses."""
    accounts = tuple(
        AccountSettings(id=f"shop-{number}", connector="shop", settings={"api_base": base})
        for number, base in enumerate(bases)
    )
    return [finding async for finding in check_clock(Settings(accounts=accounts), REGISTRY)]


async def test_a_clock_that_agrees_is_well(world: World) -> None:
    (finding,) = await clocks(world.address)
    assert (finding.level, finding.fix) == ("ok", "")
    assert world.address.removeprefix("http://") in finding.words


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [(-3600, "failure", "s ahead of"), (3600, "failure", "s behind"), (30, "warning", "s")],
)
async def test_a_clock_that_is_wrong_is_told_with_what_to_do(
    world: World, seconds: int, level: str, words: str
) -> None:
    world.headers = {"Date": formatdate(SystemClock().now_ms() / 1000 + seconds, usegmt=True)}
    (finding,) = await clocks(world.address)
    assert finding.level == level
    assert words in finding.words
    assert "timedatectl" in finding.fix


async def test_the_first_platform_that_tells_the_time_is_enough(world: World) -> None:
    world.headers = {"Date": "soon"}
    assert await clocks(f"http://{NOWHERE}", world.address) == []
    world.headers = {}
    (finding,) = await clocks(f"http://{NOWHERE}", world.address, f"http://{NOWHERE}")
    assert finding.level == "ok"


async def addresses(listen: str, public_url: str) -> Finding:
    """Ask for ourselves by this public address."""
    settings = Settings(server=Server(listen=listen, public_url=public_url))
    (finding,) = [finding async for finding in check_public_address(settings)]
    return finding


async def test_the_way_to_our_own_address_is_walked(world: World, tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "server": {"metrics_listen": "off"},
            "database": {"url": f"sqlite:///{tmp_path}/shop.db"},
            "media": {"folder": tmp_path / "media"},
        }
    )
    async with open_house(settings) as house, serve_house(house, "127.0.0.1:0") as ours:
        listen = ours.removeprefix("http://")
        found = await addresses(listen, ours)
        assert (found.level, found.fix) == ("ok", "")
        found = await addresses(listen, world.address)
        assert found.level == "failure"
        assert "answers 404, and not as Trunkline does" in found.words
        assert listen in found.fix
        world.status, world.headers = 301, {"Location": "https://desk.example/"}
        found = await addresses(listen, world.address)
        assert (found.level, "leads elsewhere" in found.words) == ("failure", True)
        found = await addresses(listen, f"http://{NOWHERE}")
        assert (found.level, "no connection" in found.words) == ("failure", True)


async def test_without_a_trunkline_that_serves_nothing_is_claimed(world: World) -> None:
    found = await addresses(NOWHERE, world.address)
    assert (found.level, "trunkline serve" in found.fix) == ("note", True)
