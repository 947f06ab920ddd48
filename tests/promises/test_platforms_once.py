"""P2 on every platform: a webhook delivered several times, at once, late and across a kill makes one message.

Push run: 1,000 events on each platform in one to seven copies, all shuffled, 32 at once, a kill -9 half-way, and one
more copy thirty days later; one house has an account on each. A platform that only notifies sends the copies of its
notifications; the house pulls.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.history import Database, Findings, History, judge
from tests.promises.office import PLATFORMS, SUBJECTS, account_toml
from tests.promises.processes import Server
from tests.promises.waiting import until
from trunkline.clock import SystemClock
from trunkline.contract import MessageReceived
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.phones import Action

pytestmark = [pytest.mark.promise("P2"), pytest.mark.timeout(1500)]

_MONTH_S = 30 * 24 * 3600
_AT_ONCE = 32
_IN = "FROM message m JOIN thread t ON t.id = m.thread_id WHERE m.direction = 'in'"


class Event(NamedTuple):
    """One webhook: the messages in it by channel and platform id (none for a notification), and its trusted bytes."""

    channel: str
    keys: list[str]
    body: bytes


class Ledger(Database):
    """Messages by channel and platform id: two platforms may give one id to different messages."""

    def messages(self) -> Counter[str]:
        query = f"SELECT t.account_id, m.external_id, count(*) {_IN} GROUP BY t.account_id, m.external_id"
        return Counter({f"{channel} {key}": count for channel, key, count in self.rows(query)})

    def announced(self) -> Counter[str]:
        ours = {row[0]: f"{row[1]} {row[2]}" for row in self.rows(f"SELECT m.id, t.account_id, m.external_id {_IN}")}
        payloads = self.rows("SELECT payload FROM event WHERE kind = 'message_received'")
        return Counter(ours[json.loads(payload)["message"]["id"]] for (payload,) in payloads)


async def test_copies_over_a_kill_and_a_month_later_make_one_message_on_every_platform(
    servers: Servers, sqlite_url: str, history: History, rounds: Rounds
) -> None:
    each = rounds(push=1_000, long=10_000)
    found = await _many_times(servers, sqlite_url, history, each)
    assert found.clean, found
    assert Counter(key.split()[0] for key in history.invoked) == dict.fromkeys(PLATFORMS, each)


async def test_a_store_without_its_key_is_caught_on_every_platform_that_pushes(
    servers: Servers, sqlite_url: str, history: History
) -> None:
    found = await _many_times(servers, sqlite_url, history, 10, seeds={"no_key": ""})
    # What is pulled has a cursor besides: no page of it is ever read twice.
    assert {key.split()[0] for key in found.doubled} == set(PLATFORMS) - {"wechat_kf"}


async def _many_times(servers: Servers, url: str, history: History, each: int, **more: Any) -> Findings:
    """Send every event one to seven times to one house with an account on each platform; once more a month later."""
    async with contextlib.AsyncExitStack() as stack:
        stages = {code: await stack.enter_async_context(Stage.opened(one)) for code, one in SUBJECTS.items()}
        toml = [account_toml(SUBJECTS[code], stage.simulator.settings(), code) for code, stage in stages.items()]
        # First the accounts, then what happens: nobody is shown what was said before they were there.
        server = await servers(url, accounts="".join(toml), **more)
        events = [event for code, stage in stages.items() for event in await _happened(code, stage, each)]
        courier, ledger = Courier(stages, server, history), Ledger(url)
        await courier.deliver(_copies(events, random.Random(each)), killed_after=2 * len(events))
        await server.stop()
        server.seeds["clock_offset_ms"] = str(_MONTH_S * 1000)
        courier.ahead_s = _MONTH_S
        await server.start()
        await courier.deliver(_batched(stages, events, random.Random(7), most=20))
        await until(lambda: history.acked <= set(ledger.messages()), lambda: str(judge(history, ledger, raw=False)))
        await server.stop()
        return judge(history, ledger, raw=False)


def _to_now(stage: Stage, ahead_s: float = 0) -> None:
    """Let the platform's clock show the servers' time: proofs are good for minutes."""
    stage.clock.move((SystemClock().now_ms() - stage.clock.now_ms()) / 1000 + ahead_s)


async def _happened(channel: str, stage: Stage, count: int) -> list[Event]:
    """Let customers write, and return their webhooks."""
    _to_now(stage)
    people, events = [stage.add_customer(f"Customer {number}") for number in range(min(count, 97))], []
    for number in range(count):
        before, items = len(stage.door.requests), len(stage.door.items)
        await stage.simulator.act(people[number % len(people)], Action(kind="text", text=f"Question {number}"))
        keys = _messages(channel, stage.door.items[items:])
        bodies = [bytes(stage.connector.authenticate(one)) for one in stage.door.requests[before:]]
        events.append(Event(channel, keys, bodies[-1]))
    return events


def _messages(channel: str, items: Iterable[Any]) -> list[str]:
    return [f"{channel} {item.external_id}" for item in items if isinstance(item, MessageReceived)]


def _copies(events: Sequence[Event], lot: random.Random) -> list[Event]:
    copies = [event for event in events for _ in range(lot.randint(1, 7))]
    lot.shuffle(copies)
    return copies


def _batched(stages: Mapping[str, Stage], events: Sequence[Event], lot: random.Random, *, most: int) -> list[Event]:
    """Put neighbours into one webhook where the platform does that."""
    made: list[Event] = []
    for channel, stage in stages.items():
        rest = iter([event for event in events if event.channel == channel])
        while part := list(islice(rest, lot.randint(1, most))):
            whole = stage.simulator.joined([event.body for event in part]) if part[0].keys else None
            keys = [key for event in part for key in event.keys]
            made += part if whole is None else [Event(channel, keys, whole)]
    return made


class Courier:
    """Signs as the platforms do, and posts until the house says yes."""

    def __init__(self, stages: Mapping[str, Stage], server: Server, history: History) -> None:
        self._stages, self._server, self._history = stages, server, history
        #: How far the server's clock is ahead of ours.
        self.ahead_s = 0

    async def deliver(self, events: Sequence[Event], *, killed_after: int | None = None) -> None:
        """Post all, 32 at once; kill the server and start it again when so many were taken."""
        left, taken = deque(events), [0]

        async def post(session: aiohttp.ClientSession) -> None:
            while left:
                event = left.popleft()
                if await self._post(session, event):
                    taken[0] += 1
                else:
                    left.append(event)
                    await asyncio.sleep(0.02)

        async with _killed(self._server, taken, killed_after), aiohttp.ClientSession() as session:
            await asyncio.gather(*(post(session) for _ in range(_AT_ONCE)))
        for channel in {event.channel for event in events if not event.keys}:
            await self._pulled(channel)

    async def _post(self, session: aiohttp.ClientSession, event: Event) -> bool:
        _to_now(self._stages[event.channel], self.ahead_s)
        request, call = self._stages[event.channel].simulator.webhook(event.body), self._history.invoke(event.keys)
        url = f"{self._server.address}/webhooks/{event.channel}"
        try:
            async with session.post(url, data=request.body, headers=request.headers, params=request.query) as answer:
                assert answer.status in {200, 503}, (event.channel, answer.status, await answer.text())
        except (aiohttp.ClientError, TimeoutError, OSError):
            self._history.unknown(call)
            return False
        if answer.status != 200:
            self._history.fail(call, answer.status)
            return False
        self._history.ok(call)
        return True

    async def _pulled(self, channel: str) -> None:
        """Learn what a platform has to give: the house was told, and must have all of it in the end."""
        stage = self._stages[channel]
        before = len(stage.door.items)
        await stage.pull()
        self._history.ok(self._history.invoke(_messages(channel, stage.door.items[before:])))


@contextlib.asynccontextmanager
async def _killed(server: Server, taken: list[int], after: int | None) -> AsyncIterator[None]:
    async def kill() -> None:
        await until(lambda: taken[0] >= (after or 0), seconds=600)
        await server.kill()
        await server.start()

    if after is None:
        yield
        return
    task = asyncio.create_task(kill())
    yield
    await task
