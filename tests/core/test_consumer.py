"""Several processes on one database: an application hears every event once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import psycopg

from tests.core.conftest import HandClock
from trunkline.contract import Application, ApplicationSpec
from trunkline.model import Actor, ActorKind
from trunkline.service.applications import Consumer
from trunkline.store import Store

_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Listener(Application):
    """Counts what it hears; may be held in the middle of a page."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.began, self.go_on = threading.Event(), threading.Event()

    def consume(self, tx: Any, events: Sequence[Any]) -> None:
        self.began.set()
        assert self.go_on.wait(60)
        self.heard += [event.seq for event in events]


def _consumer(store: Store, listener: Listener, clock: HandClock) -> Consumer:
    spec = ApplicationSpec(name="listener", title={"en": "Listener"}, build=lambda house: listener)
    return Consumer(spec, listener, store, clock)


async def _until_one_waits(url: str) -> None:
    async with asyncio.timeout(60), await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while (await (await connection.execute(_WAITS)).fetchone()) == (0,):  # noqa: ASYNC110 - another process waits
            await asyncio.sleep(0.01)


async def test_two_processes_that_start_together_do_not_both_apply_the_first_page(
    postgres_url: str, clock: HandClock
) -> None:
    one, two = Store(postgres_url), Store(postgres_url)
    await one.open()
    await two.open()
    await one.writer.write(lambda tx: tx.append("tested", actor=Actor(ActorKind.SYSTEM), at=clock.now, payload={}))
    first, second = Listener(), Listener()
    second.go_on.set()
    step = asyncio.create_task(_consumer(one, first, clock).step())
    assert await asyncio.to_thread(first.began.wait, 60)
    other = asyncio.create_task(_consumer(two, second, clock).step())
    await _until_one_waits(postgres_url)
    first.go_on.set()
    await asyncio.gather(step, other)
    await one.close()
    await two.close()
    assert first.heard == [1]
    assert second.heard == []
