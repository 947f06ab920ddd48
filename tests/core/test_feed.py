"""The live feed: without gaps, in order, once, and never in the way of the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from trunkline.model import Actor, ActorKind
from trunkline.service import feed as feed_module
from trunkline.service.feed import Feed, Subscription
from trunkline.store import Store, Transaction

SYSTEM = Actor(ActorKind.SYSTEM)


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    store = Store(database_url)
    await store.open()
    feed = Feed(store)
    store.on_remote_commit = lambda seq, _wakes: feed.catch_up(seq)
    await feed.start()
    yield feed
    await feed.stop()
    await store.close()


async def happen(store: Store, number: int) -> None:
    def work(tx: Transaction) -> None:
        tx.append("happened", actor=SYSTEM, at=number, payload={"number": number})

    await store.writer.write(work)


async def collect(subscription: Subscription, count: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async for frame in subscription:
        body = msgspec.json.decode(frame)
        assert body["cursor"] == body["events"][-1]["seq"]
        events.extend(body["events"])
        if len(events) >= count:
            return events
    return events


async def test_what_came_before_and_what_comes_after_is_seen_once_and_in_order(feed: Feed) -> None:
    for number in range(30):
        await happen(feed.store, number)
    subscription = feed.subscribe(10)
    reading = asyncio.create_task(collect(subscription, 40))
    for number in range(30, 50):
        await happen(feed.store, number)
    events = await reading
    assert [event["seq"] for event in events] == list(range(11, 51))
    assert [event["payload"]["number"] for event in events] == list(range(10, 50))


async def test_a_commit_is_encoded_once_for_all_readers(feed: Feed) -> None:
    readers = [feed.subscribe(feed.last_seq) for _ in range(5)]
    await happen(feed.store, 1)
    frames = [await anext(aiter(reader)) for reader in readers]
    assert all(frame is frames[0] for frame in frames)


async def test_a_reader_that_does_not_read_is_cut_off_and_holds_nobody_up(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_MOST_FRAMES", 3)
    slow, quick = feed.subscribe(0), feed.subscribe(0)
    reading = asyncio.create_task(collect(quick, 60))
    # Several commits may come in one frame, and it is frames that are counted.
    for number in range(60):
        await happen(feed.store, number)
        await asyncio.sleep(0)
    assert [event["seq"] for event in await reading] == list(range(1, 61))
    assert slow.evicted
    assert not quick.evicted
    assert await collect(slow, 1) == []


async def test_commits_of_another_process_come_in_their_place(postgres_url: str) -> None:
    stores = [Store(postgres_url), Store(postgres_url)]
    for store in stores:
        await store.open()
    feed = Feed(stores[0])
    stores[0].on_remote_commit = lambda seq, _wakes: feed.catch_up(seq)
    await feed.start()
    reading = asyncio.create_task(collect(feed.subscribe(0), 40))
    for number in range(20):
        await happen(stores[1], number)
        await happen(stores[0], 100 + number)
    events = await asyncio.wait_for(reading, 60)
    await feed.stop()
    for store in stores:
        await store.close()
    assert [event["seq"] for event in events] == list(range(1, 41))


async def test_stopping_ends_every_reader(feed: Feed) -> None:
    subscription = feed.subscribe(0)
    reading = asyncio.create_task(collect(subscription, 1))
    await asyncio.sleep(0)
    await feed.stop()
    assert await asyncio.wait_for(reading, 60) == []


async def test_a_read_that_fails_is_tried_again(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = Store(postgres_url), Store(postgres_url)
    for one in (store, other):
        await one.open()
    feed = Feed(store)
    await feed.start()
    failures = iter([OperationalError("SELECT", {}, Exception("gone"))] * 2)
    read_log = feed_module.read_log

    async def failing(*arguments: Any, **options: Any) -> Any:
        for failure in failures:
            raise failure
        return await read_log(*arguments, **options)

    monkeypatch.setattr(feed_module, "read_log", failing)
    monkeypatch.setattr(feed_module, "_AGAIN_S", 0)
    reading = asyncio.create_task(collect(feed.subscribe(0), 1))
    await happen(other, 1)
    feed.catch_up(1)
    events = await asyncio.wait_for(reading, 60)
    await feed.stop()
    for one in (store, other):
        await one.close()
    assert [event["seq"] for event in events] == [1]
