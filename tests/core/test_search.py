"""The search's index: it follows the log in batches, once, in one process at a time, and can be made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.core.command_line import Command
from tests.core.conftest import HandClock
from trunkline.model import Actor, ActorKind, new_id
from trunkline.service.metrics import Metrics
from trunkline.service.search import Indexer, Wanted, find_messages, marks_of, normal, read_query, tokens
from trunkline.service.search import indexer as indexer_module
from trunkline.service.search.rebuilding import rebuild
from trunkline.service.search.words import spread
from trunkline.service.search.writing import write_entries
from trunkline.store import Store, Transaction, schema

SYSTEM = Actor(ActorKind.SYSTEM)


class Archive:
    """A store with one thread, and messages that the log tells of."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store, self.clock = store, clock
        self.indexer = Indexer(store, clock)
        self._position = 0

    async def say(self, *texts: str) -> list[str]:
        """Store messages, each with its event, in one commit."""
        ids = [new_id() for _ in texts]
        await self.store.writer.write(lambda tx: self._say(tx, dict(zip(ids, texts, strict=True))))
        return ids

    def _say(self, tx: Transaction, said: dict[str, str]) -> None:
        for message_id, text in said.items():
            self._position += 1
            row = {"id": message_id, "thread_id": "t1", "position": self._position, "account_id": "shop"}
            told = {"direction": "in", "author_kind": "contact", "late": False, "at": self.clock.now_ms()}
            tx.execute(schema.message.insert().values(**row, **told, content=_text(text)))
            tx.append("message_received", actor=SYSTEM, at=0, payload={"message": {"id": message_id}}, thread_id="t1")

    async def found(self, query: str, **wanted: Any) -> list[str]:
        """Return the texts that are found."""
        asked = Wanted(query=read_query(query), dialect=self.store.dialect, **wanted)
        async with self.store.read() as connection:
            rows = (await connection.execute(find_messages(asked))).all()
        return [row.content.split('"')[-2] for row in rows]

    async def cursor(self) -> Any:
        async with self.store.read() as connection:
            return (await connection.execute(select(schema.cursor).where(schema.cursor.c.name == "search"))).one()


def _text(text: str) -> str:
    return f'{{"type":"text","text":"{text}"}}'


@pytest.fixture
async def archive(database_url: str, clock: HandClock) -> AsyncIterator[Archive]:
    store = Store(database_url)
    await store.open()
    await store.writer.write(_people)
    yield Archive(store, clock)
    await store.close()


def _people(tx: Transaction) -> None:
    tx.execute(schema.contact.insert().values(id="c1", name="Ann", created_at=0))
    who = {"id": "i1", "account_id": "shop", "external_id": "p1", "kind": "person", "contact_id": "c1"}
    tx.execute(schema.identity.insert().values(**who, reachable=True, created_at=0))
    thread = {"id": "t1", "account_id": "shop", "key": "p1", "contact_id": "c1", "identity_id": "i1", "state": "new"}
    counts = {"round": 1, "last_position": 0, "last_message_at": 0, "last_inbound_at": 0, "unread": 0, "created_at": 0}
    tx.execute(schema.thread.insert().values(**thread, **counts))


async def test_a_long_log_is_indexed_in_batches_newest_first(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer_module, "_BATCH", 7)
    for number in range(20):
        await archive.say(f"parcel {number}", f"letter {number}")
    await archive.indexer.settle()
    assert await archive.found("parcel", limit=100) == [f"parcel {number}" for number in range(19, -1, -1)]
    assert (await archive.cursor()).position == "40"


async def test_nothing_is_lost_or_doubled_by_a_commit_that_fails(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive.say("one", "two")
    # Twice: the writer tries a write that failed again by itself.
    real, failures = write_entries, iter([RuntimeError("halfway")] * 2)

    def failing(tx: Transaction, index: Any, entries: Sequence[Any]) -> None:
        real(tx, index, entries)
        for failure in failures:
            raise failure

    monkeypatch.setattr(indexer_module, "write_entries", failing)
    with pytest.raises(RuntimeError):
        await archive.indexer.step()
    assert await archive.found("one") == []
    await archive.indexer.settle()
    assert await archive.found("one") == ["one"]


async def test_what_is_told_twice_stands_in_the_index_once(archive: Archive) -> None:
    (message,) = await archive.say("once")
    payload = {"message": {"id": message}}
    for _ in range(3):
        await archive.store.writer.write(lambda tx: tx.append("message_edited", actor=SYSTEM, at=0, payload=payload))
        await archive.indexer.settle()
    assert await archive.found("once") == ["once"]


async def test_one_process_indexes_and_another_takes_over(postgres_url: str, clock: HandClock) -> None:
    stores = [Store(postgres_url), Store(postgres_url)]
    for store in stores:
        await store.open()
    await stores[0].writer.write(_people)
    archive, second = Archive(stores[0], clock), Indexer(stores[1], clock)
    await archive.say("first")
    await asyncio.gather(archive.indexer.settle(), second.settle())
    assert await archive.found("first") == ["first"]
    owner = (await archive.cursor()).owner
    idle = second if owner == archive.indexer._me else archive.indexer
    await archive.say("second")
    await idle.settle()
    assert await archive.found("second") == []
    clock.advance(seconds=indexer_module.LEASE_MS / 1000 + 1)
    await idle.settle()
    assert await archive.found("second") == ["second"]
    assert (await archive.cursor()).owner == idle._me
    for store in stores:
        await store.close()


async def test_a_stale_process_writes_nothing(
    postgres_url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read its batch, slept beyond its lease, and another did the work."""
    store = Store(postgres_url)
    await store.open()
    await store.writer.write(_people)
    archive, other = Archive(store, clock), Indexer(store, clock)
    await archive.say("early")
    await archive.indexer.settle()
    await archive.say("late")
    real = indexer_module._read

    async def slow(*arguments: Any) -> Any:
        read = await real(*arguments)
        monkeypatch.setattr(indexer_module, "_read", real)
        clock.advance(seconds=60)
        await other.settle()
        return read

    monkeypatch.setattr(indexer_module, "_read", slow)
    await archive.indexer.step()
    assert await archive.found("late") == ["late"]
    async with store.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(schema.search_message))).scalar_one() == 2
    await store.close()


async def test_the_index_is_made_anew_and_goes_on_from_the_log(archive: Archive) -> None:
    await archive.say("早上好 one", "two")
    await archive.indexer.settle()
    await archive.store.writer.write(lambda tx: tx.execute(schema.search_message.delete()).rowcount)
    assert await archive.found("早上") == []
    steps: list[tuple[int, int]] = []
    await rebuild(archive.store, archive.clock, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (3, 3)
    assert await archive.found("早上") == ["早上好 one"]
    assert await archive.found("o", limit=10) == []
    await archive.say("three")
    await archive.indexer.settle()
    assert await archive.found("three") == ["three"]
    async with archive.store.read() as connection:
        numbers = (await connection.execute(select(schema.search_message.c.id))).scalars().all()
    assert sorted(numbers) == [1, 2, 3]


async def test_a_rebuild_and_a_running_indexer_do_not_get_into_each_others_way(archive: Archive) -> None:
    for number in range(30):
        await archive.say(f"parcel {number}")

    def meanwhile(_done: int, _total: int) -> None:
        tasks.append(asyncio.create_task(archive.indexer.step()))

    tasks: list[asyncio.Task[Any]] = []
    await rebuild(archive.store, archive.clock, meanwhile)
    await asyncio.gather(*tasks)
    await archive.indexer.settle()
    assert len(await archive.found("parcel", limit=100)) == 30


async def test_what_is_written_in_another_version_of_content_is_passed_over(archive: Archive) -> None:
    ids = await archive.say("good")
    table = schema.message
    await archive.store.writer.write(
        lambda tx: tx.execute(table.update().where(table.c.id == ids[0]).values(content='{"type":"hologram"}')).rowcount
    )
    await archive.say("better")
    await archive.indexer.settle()
    assert await archive.found("better") == ["better"]


@given(st.text(max_size=60), st.text(max_size=20))
def test_every_text_and_every_query_is_read(text: str, query: str) -> None:
    found = tokens(normal(text))
    for token in found:
        assert token.word
        assert token.word == token.word.strip()
        assert not set(token.word) & set("\"'\\:*()&|! \n\x00")
        assert 0 <= token.start < token.end <= len(normal(text))
    for start, end in marks_of(found, read_query(query)):
        assert normal(text)[start:end]


@given(st.text(min_size=1, max_size=40))
def test_a_text_finds_itself(text: str) -> None:
    query = read_query(text)
    if query:
        assert marks_of(tokens(normal(text)), query)
    assert [word for phrase in query for word in phrase.words] == spread(text) or "\x85" in text


def test_places_are_those_of_the_words() -> None:
    text = normal("说:早上好,Żółć")
    marks = marks_of(tokens(text), read_query("上好 zol"))
    assert [text[start:end] for start, end in marks] == ["上好", "Żółć"]


async def test_the_command_indexes_anew_and_says_so(clock: HandClock, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/trunkline.db"
    store = Store(url)
    await store.open()
    await store.writer.write(_people)
    archive = Archive(store, clock)
    await archive.say("one", "two")
    await store.close()
    command = Command(tmp_path)
    done = await asyncio.to_thread(command, "search", "rebuild", "--database", url)
    assert done.out.strip() == "Indexed 3 messages and people."
    again = await asyncio.to_thread(command, "search", "rebuild", "--database", url, "--json")
    assert again.json == {"indexed": 3}
    await store.open()
    assert await archive.found("two") == ["two"]
    await store.close()


async def test_the_command_refuses_while_the_database_is_in_use(store: Store, sqlite_url: str, tmp_path: Path) -> None:
    done = await asyncio.to_thread(Command(tmp_path), "search", "rebuild", "--database", sqlite_url, code=1)
    assert "in use by process" in done.err


async def test_how_far_the_search_is_behind_is_measured(archive: Archive, tmp_path: Path) -> None:
    async def lag() -> str:
        text = (await Metrics().expose(archive.store, [], archive.clock, tmp_path)).decode()
        return next(line for line in text.splitlines() if line.startswith("trunkline_search_lag_events "))

    await archive.say("one", "two")
    assert await lag() == "trunkline_search_lag_events 2.0"
    await archive.indexer.settle()
    assert await lag() == "trunkline_search_lag_events 0.0"
