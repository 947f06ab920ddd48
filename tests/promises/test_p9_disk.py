"""P9: a full disk never makes a 2xx that is not stored; the service says so and comes back by itself.

Push run: 25 rounds without a free page and 25 in which no file may grow, the log on standard error included; about
a minute.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Rounds
from tests.promises.clients import Line, swarm, swarm_until
from tests.promises.conftest import Servers
from tests.promises.history import Database, History, judge
from tests.promises.processes import Server
from tests.promises.waiting import until

pytestmark = [pytest.mark.promise("P9"), pytest.mark.timeout(1500)]

#: A full disk: True fills it, False gives the space back.
Fill = Callable[[bool], None]
#: Less than one commit.
_NO_ROOM = 8192


async def test_no_free_page_means_503_and_nothing_lost(
    servers: Servers, sqlite_url: str, history: History, rounds: Rounds, tmp_path: Path
) -> None:
    flag = tmp_path / "full"
    server = await servers(sqlite_url, seeds={"max_pages": flag, "heartbeat_s": "0.1"})
    await _fill_again_and_again(server, history, rounds(push=25, long=500), _by_flag(flag))
    _is_clean(history, sqlite_url)


async def test_files_that_cannot_grow_mean_503_and_nothing_lost(
    servers: Servers, sqlite_url: str, history: History, rounds: Rounds
) -> None:
    server = await servers(sqlite_url, seeds={"heartbeat_s": "0.1"})
    _outgrow(server)
    await _fill_again_and_again(server, history, rounds(push=25, long=500), _by_limit(server))
    _is_clean(history, sqlite_url)


async def test_a_server_that_swallows_the_error_is_caught(
    servers: Servers, sqlite_url: str, history: History, tmp_path: Path
) -> None:
    flag = tmp_path / "full"
    server = await servers(sqlite_url, seeds={"max_pages": flag, "answer_anyway": ""})
    flag.touch()
    await swarm(Line(history), server.port, (f"f{number}" for number in range(400)), enough=asyncio.Event())
    assert judge(history, Database(sqlite_url)).lost


def _by_flag(flag: Path) -> Fill:
    return lambda full: flag.touch() if full else flag.unlink(missing_ok=True)


def _by_limit(server: Server) -> Fill:
    return lambda full: server.limit_files(_NO_ROOM if full else None)


def _outgrow(server: Server) -> None:
    """Make its log longer than the limit, so that it cannot even say that the disk is full."""
    with server.log_file.open("a") as stream:
        stream.write("\n" * 2 * _NO_ROOM)


def _is_clean(history: History, url: str) -> None:
    found = judge(history, Database(url))
    print(f"answers {dict(history.statuses)}: {found}")
    assert set(history.statuses) == {200, 503}
    assert found.clean, found


async def _fill_again_and_again(server: Server, history: History, wanted: int, fill: Fill) -> None:
    keys = (f"f{number}" for number in itertools.count())
    async with swarm_until(Line(history), server.port, keys, clients=8):
        for _ in range(wanted):
            await _grows(lambda: history.statuses[200])
            fill(True)
            await _grows(lambda: history.statuses[503])
            await _until_status(server, 503)
            fill(False)
            await _until_status(server, 200)
    assert server.poll() is None


async def _grows(figure: Callable[[], int], by: int = 5) -> None:
    goal = figure() + by
    await until(lambda: figure() >= goal)


async def _until_status(server: Server, status: int) -> None:
    async def says_so() -> bool:
        return await server.ask("/health/ready") == status

    await until(says_so, every_s=0.02)
