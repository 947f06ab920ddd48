"""P11: a database that somebody else holds means bounded waiting, then an honest 503; memory stays bounded.

Push run: held for 1, 4 and 10 seconds at 200 webhooks a second, on SQLite and on PostgreSQL: about a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import psycopg
import pytest

from tests.conftest import Rounds
from tests.promises.clients import Line, Wire, line_body, line_event
from tests.promises.conftest import Servers
from tests.promises.history import Database, History, judge
from tests.promises.processes import Server

pytestmark = [pytest.mark.promise("P11"), pytest.mark.timeout(1500)]

_RATE = 200
_MIB = 1024 * 1024


@dataclass
class Held:
    """What happened while the database was held, and until it took webhooks again."""

    answers: Counter[int] = field(default_factory=Counter)
    #: Refusals that do not say when to come back.
    mute: int = 0
    growth: int = 0
    #: The longest wait for an answer, and how soon after the release the first 2xx came.
    longest_s: float = 0.0
    recovered_s: float = 0.0


async def test_a_held_database_means_bounded_waiting_and_honest_refusals(
    servers: Servers, database_url: str, history: History, rounds: Rounds
) -> None:
    longest = rounds(push=10, long=60)
    holds = {1: [1, 7], 10: [1, 4, 10], 60: [1, 4, 10, 60]}[longest]
    server = await servers(database_url)
    for seconds in holds:
        held = await _hold(server, database_url, history, seconds)
        print(f"held {seconds} s: {held}")
        assert held.mute == 0
        assert held.growth < 50 * _MIB
        assert set(held.answers) <= {200, 503}
        assert held.answers[503] > 0 or seconds < 5
    found = judge(history, Database(database_url))
    assert found.clean, found


async def test_a_server_that_lets_everything_wait_is_caught(
    servers: Servers, sqlite_url: str, history: History
) -> None:
    server = await servers(sqlite_url, seeds={"unbounded_queue": ""})
    held = await _hold(server, sqlite_url, history, 7)
    assert held.answers[503] == 0


async def _hold(server: Server, url: str, history: History, seconds: float) -> Held:
    """Offer 200 webhooks a second while somebody holds the database, and a little longer."""
    held, line = Held(), Line(history)
    await _warm(server, line)
    before, free, released = server.rss(), list[Wire](), 0.0

    async def customer(key: str) -> None:
        wire = free.pop() if free else Wire(server.port)
        began = time.monotonic()
        status, headers = await line.post(wire, [key], line_body([line_event(key, user=hash(key) % 50)]))
        free.append(wire)
        held.answers[status] += 1
        held.mute += status == 503 and "retry-after" not in headers
        held.longest_s = max(held.longest_s, time.monotonic() - began)
        if status == 200 and released and not held.recovered_s:
            held.recovered_s = time.monotonic() - released

    async with asyncio.TaskGroup() as group:
        with _holding(url):
            await _offer(group, customer, seconds)
            held.growth = server.rss() - before
        released = time.monotonic()
        await _offer(group, customer, 1)
    for wire in free:
        wire.close()
    assert held.recovered_s
    held.growth = max(held.growth, server.rss() - before)
    return held


_numbers = itertools.count()


async def _offer(group: asyncio.TaskGroup, customer: object, seconds: float) -> None:
    """Begin a call every five milliseconds, whatever becomes of the earlier ones."""
    assert callable(customer)
    began = time.monotonic()
    for number in range(round(seconds * _RATE)):
        group.create_task(customer(f"l{next(_numbers)}"))
        await asyncio.sleep(max(0.0, began + (number + 1) / _RATE - time.monotonic()))


async def _warm(server: Server, line: Line) -> None:
    """Fill caches and pools, so that what grows afterwards grows because of the lock."""
    wires = [Wire(server.port) for _ in range(50)]
    for number, wire in enumerate(wires * 8):
        key = f"w{next(_numbers)}"
        await line.post(wire, [key], line_body([line_event(key, user=number % 50)]))
    for wire in wires:
        wire.close()


@contextlib.contextmanager
def _holding(url: str) -> Iterator[None]:
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        return
    with psycopg.connect(url) as pg:
        pg.execute("LOCK TABLE raw_request IN ACCESS EXCLUSIVE MODE")
        yield
