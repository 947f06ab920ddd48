"""P2 on every hosted channel: a visitor's message that is sent again and again, and across a kill, is one message.

Push run: 100 messages on each channel, 50 with two processes on PostgreSQL, in one to seven copies, all shuffled, 32
at once, by HTTP and over sockets, one copy in five once more without waiting for its answer; a kill -9 half-way, and
one more copy of each thirty days later.
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pytest

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.guests import ACCOUNTS, HOSTED, KINDS, Guest, arrived
from tests.promises.history import Database, Findings, History, judge
from tests.promises.processes import Server
from tests.promises.waiting import until
from trunkline.contract import Transport
from trunkline.plugins import load_registry

pytestmark = [pytest.mark.promise("P2"), pytest.mark.timeout(1500)]

_MONTH_MS = 30 * 24 * 3600 * 1000
_AT_ONCE, _CROWD = 32, 5
_IN = "FROM message m JOIN thread t ON t.id = m.thread_id WHERE m.direction = 'in'"


class Word(NamedTuple):
    """One message of one visitor."""

    guest: Guest
    client_id: str

    @property
    def key(self) -> str:
        return f"{self.guest.kind.channel} {self.client_id}"

    @property
    def body(self) -> dict[str, Any]:
        return {"client_id": self.client_id, "kind": "text", "text": self.client_id}


class Ledger(Database):
    """Messages by channel and client id."""

    def messages(self) -> Counter[str]:
        rows = self.rows(f"SELECT t.channel, m.external_id {_IN}")
        return Counter(f"{channel} {name.partition(':')[2]}" for channel, name in rows)

    def announced(self) -> Counter[str]:
        rows = self.rows(f"SELECT m.id, t.channel, m.external_id {_IN}")
        ours = {row[0]: f"{row[1]} {row[2].partition(':')[2]}" for row in rows}
        payloads = self.rows("SELECT payload FROM event WHERE kind = 'message_received'")
        return Counter(ours[json.loads(payload)["message"]["id"]] for (payload,) in payloads)


class Answers:
    """What visitors were answered."""

    def __init__(self) -> None:
        #: Message → the ids under which it was shown to its sender, and how often it counted as new.
        self.ids: dict[str, set[str]] = defaultdict(set)
        self.new: Counter[str] = Counter()

    def note(self, word: Word, answer: dict[str, Any]) -> None:
        self.ids[word.key].add(answer["message"]["id"])
        self.new[word.key] += not answer["replayed"]

    @property
    def torn(self) -> set[str]:
        """Messages whose copies were not answered alike."""
        return {key for key, ids in self.ids.items() if len(ids) > 1} | {key for key in self.new if self.new[key] > 1}


def test_every_hosted_channel_is_held_to_these_promises() -> None:
    hosted = {
        code
        for code, (_, channel) in load_registry(()).channels.items()
        if channel.capabilities.receiving.transport is Transport.HOSTED
    }
    assert set(HOSTED) == hosted


async def test_a_message_sent_again_and_again_over_a_kill_and_a_month_later_is_one_on_every_hosted_channel(
    servers: Servers, database_url: str, history: History, rounds: Rounds
) -> None:
    one = database_url.startswith("sqlite")
    each = rounds(push=100 if one else 50, long=5_000)
    found, answers, missed = await _many_times(servers, database_url, history, each, processes=1 if one else 2)
    assert found.clean, found
    assert answers.torn == set()
    assert missed == set()
    assert Counter(key.split()[0] for key in history.acked) == dict.fromkeys(HOSTED, each)


@pytest.mark.parametrize("seed", ["no_client_ids", "client_ids_in_memory"])
async def test_a_house_that_forgets_client_ids_is_caught_on_every_hosted_channel(
    seed: str, servers: Servers, sqlite_url: str, history: History
) -> None:
    found, answers, _ = await _many_times(servers, sqlite_url, history, 20, seed=seed)
    assert {key.split()[0] for key in found.doubled} == set(HOSTED)
    assert {key.split()[0] for key in answers.torn} == set(HOSTED)


async def _many_times(
    servers: Servers, url: str, history: History, each: int, *, processes: int = 1, seed: str | None = None
) -> tuple[Findings, Answers, set[str]]:
    """Send every message one to seven times, and once more a month later.

    Returns what is wrong in the store, what was answered, and the messages that their senders' feeds do not tell once.
    """
    more: dict[str, Any] = {"accounts": ACCOUNTS, "seeds": {"no_client_limits": "", **({seed: ""} if seed else {})}}
    made = [await servers(url, **more) for _ in range(processes)]
    async with arrived([server.address for server in made], KINDS, _CROWD) as guests:
        words = [
            Word(_of(guests, kind.channel)[at % _CROWD], str(uuid.uuid4())) for kind in KINDS for at in range(each)
        ]
        post, lot = Office(made[-1], history), random.Random(each)
        await post.deliver(_copies(words, lot), lot, killed_after=2 * len(words))
        for guest in guests:
            await guest.read_to_the_end()
        await _a_month_later(made)
        await post.deliver(words, lot)
        for guest in guests:
            await guest.read_to_the_end()
        for server in made:
            await server.stop()
    return judge(history, Ledger(url), raw=False), post.answers, _not_told_once(guests, words)


async def _a_month_later(servers: Sequence[Server]) -> None:
    for server in servers:
        await server.stop()
        server.seeds["clock_offset_ms"] = str(_MONTH_MS)
    for server in servers:
        await server.start()


def _of(guests: Iterable[Guest], channel: str) -> list[Guest]:
    return [guest for guest in guests if guest.kind.channel == channel]


def _copies(words: Sequence[Word], lot: random.Random) -> list[Word]:
    copies = [word for word in words for _ in range(lot.randint(1, 7))]
    lot.shuffle(copies)
    return copies


def _not_told_once(guests: Iterable[Guest], words: Iterable[Word]) -> set[str]:
    told = {guest: Counter(guest.heard("contact")) for guest in guests}
    return {word.key for word in words if told[word.guest][word.client_id] != 1}


class Office:
    """Carries messages to the house, each copy until it is answered."""

    def __init__(self, server: Server, history: History) -> None:
        self._server, self._history = server, history
        self.answers = Answers()
        self._taken = 0

    async def deliver(self, copies: Sequence[Word], lot: random.Random, *, killed_after: int | None = None) -> None:
        """Send all, 32 at once; kill the server and start it again when so many were taken."""
        left = deque(copies)

        async def carry() -> None:
            while left:
                word = left.popleft()
                if not await self._send(word, lot):
                    left.append(word)

        killer = [] if killed_after is None else [self._kill(killed_after)]
        await asyncio.gather(*killer, *(carry() for _ in range(_AT_ONCE)))

    async def _kill(self, after: int) -> None:
        await until(lambda: self._taken >= after, seconds=600)
        await self._server.kill()
        await self._server.start()

    async def _send(self, word: Word, lot: random.Random) -> bool:
        """Send one copy in one of four ways; returns whether it was taken."""
        guest, call, leave = word.guest, self._history.invoke([word.key]), lot.random() < 0.2
        by_socket = lot.random() < 0.1
        if leave:
            await (guest.send_and_leave if by_socket else guest.post_and_leave)(word.body)
        status, answer = await (guest.send if by_socket else guest.post)(word.body)
        if status == 0:
            self._history.unknown(call)
        elif status in {200, 201}:
            self._history.ok(call)
            self.answers.note(word, answer)
            self._taken += 1
            return True
        else:
            assert status == 503, answer
            self._history.fail(call, status)
        await asyncio.sleep(0.02)
        return False
