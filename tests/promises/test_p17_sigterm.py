"""P17: SIGTERM under load ends the process within 15 seconds with exit code 0; nothing is lost or counted twice.

Push run: 50 rounds with webhooks coming in and replies going out, about a minute and a half.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random

import pytest

from tests.conftest import Rounds
from tests.promises.clients import Line, swarm
from tests.promises.conftest import Servers
from tests.promises.history import Database, Findings, History, judge
from tests.promises.platform import Platform
from tests.promises.processes import Server
from tests.promises.replier import answer_to
from tests.promises.waiting import until

pytestmark = [pytest.mark.promise("P17"), pytest.mark.timeout(1500)]

_LONGEST_S = 15.0
#: Messages whose automatic reply is not sent, or not even written yet.
_UNSENT = (
    "SELECT (SELECT count(*) FROM message WHERE direction = 'in')"
    " - (SELECT count(*) FROM delivery WHERE state = 'sent')"
)


async def test_a_stop_under_load_is_quick_and_loses_nothing(
    servers: Servers, database_url: str, history: History, rounds: Rounds
) -> None:
    wanted = rounds(push=25, long=250)
    async with Platform(delay_s=0.03) as platform:
        server = await servers(database_url, start=False, accounts=platform.account(), seeds={"auto_reply": ""})
        await _stop_again_and_again(server, history, wanted)
        database = Database(database_url)
        await server.start()
        assert await database.until(_UNSENT, 0) == 0
        await server.stop()
    found = judge(history, database)
    print(f"{wanted} stops, {len(history.acked)} acked, {platform.requests} sends: {found}")
    assert found.clean, found
    assert platform.shown == dict.fromkeys(map(answer_to, database.messages()), 1)
    assert _counted(database) == [(platform.messages, platform.messages)]


async def test_a_process_that_leaves_a_thread_behind_is_caught(
    servers: Servers, sqlite_url: str, history: History
) -> None:
    server = await servers(sqlite_url, start=False, seeds={"hanging_exit": ""})
    with pytest.raises(AssertionError, match="does not end"):
        await _stop_again_and_again(server, history, 1)


async def test_a_process_that_answers_first_and_leaves_the_rest_is_caught(
    servers: Servers, sqlite_url: str, history: History
) -> None:
    server = await servers(sqlite_url, start=False, seeds={"ack_first": "", "drop_at_stop": ""})
    found = Findings()
    for _ in range(20):
        await _stop_again_and_again(server, history, 1)
        found = judge(history, Database(sqlite_url))
        if found.lost:
            break
    assert found.lost


def _counted(database: Database) -> list[tuple[int, int]]:
    """Return the attempts that deliveries count, and those that are written down."""
    return database.rows("SELECT (SELECT sum(attempts) FROM delivery), (SELECT count(*) FROM attempt)")


async def _stop_again_and_again(server: Server, history: History, wanted: int) -> None:
    line, fresh, lot = (
        Line(history),
        (f"t{number}" for number in itertools.count(len(history.invoked))),
        random.Random(),
    )
    for _ in range(wanted):
        await server.start()
        goal = len(history.acked) + lot.randint(20, 200)
        again = iter(sorted((history.open | history.refused) - history.acked))
        load = asyncio.create_task(_load(server, line, itertools.chain(again, fresh)))
        await until(functools.partial(_reached, history, goal))
        assert await server.stop(seconds=_LONGEST_S) == 0
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)


def _reached(history: History, goal: int) -> bool:
    return len(history.acked) >= goal


async def _load(server: Server, line: Line, keys: itertools.chain[str]) -> None:
    await swarm(line, server.port, keys, enough=asyncio.Event())
