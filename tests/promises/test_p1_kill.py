"""P1: what was answered with 2xx survives kill -9 at any moment, with its bytes, once.

Push run: 200 rounds on SQLite and 20 on PostgreSQL, about three and a half minutes on two free cores.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator

import pytest

from tests.conftest import Rounds
from tests.promises.clients import Line, swarm
from tests.promises.conftest import Servers
from tests.promises.history import Database, Findings, History, judge
from tests.promises.processes import Server
from tests.promises.waiting import until

pytestmark = [pytest.mark.promise("P1"), pytest.mark.timeout(1500)]

#: Acked requests of a round, on average.
_ACKS = 260


async def test_what_was_acknowledged_survives_kill_9_on_sqlite(
    servers: Servers, sqlite_url: str, history: History, rounds: Rounds
) -> None:
    wanted, acks = rounds(push=200, long=2_000), rounds(push=50_000, long=500_000)
    server = await servers(sqlite_url, start=False)
    await _kill_again_and_again(server, history, wanted, acks)
    found = judge(history, Database(sqlite_url))
    print(f"{wanted} kills, {len(history.acked)} acked, {len(history.open)} cut off: {found}")
    assert len(history.acked) >= acks
    assert found.clean, found


async def test_what_was_acknowledged_survives_kill_9_on_postgresql(
    servers: Servers, postgres_url: str, history: History, rounds: Rounds
) -> None:
    wanted, acks = rounds(push=20, long=200), rounds(push=5_000, long=50_000)
    server = await servers(postgres_url, start=False)
    await _kill_again_and_again(server, history, wanted, acks)
    found = judge(history, Database(postgres_url))
    print(f"{wanted} kills, {len(history.acked)} acked, {len(history.open)} cut off: {found}")
    assert found.clean, found


async def test_a_server_that_answers_before_the_commit_is_caught(
    servers: Servers, sqlite_url: str, history: History
) -> None:
    server = await servers(sqlite_url, start=False, seeds={"ack_first": ""})
    found = Findings()
    for _ in range(20):
        await _kill_again_and_again(server, history, 1, 0)
        found = judge(history, Database(sqlite_url))
        if found.lost:
            break
    assert found.lost
    assert found.raw_lost


async def _kill_again_and_again(server: Server, history: History, wanted: int, acks: int) -> None:
    """Kill at random moments under 16 clients; the platform sends again what had no answer."""
    line, fresh, lot = (
        Line(history),
        (f"k{number}" for number in itertools.count(len(history.invoked))),
        random.Random(),
    )
    number = 0
    while number < wanted or len(history.acked) < acks:
        number += 1
        if number % 10 == 0:
            await _kill_while_starting(server, lot)
        await server.start()
        again = sorted(history.open - history.acked)
        goal = len(history.acked) + lot.randint(1, 2 * _ACKS)
        await _kill_under_load(server, line, itertools.chain(again, fresh), goal, lot)


async def _kill_while_starting(server: Server, lot: random.Random) -> None:
    server.launch()
    await asyncio.sleep(lot.uniform(0, 0.3))
    await server.kill()


async def _kill_under_load(server: Server, line: Line, keys: Iterator[str], goal: int, lot: random.Random) -> None:
    never = asyncio.Event()
    load = asyncio.create_task(swarm(line, server.port, keys, enough=never))
    await until(lambda: len(line.history.acked) >= goal or load.done(), every_s=0.001)
    await asyncio.sleep(lot.uniform(0, 0.004))
    await server.kill()
    await load
