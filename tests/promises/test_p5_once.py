"""P5: with a key a repeated send never shows twice; without one a possible duplicate is flagged, and rare.

Push run: 1,000 replies to a LINE that cuts three requests in ten after it took them, on both databases; 1,000 to a
platform that echoes a field of ours.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from tests.conftest import Rounds
from tests.core.conftest import HandClock
from tests.core.outbox_yard import Platform, Yard, capabilities, open_yard, text_of, yes
from tests.promises.conftest import Servers
from tests.promises.history import Database
from tests.promises.replies import Agent, Clumsy, customers_write, lost, said, signed_in, until
from trunkline.contract import Accepted, EchoReceived, Idempotency, OutboundMessage
from trunkline.errors import Uncertain
from trunkline.model import Address, Text
from trunkline.service.receipts import reconcile_echo
from trunkline.testing.faults import Fault

pytestmark = [pytest.mark.promise("P5"), pytest.mark.timeout(1500)]

_CUT = Fault(do="close_after")
_ON_ITS_WAY = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending', 'retrying', 'held', 'uncertain')"
_THREADS = 50


async def test_with_a_key_nothing_shows_twice_though_three_in_ten_are_cut(
    servers: Servers, database_url: str, rounds: Rounds
) -> None:
    count = rounds(push=1_000, long=10_000)
    seen, silent, cut = await _answer_all(servers, database_url, count)
    print(f"{len(seen)} replies, {cut} requests cut")
    assert cut > count // 10
    assert len(seen) >= 0.9 * count
    assert _twice(seen) == set()
    assert silent == {}


async def test_a_sender_with_a_new_key_for_every_try_is_caught(servers: Servers, sqlite_url: str) -> None:
    seen, _, _ = await _answer_all(servers, sqlite_url, 200, seeds={"new_key": ""})
    assert _twice(seen)


async def _answer_all(
    servers: Servers, url: str, count: int, *, seeds: dict[str, object] | None = None
) -> tuple[Counter[str], dict[str, str], int]:
    """Return how often each text was seen, what was lost in silence, and how many requests were cut."""
    database = Database(url)
    async with Clumsy(fault=_CUT, share=0.3) as line:
        more: dict[str, Any] = {"accounts": line.account(), "seeds": {"hurry": 100, **(seeds or {})}, "start": False}
        server = await servers(url, **more)
        async with signed_in(server) as ada:
            threads = await customers_write(line, server, _THREADS, database)
            await asyncio.gather(*(_write(ada, thread, max(1, count // _THREADS)) for thread in threads.values()))
            await until(database, _ON_ITS_WAY)
            seen = Counter(text for texts in said(line).values() for text in texts)
            return seen, lost(line, database, ada), line.failed


async def _write(ada: Agent, thread: str, each: int) -> None:
    for number in range(each):
        await ada.reply(thread, f"{thread}-{number}")


def _twice(seen: Counter[str]) -> set[str]:
    return {text for text, count in seen.items() if count > 1}


# ---------------------------------------------------------------- a field of ours that comes back


class Echoing(Platform):
    """Takes every message, answers seven in ten, and echoes all but one in two hundred a little later."""

    def __init__(self, *, echoes: bool = True) -> None:
        super().__init__()
        self.taken: Counter[str] = Counter()
        self.echoes: list[EchoReceived] = []
        self._speaks, self._lot = echoes, random.Random(5)

    async def deliver(self, message: OutboundMessage) -> Accepted:
        text = text_of(message)
        self.taken[text] += 1
        number = sum(self.taken.values())
        if self._lot.random() < 0.7:
            return yes(number)
        if self._speaks and self._lot.random() > 0.005:
            self.echoes.append(
                EchoReceived(
                    dedupe_key=f"e-{number}",
                    thread_key=message.thread_key,
                    contact=Address(external_id=message.thread_key),
                    external_id=f"p-{number}",
                    content=Text(text=text),
                    correlation=message.delivery_id,
                )
            )
        raise Uncertain


async def test_duplicates_are_rare_and_flagged_where_a_field_of_ours_comes_back(
    database_url: str, rounds: Rounds
) -> None:
    count = rounds(push=1_000, long=10_000)
    platform = Echoing()
    twice, flagged = await _answer_by_echo(platform, database_url, count)
    print(f"{count} replies: {len(twice)} shown twice, {len(flagged)} flagged")
    assert sum(platform.taken.values()) >= count
    assert len(twice) <= max(1, count // 100)
    assert twice <= flagged


async def test_without_echoes_duplicates_are_many_and_all_flagged(sqlite_url: str) -> None:
    twice, flagged = await _answer_by_echo(Echoing(echoes=False), sqlite_url, 200)
    assert len(twice) > 2
    assert twice <= flagged


async def _answer_by_echo(platform: Echoing, url: str, count: int) -> tuple[set[str], set[str]]:
    """Return the texts that were shown twice, and those that are flagged."""
    async with open_yard(url, HandClock()) as yard:
        await yard.account(platform, capabilities(Idempotency.CORRELATION))
        threads = [await yard.thread() for _ in range(_THREADS)]
        for index, thread in enumerate(threads):
            await yard.post(thread, *(f"{index}-{number}" for number in range(max(1, count // _THREADS))))
        for _ in range(100 + count // _THREADS * 4):
            await yard.settle()
            await _echo(yard, platform)
            yard.clock.advance(seconds=7)
            if set(await yard.states()) == {"sent"}:
                break
        assert set(await yard.states()) == {"sent"}
        flagged = {row.plan for row in await yard.rows() if row.maybe_duplicate}
    return _twice(platform.taken), {plan.partition('"text":"')[2].partition('"')[0] for plan in flagged}


async def _echo(yard: Yard, platform: Echoing) -> None:
    echoes, platform.echoes = platform.echoes, []
    now = yard.clock.now
    for echo in echoes:
        await yard.store.writer.write(lambda tx, echo=echo: reconcile_echo(tx, "shop", echo, now))  # type: ignore[misc]  # bound now
