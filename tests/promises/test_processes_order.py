"""P3 over several processes, on platforms of four kinds: three share one PostgreSQL, and one is killed all along.

Push run: 8 customers each of LINE, WhatsApp, WeChat KF (whose messages are pulled) and Facebook, who write again after
every third of 9 replies; one request in ten fails, and after every 30 of them a process gets a kill -9.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.history import Database
from tests.promises.office import SUBJECTS, account_toml, platform_of
from tests.promises.processes import Server
from tests.promises.replies import Agent, inversions, signed_in
from tests.promises.replies import until as until_stored
from tests.promises.waiting import until
from trunkline.clock import SystemClock
from trunkline.contract import Idempotency
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action

pytestmark = [pytest.mark.promise("P3"), pytest.mark.timeout(1500)]

CHANNELS = ("facebook", "line", "wechat_kf", "whatsapp")
_BUSY = Fault(do="answer", status=503, body="busy", content_type="text/plain")
#: Replies between two messages of a customer: fewer than WeChat KF allows, because a repetition may count.
_BURST = 3
_PER_KILL = 30
_ON_ITS_WAY = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending', 'retrying', 'held', 'uncertain')"
_FIRST = "first-answer"
#: Long enough for any request of a process that lives, on any machine.
_LEASE_MS = 6_000


class Town:
    """Four platforms with their customers, and everything that was said."""

    def __init__(self, platforms: Mapping[str, Any], database: Database) -> None:
        self.platforms, self.database = platforms, database
        #: Customer → our id of their thread, by channel.
        self.threads: dict[str, dict[str, str]] = {}
        self.written: list[str] = []
        self._asked = 0

    async def arrive(self, count: int) -> None:
        """Let so many customers of each platform write for the first time."""
        for channel, platform in self.platforms.items():
            self.threads[channel] = dict.fromkeys([platform.add_customer(f"Customer {at}") for at in range(count)], "")
        await self.ask()
        query = "SELECT t.account_id, i.external_id, t.id FROM thread t JOIN identity i ON i.id = t.identity_id"
        for channel, customer, thread in self.database.rows(query):
            self.threads[channel][customer] = thread

    async def ask(self) -> None:
        """Let every customer write, and wait until all of it is stored."""
        self._asked += 1
        for channel, people in self.threads.items():
            for customer in people:
                await self.platforms[channel].act(customer, Action(kind="text", text=f"Question {self._asked}"))
        wanted = self._asked * sum(map(len, self.threads.values()))
        await until_stored(self.database, "SELECT count(*) FROM message WHERE direction = 'in'", wanted)

    async def answer(self, ada: Agent, numbers: Sequence[int]) -> None:
        """Write these replies into every thread, and wait until none is on its way."""
        everybody = [thread for people in self.threads.values() for thread in people.values()]
        self.written += [f"{thread}-{number}" for thread in everybody for number in numbers]
        await asyncio.gather(*(_write(ada, thread, numbers) for thread in everybody))
        await until_stored(self.database, _ON_ITS_WAY)

    async def greet(self, ada: Agent) -> None:
        """Learn from one first answer on each platform which requests carry messages."""
        for channel, people in self.threads.items():
            await ada.reply(next(iter(people.values())), f"{_FIRST}-{channel}")
        await until_stored(self.database, _ON_ITS_WAY)
        for platform in self.platforms.values():
            platform.weather.paths = {entry.path for entry in platform.journal if _FIRST in entry.body}
            assert len(platform.weather.paths) == 1

    @property
    def sends(self) -> int:
        """How many requests carried messages."""
        return sum(platform.weather.sends for platform in self.platforms.values())

    def heard(self, channel: str) -> list[list[str]]:
        """Return what each customer reads of us, in order."""
        chats = (self.platforms[channel].chat(customer) for customer in self.threads[channel])
        said = ([bubble.text for bubble in chat if not bubble.mine] for chat in chats)
        return [[text for text in texts if not text.startswith(_FIRST)] for texts in said]

    def seen(self, channel: str) -> Counter[str]:
        return Counter(text for texts in self.heard(channel) for text in texts)

    def inversions(self) -> int:
        return sum(inversions(texts) for channel in self.platforms for texts in self.heard(channel))

    def twice(self, channel: str) -> set[str]:
        return {text for text, count in self.seen(channel).items() if count > 1}

    def flagged(self, ada: Agent) -> set[str]:
        return self._where("maybe_duplicate", ada)

    def lost(self, ada: Agent) -> set[str]:
        """Return what was neither read nor ended visibly."""
        seen = {text for channel in self.platforms for text in self.seen(channel)}
        return set(self.written) - seen - self._where("state IN ('failed', 'expired') AND reason IS NOT NULL", ada)

    def _where(self, condition: str, ada: Agent) -> set[str]:
        rows = self.database.rows(f"SELECT message_id FROM delivery WHERE {condition}")
        ids = {str(message) for (message,) in rows}
        return {text for text, message in ada.accepted.items() if message in ids}


async def _write(ada: Agent, thread: str, numbers: Sequence[int]) -> None:
    for number in numbers:
        await ada.reply(thread, f"{thread}-{number}")


async def test_order_is_kept_and_nothing_is_lost_while_one_of_three_processes_is_killed_again_and_again(
    servers: Servers, postgres_url: str, rounds: Rounds
) -> None:
    threads = max(3, rounds(push=8, long=100))
    async with _talk(servers, postgres_url, threads, each=9) as (town, ada, kills):
        told = {channel: (town.seen(channel).total(), len(town.twice(channel))) for channel in CHANNELS}
        print(f"{town.sends} requests, {kills} kills; (read, twice): {told}")
        assert kills > 0
        assert town.inversions() == 0
        assert town.lost(ada) == set()
        assert sum(count for count, _ in told.values()) >= 0.95 * len(town.written)
        for channel in CHANNELS:
            assert town.twice(channel) <= town.flagged(ada)
            if SUBJECTS[channel].capabilities.sending.idempotency is Idempotency.KEY:
                assert town.twice(channel) == set()
        _came_in_once(town)


def _came_in_once(town: Town) -> None:
    """What customers wrote is stored once, each in its place, whichever process pulled it."""
    query = "SELECT t.id, m.external_id, m.content FROM message m JOIN thread t ON t.id = m.thread_id"
    rows = town.database.rows(f"{query} WHERE m.direction = 'in' ORDER BY t.id, m.position")
    assert len({(thread, name) for thread, name, _ in rows}) == len(rows)
    for people in town.threads.values():
        for thread in people.values():
            asked = [content for of, _, content in rows if of == thread]
            assert ["Question 1" in asked[0], "Question 2" in asked[1], "Question 3" in asked[2]] == [True] * 3
    assert town.database.gaps() == 0


async def test_processes_that_do_not_look_at_the_thread_are_caught(servers: Servers, postgres_url: str) -> None:
    async with _talk(servers, postgres_url, 5, each=9, killed=False, seeds={"no_order": ""}) as (town, _, _):
        # One platform may be lucky; that all four are is as good as impossible.
        assert any(sum(map(inversions, town.heard(channel))) for channel in CHANNELS)


@contextlib.asynccontextmanager
async def _talk(
    servers: Servers,
    url: str,
    threads: int,
    *,
    each: int,
    killed: bool = True,
    seeds: Mapping[str, object] | None = None,
) -> AsyncIterator[tuple[Town, Agent, int]]:
    """Let everybody write and be answered in turns; yields the town, the agent, and how often a process was killed."""
    async with _platforms() as platforms:
        toml = "".join(account_toml(SUBJECTS[code], one.settings(), code) for code, one in platforms.items())
        more: dict[str, Any] = {
            "accounts": toml,
            "seeds": {"hurry": 20, "lease_ms": _LEASE_MS, **(seeds or {})},
            "start": False,
        }
        made = [await servers(url, **more) for _ in range(3)]
        async with signed_in(*made) as ada:
            for channel, platform in platforms.items():
                platform.webhook_url = f"{made[0].address}/webhooks/{channel}"
            town = Town(platforms, Database(url))
            await town.arrive(threads)
            await town.greet(ada)
            for platform in platforms.values():
                platform.weather.fault, platform.weather.share = _BUSY, 0.1
            async with _nemesis(made[-1], town, killed=killed) as kills:
                for start in range(0, each, _BURST):
                    if start:
                        await town.ask()
                    await town.answer(ada, range(start, start + _BURST))
            yield town, ada, len(kills)


@contextlib.asynccontextmanager
async def _platforms() -> AsyncIterator[dict[str, Any]]:
    async with contextlib.AsyncExitStack() as stack:
        yield {code: await stack.enter_async_context(platform_of(SUBJECTS[code], SystemClock())) for code in CHANNELS}


@contextlib.asynccontextmanager
async def _nemesis(victim: Server, town: Town, *, killed: bool) -> AsyncIterator[list[int]]:
    """Kill a server and start it again whenever so many requests went out; yields its numbers at their deaths."""
    dead, over = list[int](), asyncio.Event()

    async def kill() -> None:
        while not over.is_set():
            goal = town.sends + _PER_KILL
            await until(lambda goal=goal: over.is_set() or town.sends >= goal, seconds=600)  # type: ignore[misc]  # bound now
            if not over.is_set():
                dead.append(victim.pid)
                await victim.kill()
                await victim.start()

    task = asyncio.create_task(kill()) if killed else None
    try:
        yield dead
    finally:
        over.set()
        if task is not None:
            await task
