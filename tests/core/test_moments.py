"""Moments: told to everybody who listens, in every process, and kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select

from trunkline.service.moments import Moment, Moments
from trunkline.store import Store, notices, schema


def typing(thread: str = "t1", **details: Any) -> Moment:
    return Moment(kind="typing", thread_id=thread, actor_kind="agent", actor_id="a1", actor_name="Ada", details=details)


class Ear:
    """Keeps what it hears."""

    def __init__(self, moments: Moments) -> None:
        self.heard: asyncio.Queue[Moment] = asyncio.Queue()
        self.stop = moments.listen(self.heard.put_nowait)

    async def next(self) -> Moment:
        async with asyncio.timeout(60):
            return await self.heard.get()


@asynccontextmanager
async def process(url: str) -> AsyncIterator[tuple[Store, Moments]]:
    """One process's share: a store that listens already, and its moments."""
    store, listens = Store(url), asyncio.Event()
    store.on_remote_commit = lambda _seq, _wakes: listens.set()
    await store.open()
    if store.dialect == "postgresql":
        async with asyncio.timeout(60):
            await listens.wait()
    yield store, Moments(store)
    await store.close()


async def test_every_listener_hears_and_whoever_stopped_does_not(database_url: str) -> None:
    async with process(database_url) as (_, moments):
        ears = [Ear(moments) for _ in range(3)]
        ears[1].stop()
        ears[1].stop()
        moments.tell(typing())
        assert [await ears[0].next(), await ears[2].next()] == [typing(), typing()]
        assert ears[1].heard.empty()


async def test_a_listener_that_fails_keeps_nobody_from_hearing(database_url: str) -> None:
    def broken(_moment: Moment) -> None:
        raise RuntimeError

    async with process(database_url) as (_, moments):
        moments.listen(broken)
        ear = Ear(moments)
        moments.tell(typing())
        assert await ear.next() == typing()


async def test_nothing_of_it_is_stored(database_url: str) -> None:
    async with process(database_url) as (store, moments):
        moments.tell(typing())
        async with store.read() as connection:
            assert (await connection.execute(select(func.count()).select_from(schema.event))).scalar_one() == 0


async def test_every_process_hears_it_once(postgres_url: str) -> None:
    async with process(postgres_url) as (_, one), process(postgres_url) as (_, other):
        here, there = Ear(one), Ear(other)
        for number in range(50):
            one.tell(typing(f"t{number}", preview="早上好 ✓"))
            other.tell(typing(f"u{number}"))
        for ear in (here, there):
            found = [await ear.next() for _ in range(100)]
            assert [moment.thread_id for moment in found if moment.details] == [f"t{n}" for n in range(50)]
            assert [moment.thread_id for moment in found if not moment.details] == [f"u{n}" for n in range(50)]
            assert ear.heard.empty()


async def test_what_is_too_long_to_travel_is_heard_here_alone(postgres_url: str) -> None:
    async with process(postgres_url) as (_, one), process(postgres_url) as (_, other):
        here, there = Ear(one), Ear(other)
        one.tell(typing("long", preview="長" * 5000))
        one.tell(typing("short"))
        assert [(await here.next()).thread_id, (await here.next()).thread_id] == ["long", "short"]
        assert (await there.next()).thread_id == "short"


async def test_words_that_are_no_moment_hurt_nobody(postgres_url: str) -> None:
    async with process(postgres_url) as (store, _), process(postgres_url) as (_, other):
        there = Ear(other)
        for words in ("", "{}", "[1]", '{"by": 1}', "null"):
            store.notify(words)
        Moments(store).tell(typing())
        assert await there.next() == typing()


async def test_telling_goes_on_after_the_connection_was_cut(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_AGAIN_S", 0)
    async with process(postgres_url) as (_, one), process(postgres_url) as (_, other):
        there = Ear(other)
        one.tell(typing("before"))
        assert (await there.next()).thread_id == "before"
        async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE '%pg_notify%' AND pid <> pg_backend_pid()"
            )
        async with asyncio.timeout(60):
            # What was told into the cut is lost; it is worth nothing later.
            while there.heard.empty():
                one.tell(typing("after"))
                await asyncio.sleep(0.01)
        assert (await there.next()).thread_id == "after"
