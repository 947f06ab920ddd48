"""P3: replies of a thread reach the customer in the order in which they were written, through faults and kills.

Push run: 100 threads with 100 replies each on both databases, one request in five failing, two kills.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.history import Database
from tests.promises.replies import (
    Agent,
    Clumsy,
    customers_write,
    inversions,
    kill_by_and_by,
    lost,
    said,
    signed_in,
    until,
)
from trunkline.testing.faults import Fault

pytestmark = [pytest.mark.promise("P3"), pytest.mark.timeout(1500)]

_BUSY = Fault(do="answer", status=503, body='{"message": "busy"}')
_ON_ITS_WAY = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending', 'retrying', 'held', 'uncertain')"


async def test_replies_keep_their_order_through_faults_and_kills(
    servers: Servers, database_url: str, rounds: Rounds
) -> None:
    each = rounds(push=100, long=1_000)
    seen, silent = await _talk(servers, database_url, threads=100, each=each, kills=2)
    print(f"{sum(map(len, seen.values()))} replies seen by {len(seen)} customers")
    assert sum(map(len, seen.values())) >= 0.9 * 100 * each
    assert sum(map(inversions, seen.values())) == 0
    assert silent == {}


async def test_a_sender_that_does_not_look_at_the_thread_is_caught(servers: Servers, sqlite_url: str) -> None:
    seen, _ = await _talk(servers, sqlite_url, threads=10, each=20, kills=0, seeds={"no_order": ""})
    assert sum(map(inversions, seen.values())) > 0


async def _talk(
    servers: Servers, url: str, *, threads: int, each: int, kills: int, seeds: dict[str, object] | None = None
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Write `each` replies into every thread while it rains faults; returns what was seen, and what was lost."""
    database = Database(url)
    async with Clumsy(fault=_BUSY, share=0.2) as line:
        more: dict[str, Any] = {"accounts": line.account(), "seeds": {"hurry": 100, **(seeds or {})}, "start": False}
        made = [await servers(url, **more) for _ in range(1 if url.startswith("sqlite") else 3)]
        async with signed_in(*made) as ada:
            known = await customers_write(line, made[0], threads, database)
            writing = [asyncio.create_task(_write(ada, thread, each)) for thread in known.values()]
            await kill_by_and_by(made, ada, kills, threads * each)
            await asyncio.gather(*writing)
            await until(database, _ON_ITS_WAY)
            return said(line), lost(line, database, ada)


async def _write(ada: Agent, thread: str, each: int) -> None:
    for number in range(each):
        await ada.reply(thread, f"{thread}-{number}")
