"""A house with an invented hosted channel on a real port, over SQLite and over PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.core.conftest import HandClock
from tests.databases import sqlite_url
from tests.hosted.booth import BOOTH
from tests.hosted.people import KEY, OTHER_KEY, Place
from trunkline.contract import ConnectorSpec
from trunkline.hosted.limiting import Limit
from trunkline.main import open_house, serve_house
from trunkline.plugins import Registry
from trunkline.settings import load_settings

__all__ = ["sqlite_url"]

SECRET_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
Opener = Callable[..., Any]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def registry(*specs: ConnectorSpec, applications: Any = ()) -> Registry:
    return Registry(
        connectors={spec.name: spec for spec in specs},
        channels={channel.code: (spec, channel) for spec in specs for channel in spec.channels},
        applications={spec.name: spec for spec in applications},
    )


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """Two accounts; `keys` of a test may replace the second."""
    file = tmp_path / "trunkline.toml"
    write_settings(file, {"shop": KEY, "mill": OTHER_KEY})
    return file


def write_settings(file: Path, keys: dict[str, str]) -> None:
    accounts = "".join(
        f'[[accounts]]\nid = "{name}"\nconnector = "booth"\ntitle = "{name.title()}"\nsettings = {{ key = "{key}" }}\n'
        for name, key in keys.items()
    )
    head = '[server]\nmetrics_listen = "off"\npublic_url = "http://desk.example"\n[media]\nfree_space_floor = 0\n'
    file.write_text(head + accounts)


@pytest.fixture
def open_place(settings_file: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Starts a house when asked, for tests that do so in their own way."""
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", SECRET_KEY)

    @asynccontextmanager
    async def opened(
        url: str,
        *,
        specs: Any = (BOOTH,),
        applications: Any = (),
        limited: bool = False,
        listen: str = "127.0.0.1:0",
        **settings: Any,
    ) -> AsyncIterator[Place]:
        chosen = load_settings(settings_file, {"database.url": url, **settings})
        mounted: list[Any] = []
        async with (
            open_house(chosen, clock=clock, registry=registry(*specs, applications=applications)) as house,
            serve_house(house, listen, add_routes=mounted.append) as address,
        ):
            (app,) = mounted
            client = next(one for one in app._subapps if "front" in {key._name.rpartition(".")[2] for key in one})
            async with Place(house, clock, address, client) as place:
                if not limited:
                    _unlimited(place)
                yield place

    return opened


def _unlimited(place: Place) -> None:
    """Let tests ask as often as they like; what the limits do is tested by name."""
    for name in place.front.limiter.names:
        place.front.limiter.change(name, Limit(1e12, 1e12))


@pytest.fixture
async def place(database_url: str, open_place: Opener) -> AsyncIterator[Place]:
    """The house, at noon, on both databases."""
    async with open_place(database_url) as place:
        yield place


@pytest.fixture
async def booth(sqlite_url: str, open_place: Opener) -> AsyncIterator[Place]:
    """The house on SQLite, for what has nothing to do with the store."""
    async with open_place(sqlite_url) as place:
        yield place
