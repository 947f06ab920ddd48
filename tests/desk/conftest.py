"""A desk that runs: the real house on a real port, over SQLite and over PostgreSQL, with an invented channel."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from tests.core.conftest import HandClock
from tests.databases import drop_database, make_database
from tests.desk.harness import ADA, BO, PASSWORD, Client, Running
from tests.desk.rich import RICH_CONNECTOR
from tests.desk.wire import MUTE_CONNECTOR, WIRE_CONNECTOR
from trunkline.main import open_house, serve_house
from trunkline.model import Actor, ActorKind
from trunkline.plugins import Registry
from trunkline.settings import load_settings
from trunkline.store import Store, Transaction
from trunkline_desk import trunkline_applications
from trunkline_desk.migrations import migrations
from trunkline_desk.people.agents import create_agent, set_up
from trunkline_desk.people.passwords import Passwords
from trunkline_desk.people.tokens import give_token

KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

#: Weak on purpose: the parameters that count are tested by name.
WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

Opener = Callable[..., Any]


def registry() -> Registry:
    (desk,) = trunkline_applications()
    specs = (WIRE_CONNECTOR, MUTE_CONNECTOR, RICH_CONNECTOR)
    return Registry(
        connectors={spec.name: spec for spec in specs},
        channels={channel.code: (spec, channel) for spec in specs for channel in spec.channels},
        applications={"desk": desk},
    )


async def _fill(url: str) -> dict[str, str]:
    """Make the tables and two agents, and return a token of each by address."""
    store, clock = Store(url, migrations=(migrations(),)), HandClock()
    await store.open()
    password_hash = WEAK.hash(PASSWORD)

    def work(tx: Transaction) -> dict[str, str]:
        tokens = {}
        for email, name, role in (ADA, BO):
            _, link = create_agent(tx, (email, name, role), Actor(ActorKind.OPERATOR), clock.now_ms())
            grant = set_up(tx, link, (email, name, password_hash), clock.now_ms())
            tokens[email] = give_token(tx, grant.agent["id"], clock.now_ms()).token
        return tokens

    tokens = await store.writer.write(work)
    await store.close()
    return tokens


Template = tuple[str, dict[str, str]]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    file = tmp_path_factory.mktemp("desk") / "template.db"
    return str(file), asyncio.run(_fill(f"sqlite:///{file}"))


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Template:
    url = make_database(postgres)
    return url, asyncio.run(_fill(url))


@pytest.fixture(params=["sqlite", "postgresql"])
def template(request: pytest.FixtureRequest) -> Template:
    """A database of its own with two agents, on either kind, and their tokens."""
    name = "sqlite_copy" if request.param == "sqlite" else "postgres_copy"
    copy: Template = request.getfixturevalue(name)
    return copy


@pytest.fixture
def sqlite_copy(sqlite_template: Template, tmp_path: Path) -> Template:
    file, tokens = sqlite_template
    shutil.copy(file, tmp_path / "trunkline.db")
    return f"sqlite:///{tmp_path}/trunkline.db", tokens


@pytest.fixture
def postgres_copy(postgres: str, postgres_template: Template) -> Iterator[Template]:
    template, tokens = postgres_template
    url = make_database(postgres, template)
    yield url, tokens
    drop_database(postgres, url)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    file = tmp_path / "trunkline.toml"
    accounts = "".join(
        f'[[accounts]]\nid = "{name}"\nconnector = "{connector}"\ntitle = "{name.title()}"\n'
        f'settings = {{ secret = "{name}-invented-secret" }}\n'
        for name, connector in (("shop", "wire"), ("mill", "wire"), ("quiet", "mute"))
    )
    file.write_text(f'[server]\nmetrics_listen = "off"\npublic_url = "http://desk.example"\n{accounts}')
    return file


@pytest.fixture
def open_desk(settings_file: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Starts a desk when asked, for tests that do so more than once."""
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)

    @asynccontextmanager
    async def opened(url: str, tokens: dict[str, str], **settings: Any) -> AsyncIterator[Running]:
        chosen = load_settings(settings_file, {"database.url": url, **settings})
        async with (
            open_house(chosen, clock=clock, registry=registry()) as house,
            serve_house(house, "127.0.0.1:0") as address,
            Running(house, clock, address, tokens) as running,
        ):
            running.application.desk.passwords = Passwords(WEAK)
            yield running

    return opened


@pytest.fixture
async def desk(template: Template, open_desk: Opener) -> AsyncIterator[Running]:
    """The desk, at noon."""
    async with open_desk(*template) as running:
        yield running


@pytest.fixture
def ada(desk: Running) -> Client:
    """An admin."""
    return desk.client(ADA[0])


@pytest.fixture
def bo(desk: Running) -> Client:
    """An agent."""
    return desk.client(BO[0])


@pytest.fixture
def nobody(desk: Running) -> Client:
    """Somebody without a token."""
    return desk.client(None)


@pytest.fixture
async def plain_desk(sqlite_copy: Template, open_desk: Opener) -> AsyncIterator[Running]:
    """A desk over SQLite only, for what is decided before anything is stored."""
    async with open_desk(*sqlite_copy) as running:
        yield running
