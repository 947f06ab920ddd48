"""A house that serves on a real port: the waiting room, the desk, and an app. People come from outside."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url
from trunkline.main import open_house, serve_house
from trunkline.plugins import Registry, load_registry
from trunkline.settings import load_settings

from tests.people import KEY, Agents, Clock, Shop, invite
from trunkline_waiting_room import NAME, Rules, spec

Opener = Callable[..., AbstractAsyncContextManager[Shop]]
#: For the encryption of what the house keeps; good for nothing else.
SECRET_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
SETTINGS = f"""
[server]
metrics_listen = "off"
public_url = "http://desk.example"
[media]
free_space_floor = 0
[[accounts]]
id = "shop"
connector = "sdk"
settings = {{ keys = [{{ key = "{KEY}" }}] }}
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", help="address of a PostgreSQL server: what races is tried there too")


@pytest.fixture(scope="session")
def installed() -> Registry:
    """Return what pip installed, ourselves among it."""
    return load_registry(())


@pytest.fixture(scope="session")
def begun(installed: Registry, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Agents]:
    """Return a database to be copied, and who is signed in there: tables and passwords take longer than a test."""
    folder = tmp_path_factory.mktemp("begun")
    url = f"sqlite:///{folder}/shop.db"

    async def begin() -> Agents:
        (folder / "trunkline.toml").write_text(SETTINGS)
        settings = load_settings(folder / "trunkline.toml", {"database.url": url})
        async with open_house(settings, clock=Clock(), registry=installed) as house:
            return await invite(house)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TRUNKLINE_SECRET_KEY", SECRET_KEY)
        return folder / "shop.db", asyncio.run(begin())


@pytest.fixture
def open_shop(
    tmp_path: Path, begun: tuple[Path, Agents], installed: Registry, monkeypatch: pytest.MonkeyPatch
) -> Opener:
    """Opens the shop when asked; what was open before is found as it was left."""
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", SECRET_KEY)
    file, clock = tmp_path / "trunkline.toml", Clock()
    file.write_text(SETTINGS)
    shutil.copy(begun[0], tmp_path / "shop.db")
    mine = f"sqlite:///{tmp_path}/shop.db"

    @asynccontextmanager
    async def opened(url: str = mine, **rules: object) -> AsyncIterator[Shop]:
        # Nobody waits for a pause here; the other rules of a test are its own.
        ours = spec(Rules(**{"pause_s": 0, **rules}))  # type: ignore[arg-type]  # named by the test, checked by Rules
        registry = replace(installed, applications={**installed.applications, NAME: ours})
        settings = load_settings(file, {"database.url": url})
        async with (
            open_house(settings, clock=clock, registry=registry) as house,
            serve_house(house, "127.0.0.1:0") as address,
            Shop(house, clock, address, begun[1] if url == mine else await invite(house)) as shop,
        ):
            yield shop

    return opened


@pytest.fixture
async def shop(open_shop: Opener) -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Try it on both databases, where there is a server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/shop.db"
        return
    server = request.config.getoption("--postgres")
    if server is None:  # by hand, without a server; where Trunkline's own tests run this, a skip is a failure
        pytest.skip("no server: --postgres postgresql://…")
    name = f"waiting_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
