"""P2: a webhook delivered several times, at once, late, across restarts or to two processes makes one message.

Push run: 10,000 events, 40,000 copies on each database, about a minute and a half.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator

import pytest

from tests.conftest import Rounds
from tests.promises.clients import Line, deliver, line_body, line_event
from tests.promises.conftest import Servers
from tests.promises.history import Database, Findings, History, judge
from tests.promises.processes import Server
from tests.promises.waiting import until

pytestmark = [pytest.mark.promise("P2"), pytest.mark.timeout(1500)]

_MONTH_MS = 30 * 24 * 3600 * 1000
Bodies = list[tuple[list[str], bytes]]


async def test_copies_over_a_restart_and_a_month_later_make_one_message(
    servers: Servers, sqlite_url: str, history: History, rounds: Rounds
) -> None:
    events = rounds(push=10_000, long=100_000)
    server = await servers(sqlite_url)
    found = await _many_times([server], Database(sqlite_url), history, events)
    assert len(history.acked) == events
    assert found.clean, found


async def test_copies_to_two_processes_make_one_message(
    servers: Servers, postgres_url: str, history: History, rounds: Rounds
) -> None:
    events = rounds(push=10_000, long=100_000)
    both = [await servers(postgres_url), await servers(postgres_url)]
    found = await _many_times(both, Database(postgres_url), history, events)
    assert len(history.acked) == events
    assert found.clean, found
    quarantined = Database(postgres_url).rows("SELECT count(*) FROM raw_request WHERE state = 'quarantined'")
    assert quarantined == [(0,)]
    print(
        "deadlocks",
        Database(postgres_url).rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"),
    )


async def test_a_store_without_its_key_is_caught(servers: Servers, sqlite_url: str, history: History) -> None:
    server = await servers(sqlite_url, seeds={"no_key": ""})
    found = await _many_times([server], Database(sqlite_url), history, 200)
    assert found.doubled


async def _many_times(processes: list[Server], database: Database, history: History, events: int) -> Findings:
    """Send every event one to seven times, shuffled, and once more a month later; a process restarts half-way."""
    lot, line = random.Random(events), Line(history)
    names = [f"d{number}" for number in range(events)]
    copies = [name for name in names for _ in range(lot.randint(1, 7))]
    lot.shuffle(copies)
    ports = [server.port for server in processes]
    async with _restart_half_way(processes[-1], history, events):
        await deliver(line, ports, list(_bodies(copies, lot)))
    last = processes[0]
    await last.stop()
    last.seeds["clock_offset_ms"] = str(_MONTH_MS)
    await last.start()
    late = list(_bodies(names, lot, most=20))
    await deliver(line, [last.port], late)
    found = judge(history, database)
    print(f"{events} events, {len(copies) + events} copies, answers {dict(history.statuses)}: {found}")
    return found


def _bodies(names: list[str], lot: random.Random, *, most: int = 5) -> Bodies:
    """Put neighbours into requests of one to `most` events."""
    made, rest = [], iter(names)
    while keys := list(itertools.islice(rest, lot.randint(1, most))):
        made.append((keys, line_body(line_event(key, user=int(key[1:]) % 97) for key in keys)))
    return made


@contextlib.asynccontextmanager
async def _restart_half_way(server: Server, history: History, events: int) -> AsyncIterator[None]:
    async def restart() -> None:
        await until(lambda: len(history.acked) >= events // 2, seconds=600)
        await server.kill()
        await server.start()

    task = asyncio.create_task(restart())
    yield
    await task
