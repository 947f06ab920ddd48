"""P16: two processes on one database. SQLite: the second says why and leaves. PostgreSQL: no work is lost or doubled.

Push run: 20 refusals, then 20,000 webhooks with a reply each over three processes, about three minutes.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.conftest import Rounds
from tests.promises.clients import Line, deliver, line_body, line_event
from tests.promises.conftest import Servers
from tests.promises.history import Database, History, judge
from tests.promises.platform import Platform
from tests.promises.processes import Server
from tests.promises.replier import answer_to

pytestmark = [pytest.mark.promise("P16"), pytest.mark.timeout(1500)]

#: Short, so that a stopped process outlasts two of them in a few seconds.
_LEASE_MS = 2_000
_UNSENT = "SELECT count(*) FROM delivery WHERE state <> 'sent'"
_REPLIES = "SELECT count(*) FROM message WHERE direction = 'out'"


async def test_a_second_process_on_one_file_says_why_and_leaves(
    servers: Servers, sqlite_url: str, rounds: Rounds
) -> None:
    first = await servers(sqlite_url)
    second = await servers(sqlite_url, start=False)
    for _ in range(rounds(push=20, long=200)):
        code, said = await second.command("serve")
        assert code == 1
        assert f"in use by process {first.pid}" in said
        assert "stop that process, or use PostgreSQL" in said
        assert "Traceback" not in said
    assert await first.ready()


async def test_a_file_without_a_lock_is_caught(servers: Servers, sqlite_url: str) -> None:
    await servers(sqlite_url, seeds={"no_lock": ""})
    second = await servers(sqlite_url, seeds={"no_lock": ""})
    assert await second.ready()


async def test_three_processes_lose_nothing_and_double_nothing(
    servers: Servers, postgres_url: str, history: History, rounds: Rounds
) -> None:
    events = rounds(push=20_000, long=200_000)
    async with Platform() as platform:
        processes = await _start(servers, postgres_url, platform, {})
        async with _trouble(processes):
            await deliver(Line(history), [each.port for each in processes], _bodies(events), at_once=30, seconds=1_200)
        database = Database(postgres_url)
        assert await database.until(_REPLIES, events, seconds=300) == events
        assert await database.until(_UNSENT, 0, seconds=300) == 0
    found = judge(history, database)
    twice = [text for text, count in platform.shown.items() if count > 1]
    print(f"{events} webhooks, {platform.requests} sends, {dict(history.statuses)}: {found}, {len(twice)} shown twice")
    assert found.clean, found
    assert platform.shown == {answer_to(key): 1 for key in history.acked}


async def test_processes_without_fencing_are_caught(servers: Servers, postgres_url: str, history: History) -> None:
    async with Platform() as platform:
        processes = await _start(servers, postgres_url, platform, {"no_fencing": ""})
        await deliver(Line(history), [each.port for each in processes], _bodies(100), at_once=30)
        await Database(postgres_url).until(_REPLIES, 300, seconds=30)
        await Database(postgres_url).until(_UNSENT, 0, seconds=30)
    assert [text for text, count in platform.shown.items() if count > 1]


async def _start(servers: Servers, url: str, platform: Platform, more: dict[str, str]) -> list[Server]:
    seeds = {"auto_reply": "", "lease_ms": _LEASE_MS, **more}
    return [await servers(url, accounts=platform.account(), seeds=seeds) for _ in range(3)]


def _bodies(events: int) -> list[tuple[list[str], bytes]]:
    """Return requests of one to five events."""
    made, numbers, lot = [], iter(range(events)), random.Random(events)
    while few := list(itertools.islice(numbers, lot.randint(1, 5))):
        made.append(([f"x{at}" for at in few], line_body(line_event(f"x{at}", user=at % 400) for at in few)))
    return made


@asynccontextmanager
async def _trouble(processes: Sequence[Server]) -> AsyncIterator[None]:
    """Kill one of the processes every few seconds, and stop another for two leases in between."""
    over, lot = asyncio.Event(), random.Random(len(processes))

    async def nemesis() -> None:
        for number in itertools.count():
            victim = processes[lot.randrange(len(processes))]
            if await _until(over, lot.uniform(3, 5)):
                return
            if number % 2:
                await _freeze(victim)
            else:
                await victim.kill()
                await victim.start()

    task = asyncio.create_task(nemesis())
    yield
    over.set()
    await task


async def _freeze(victim: Server) -> None:
    victim.signal(signal.SIGSTOP)
    await asyncio.sleep(2 * _LEASE_MS / 1000)
    victim.signal(signal.SIGCONT)


async def _until(over: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await over.wait()
    except TimeoutError:
        return False
