"""The writer: groups, failures that spare their neighbours, back-pressure, order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from trunkline.errors import StartRefused, StoreUnavailable
from trunkline.model import Actor, ActorKind
from trunkline.store import LogRow, Store, Transaction, schema

SYSTEM = Actor(ActorKind.SYSTEM)


def beat(name: str) -> Callable[[Transaction], str]:
    def work(tx: Transaction) -> str:
        tx.execute(schema.heartbeat.insert().values(name=name, at=1))
        tx.append("beat", actor=SYSTEM, at=1, payload={"name": name})
        return name

    return work


async def names(store: Store) -> list[str]:
    async with store.read() as connection:
        found = await connection.execute(select(schema.heartbeat.c.name).order_by(schema.heartbeat.c.name))
        return list(found.scalars())


async def log_of(store: Store) -> list[tuple[int, str]]:
    async with store.read() as connection:
        found = await connection.execute(
            select(schema.event.c.seq, schema.event.c.payload).order_by(schema.event.c.seq)
        )
        return [(seq, payload) for seq, payload in found]


async def test_writes_that_wait_together_share_one_commit(any_store: Store) -> None:
    commits: list[int] = []
    any_store.writer.listen(lambda rows, _wakes: commits.append(len(rows)))
    await asyncio.gather(*(any_store.writer.write(beat(f"n{number:02}")) for number in range(40)))
    assert sum(commits) == 40
    assert len(commits) < 40


async def test_writes_of_turns_that_follow_each_other_share_one_commit(any_store: Store) -> None:
    commits: list[int] = []
    any_store.writer.listen(lambda rows, _wakes: commits.append(len(rows)))

    async def late(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await any_store.writer.write(beat(f"n{turns}"))

    await asyncio.gather(*(late(turns) for turns in range(6)))
    assert commits == [6]


async def test_nobody_waits_for_ever_for_writes_that_keep_coming(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    flush = store.writer._flush

    def counted() -> None:
        groups.append(len(store.writer._pending))
        flush()

    monkeypatch.setattr(store.writer, "_flush", counted)
    writes = []
    for number in range(40):
        writes.append(asyncio.ensure_future(store.writer.write(beat(f"n{number}"))))
        await asyncio.sleep(0)
    await asyncio.gather(*writes)
    assert sum(groups) == 40
    assert max(groups) < 20


async def test_a_failed_write_spares_its_neighbours_and_leaves_nothing(any_store: Store) -> None:
    def bad(tx: Transaction) -> None:
        tx.execute(schema.heartbeat.insert().values(name="bad", at=1))
        tx.append("beat", actor=SYSTEM, at=1, payload={"name": "bad"})
        raise ValueError("on purpose")

    results = await asyncio.gather(
        any_store.writer.write(beat("a")),
        any_store.writer.write(bad),
        any_store.writer.write(beat("b")),
        return_exceptions=True,
    )
    assert results[0] == "a"
    assert isinstance(results[1], ValueError)
    assert results[2] == "b"
    assert await names(any_store) == ["a", "b"]
    assert [payload for _, payload in await log_of(any_store)] == ['{"name":"a"}', '{"name":"b"}']


async def test_a_constraint_violation_is_the_writers_own_error(any_store: Store) -> None:
    await any_store.writer.write(beat("once"))
    results = await asyncio.gather(
        any_store.writer.write(beat("once")), any_store.writer.write(beat("more")), return_exceptions=True
    )
    assert isinstance(results[0], Exception)
    assert not isinstance(results[0], StoreUnavailable)
    assert results[1] == "more"
    assert await names(any_store) == ["more", "once"]


async def test_items_that_share_a_function_arrive_in_one_call_and_in_order(any_store: Store) -> None:
    calls: list[list[int]] = []

    def together(_tx: Transaction, items: list[int]) -> list[int]:
        calls.append(items)
        return [item * 2 for item in items]

    results = await asyncio.gather(*(any_store.writer.write_together(together, number) for number in range(30)))
    assert results == [number * 2 for number in range(30)]
    assert [item for call in calls for item in call] == list(range(30))
    assert len(calls) < 30


async def test_one_bad_item_of_a_shared_call_fails_alone(any_store: Store) -> None:
    def together(tx: Transaction, items: list[int]) -> list[int]:
        for item in items:
            tx.execute(schema.heartbeat.insert().values(name=f"n{item}", at=1))
            if item == 3:
                raise ValueError("three")
        return items

    results = await asyncio.gather(
        *(any_store.writer.write_together(together, number) for number in range(6)), return_exceptions=True
    )
    assert [result for result in results if not isinstance(result, Exception)] == [0, 1, 2, 4, 5]
    assert await names(any_store) == ["n0", "n1", "n2", "n4", "n5"]


async def test_the_log_is_numbered_without_gaps_in_commit_order(any_store: Store) -> None:
    seen: list[LogRow] = []

    def listener(rows: Sequence[LogRow], _wakes: set[str]) -> None:
        seen.extend(rows)

    any_store.writer.listen(listener)

    def bad(_tx: Transaction) -> str:
        raise ValueError("gap?")

    work = [beat(f"n{number:03}") if number % 7 else bad for number in range(100)]
    await asyncio.gather(*(any_store.writer.write(one) for one in work), return_exceptions=True)
    assert [row.seq for row in seen] == list(range(1, len(seen) + 1))
    assert [(row.seq, row.payload) for row in seen] == await log_of(any_store)


async def test_listeners_hear_of_a_commit_before_its_writer_is_answered(any_store: Store) -> None:
    order: list[str] = []
    any_store.writer.listen(lambda _rows, _wakes: order.append("listener"))
    await any_store.writer.write(beat("one"))
    order.append("writer")
    assert order == ["listener", "writer"]


async def test_a_cancelled_caller_never_commits_half(any_store: Store) -> None:
    task = asyncio.create_task(any_store.writer.write(beat("whole")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await any_store.writer.write(beat("after"))
    found = await names(any_store)
    assert "after" in found
    assert len(await log_of(any_store)) == len(found)


async def test_a_full_queue_refuses_at_once(sqlite_url: str) -> None:
    store = Store(sqlite_url, max_queue=5)
    await store.open()
    try:
        tasks = [asyncio.create_task(store.writer.write(beat(f"n{number}"))) for number in range(20)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await store.close()
    refused = [result for result in results if isinstance(result, StoreUnavailable)]
    assert len(refused) == 15
    assert {error.code for error in refused} == {"store_busy"}


async def test_readers_cannot_write(any_store: Store) -> None:
    async with any_store.read() as connection:
        with pytest.raises(Exception, match=r"readonly|read-only|query_only"):
            await connection.execute(schema.heartbeat.insert().values(name="no", at=1))


async def test_a_closed_store_takes_nothing(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    await store.open()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.writer.write(beat("late"))


async def test_a_closed_database_is_one_file(tmp_path: Path) -> None:
    """Whoever copies the file of a stopped Trunkline must not have to know of a log beside it."""
    store = Store(f"sqlite:///{tmp_path / 'one.db'}")
    await store.open()
    await store.writer.write(beat("kept"))
    assert await names(store) == ["kept"]
    await store.close()
    assert not (tmp_path / "one.db-wal").exists()


async def test_what_was_accepted_is_stored_before_the_store_closes(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    await store.open()
    tasks = [asyncio.create_task(store.writer.write(beat(f"n{number}"))) for number in range(10)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*tasks)) == 10


async def test_a_second_process_on_the_same_file_is_refused(store: Store, sqlite_url: str) -> None:
    with pytest.raises(StartRefused, match=r"in use by process \d+"):
        await Store(sqlite_url).open()


async def test_a_schema_from_the_future_is_refused_with_one_sentence(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    await store.open()
    await store.writer.write(
        lambda tx: tx.execute(schema.metadata.tables["heartbeat"].insert().values(name="x", at=1)).rowcount
    )
    await store.close()
    import sqlite3

    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE schema_version_core SET version_num = '9999'")
    with pytest.raises(StartRefused, match="does not know") as refusal:
        await Store(sqlite_url).open()
    assert "\n" not in str(refusal.value)


async def test_the_migrated_schema_is_the_declared_one(any_store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    # The words of the search are tables that no metadata describes; FTS5 makes several of each.
    apart = re.compile(r"schema_|search_\w+_words")
    options = {"include_name": lambda name, kind, _parents: kind != "table" or not apart.match(str(name))}
    with any_store.backend.engine().connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []


async def test_every_time_is_counted_in_the_log(any_store: Store) -> None:
    await any_store.writer.write(beat("one"))
    async with any_store.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(schema.event))).scalar() == 1
