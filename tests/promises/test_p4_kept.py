"""P4: a reply that the API accepted reaches the platform, or ends in a visible state: through kill -9 in the sender.

Push run: 200 kills on SQLite and 20 on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.history import Database
from tests.promises.processes import Server
from tests.promises.replies import Agent, Clumsy, customers_write, lost, signed_in, until
from trunkline.testing.faults import Fault

pytestmark = [pytest.mark.promise("P4"), pytest.mark.timeout(1500)]

_ACTIVE = "('queued', 'sending', 'retrying', 'held', 'uncertain')"
#: A platform that takes a moment, so that kills find requests under way.
_SLOW = Fault(do="delay", seconds=0.02)
_THREADS, _EACH_ROUND = 20, 10


async def test_no_accepted_reply_is_silently_unsent_after_kills_on_sqlite(
    servers: Servers, sqlite_url: str, rounds: Rounds
) -> None:
    kills = rounds(push=200, long=2_000)
    silent, accepted = await _survive(servers, sqlite_url, kills=kills)
    print(f"{kills} kills, {accepted} replies accepted")
    assert accepted >= kills
    assert silent == {}


async def test_no_accepted_reply_is_silently_unsent_after_kills_on_postgresql(
    servers: Servers, postgres_url: str, rounds: Rounds
) -> None:
    kills = rounds(push=20, long=200)
    silent, accepted = await _survive(servers, postgres_url, kills=kills)
    print(f"{kills} kills, {accepted} replies accepted")
    assert accepted >= kills
    assert silent == {}


async def test_a_sender_that_marks_before_it_sends_is_caught(servers: Servers, sqlite_url: str) -> None:
    silent, _ = await _survive(servers, sqlite_url, kills=15, seeds={"sent_first": ""})
    assert silent


async def _survive(
    servers: Servers, url: str, *, kills: int, seeds: dict[str, object] | None = None
) -> tuple[dict[str, str], int]:
    """Kill the sender again and again; returns the replies that are neither at the platform nor visibly ended."""
    database, lot = Database(url), random.Random(kills)
    async with Clumsy(fault=_SLOW, share=0.5) as line:
        more: dict[str, Any] = {"accounts": line.account(), "seeds": {"hurry": 30, **(seeds or {})}, "start": False}
        server = await servers(url, **more)
        async with signed_in(server) as ada:
            threads = list((await customers_write(line, server, _THREADS, database)).values())
            for number in range(kills):
                await _round(server, ada, threads, number, lot)
            await until(database, f"SELECT count(*) FROM delivery WHERE state IN {_ACTIVE}")
            return lost(line, database, ada), len(ada.accepted)


async def _round(server: Server, ada: Agent, threads: list[str], number: int, lot: random.Random) -> None:
    """Write some replies, kill at a random moment, start again."""
    picked = lot.sample(threads, _EACH_ROUND)
    goal = len(ada.accepted) + lot.randint(1, _EACH_ROUND)
    writing = [asyncio.create_task(ada.reply(thread, f"{thread}-{number}", tries=1)) for thread in picked]
    while len(ada.accepted) < goal and not all(task.done() for task in writing):  # noqa: ASYNC110 - of many
        await asyncio.sleep(0.001)
    await asyncio.sleep(lot.uniform(0, 0.03))
    await server.kill()
    await asyncio.gather(*writing)
    await server.start()
