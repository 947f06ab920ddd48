"""Plain readers: on a thread where the database is a file, without one where it is asked over a socket."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from tests.core.test_writer import beat
from trunkline.errors import StartRefused
from trunkline.store import Store, schema

_COUNT = select(func.count()).select_from(schema.heartbeat)


def count(connection: Connection) -> int:
    return int(connection.execute(_COUNT).scalar_one())


async def test_a_plain_reader_sees_what_was_committed(any_store: Store) -> None:
    for name in ("one", "two"):
        await any_store.writer.write(beat(name))
        assert await any_store.ask(count) == (1 if name == "one" else 2)


async def test_a_plain_reader_cannot_write(any_store: Store) -> None:
    def write(connection: Connection) -> Any:
        return connection.execute(schema.heartbeat.insert().values(name="no", at=1))

    with pytest.raises(Exception, match=r"readonly|read-only|query_only"):
        await any_store.ask(write)
    assert await any_store.ask(count) == 0


async def test_what_one_plain_reader_sees_on_sqlite_is_of_one_moment(store: Store) -> None:
    looked, committed = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        first = count(connection)
        looked.set()
        assert committed.wait(60)
        return first, count(connection)

    reading = asyncio.create_task(store.ask(twice))
    assert await asyncio.to_thread(looked.wait, 60)
    await store.writer.write(beat("meanwhile"))
    committed.set()
    assert await reading == (0, 0)
    assert await store.ask(count) == 1


async def test_more_readers_than_threads_take_turns(any_store: Store) -> None:
    assert await asyncio.gather(*(any_store.ask(count) for _ in range(30))) == [0] * 30


async def test_a_readers_error_reaches_who_asked_and_spares_the_connection(any_store: Store) -> None:
    def fail(connection: Connection) -> None:
        count(connection)
        raise LookupError("not there")

    for _ in range(10):
        with pytest.raises(LookupError, match="not there"):
            await any_store.ask(fail)
    assert await any_store.ask(count) == 0


async def test_a_closed_store_answers_nobody(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    await store.open()
    await store.close()
    with pytest.raises(StartRefused):
        await store.ask(count)
