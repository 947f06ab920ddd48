"""The fast ways of a transaction: rows of their own in one statement, on both databases alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import select

from trunkline.errors import StoreUnavailable
from trunkline.model import Actor, ActorKind
from trunkline.store import Prepared, Rewrite, Store, Transaction, schema

COLUMNS = ("id", "name", "created_at")
CONTACT = schema.contact
RENAME = Rewrite(CONTACT, ("name", "created_at"))
#: More than one statement takes, and no power of two.
MANY = 75


def row(number: int, name: str = "Ada") -> tuple[str, str, int]:
    return f"c{number:03}", name, number


def put(*rows: tuple[str, str, int]) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        tx.insert(CONTACT, rows, COLUMNS)
        tx.append("stored", actor=Actor(ActorKind.SYSTEM), at=1, payload={"first": rows[0][0]})

    return work


async def contacts(store: Store) -> list[tuple[str, str | None, int]]:
    query = select(*(CONTACT.c[name] for name in COLUMNS)).order_by(CONTACT.c.id)
    async with store.read() as connection:
        return [tuple(found) for found in await connection.execute(query)]


async def log_of(store: Store) -> list[str]:
    async with store.read() as connection:
        return list((await connection.execute(select(schema.event.c.payload).order_by(schema.event.c.seq))).scalars())


async def test_many_rows_are_inserted_whatever_their_number(any_store: Store) -> None:
    rows = [row(number) for number in range(MANY)]
    await any_store.writer.write(put(*rows))
    assert await contacts(any_store) == rows


async def test_every_row_gets_its_own_new_values_and_no_other_row_any(any_store: Store) -> None:
    await any_store.writer.write(put(*(row(number) for number in range(MANY + 1))))
    new: list[tuple[str, str | None, int]] = [(f"c{n:03}", f"Bo {n}" if n % 3 else None, -n) for n in range(MANY)]
    await any_store.writer.write(lambda tx: tx.rewrite(RENAME, new))
    assert await contacts(any_store) == [*new, row(MANY)]


async def test_of_rows_of_which_some_exist_the_new_ones_are_named(any_store: Store) -> None:
    await any_store.writer.write(put(row(1), row(40)))
    rows = [row(number, "Bo") for number in range(MANY)]
    new = await any_store.writer.write(lambda tx: tx.insert_new(CONTACT, rows, COLUMNS, ("id",)))
    assert new == {(f"c{number:03}",) for number in range(MANY) if number not in {1, 40}}
    assert [name for id_, name, _ in await contacts(any_store) if id_ in {"c001", "c040"}] == ["Ada", "Ada"]


async def test_a_row_that_is_given_twice_is_new_once(any_store: Store) -> None:
    rows = [row(1), row(2), row(1), row(3)]
    new = await any_store.writer.write(lambda tx: tx.insert_new(CONTACT, rows, COLUMNS, ("id",)))
    assert new == {("c001",), ("c002",), ("c003",)}
    assert len(await contacts(any_store)) == 3


async def test_what_was_put_is_seen_by_what_is_read_in_the_same_transaction(any_store: Store) -> None:
    named = Prepared(select(CONTACT.c.name).where(CONTACT.c.id == "c001"))

    def work(tx: Transaction) -> list[tuple[str]]:
        tx.insert(CONTACT, [row(1)], COLUMNS)
        tx.rewrite(RENAME, [row(1, "Bo")])
        assert tx.execute(select(CONTACT.c.name)).scalar() == "Bo"
        tx.rewrite(RENAME, [row(1, "Cy")])
        return tx.run(named)

    assert await any_store.writer.write(work) == [("Cy",)]


async def test_a_put_that_the_database_refuses_fails_its_own_write_alone(any_store: Store) -> None:
    """PostgreSQL tells of it only when something is read, or at the end: the neighbours must not suffer."""
    await any_store.writer.write(put(row(1)))
    results = await asyncio.gather(
        any_store.writer.write(put(row(2))),
        any_store.writer.write(put(row(1, "again"), row(3))),
        any_store.writer.write(put(row(4))),
        return_exceptions=True,
    )
    assert results[0] is None
    assert isinstance(results[1], Exception)
    assert not isinstance(results[1], StoreUnavailable)
    assert results[2] is None
    assert [id_ for id_, *_ in await contacts(any_store)] == ["c001", "c002", "c004"]
    assert await log_of(any_store) == ['{"first":"c001"}', '{"first":"c002"}', '{"first":"c004"}']


async def test_the_writer_works_on_after_a_refusal_at_the_commit(any_store: Store) -> None:
    orphan = (None, "nobody", 1)
    results = await asyncio.gather(any_store.writer.write(put(orphan)), return_exceptions=True)  # type: ignore[arg-type] # wrong on purpose
    assert isinstance(results[0], Exception)
    await any_store.writer.write(put(row(5)))
    assert [id_ for id_, *_ in await contacts(any_store)] == ["c005"]
