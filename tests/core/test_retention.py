"""What is old is forgotten, and nothing else is: not the young, not what waits for a person."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import select

from tests.core.conftest import NOON, HandClock
from trunkline.service import retention
from trunkline.service.retention import Forgetting
from trunkline.settings import Retention
from trunkline.store import Store, Transaction, schema

DAY = 24 * 3600 * 1000


def keep(tx: Transaction, number: int, days: float, state: str = "processed") -> None:
    """Store a request and its key that are `days` old; ids rise with time, as they really do."""
    at = NOON - round(days * DAY)
    facts = {"received_at": at, "request_id": "r", "method": "POST", "body": b"{}", "state": state}
    tx.execute(schema.raw_request.insert().values(id=f"{at:015d}-{number}", account_id="shop", **facts))
    tx.execute(schema.inbound_item.insert().values(account_id="shop", dedupe_key=f"e:{number}", raw_id="", at=at))


async def left(store: Store) -> tuple[set[str], set[str]]:
    """Return the numbers of the requests and of the keys that are still there."""
    async with store.read() as connection:
        requests = (await connection.execute(select(schema.raw_request.c.id))).scalars()
        keys = (await connection.execute(select(schema.inbound_item.c.dedupe_key))).scalars()
        return {one.partition("-")[2] for one in requests}, {one.partition(":")[2] for one in keys}


@pytest.mark.parametrize("page", [1, 2, 1000])
async def test_each_is_kept_as_long_as_the_settings_want(
    any_store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(retention, "_PAGE", page)
    for number, days in enumerate((100, 91, 89, 31, 29, 0)):
        await any_store.writer.write(partial(keep, number=number, days=days))
    worker = Forgetting(any_store, clock, Retention(raw_days=30, dedupe_days=90))
    assert await worker.step() == NOON + DAY
    assert await left(any_store) == ({"4", "5"}, {"2", "3", "4", "5"})


async def test_what_waits_in_the_quarantine_is_not_forgotten(
    any_store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_PAGE", 1)
    for number, state in enumerate(("quarantined", "ignored", "quarantined", "skipped", "processed")):
        await any_store.writer.write(partial(keep, number=number, days=40 - number, state=state))
    await Forgetting(any_store, clock, Retention()).step()
    assert (await left(any_store))[0] == {"0", "2"}


async def test_an_empty_database_has_nothing_to_forget(any_store: Store, clock: HandClock) -> None:
    assert await Forgetting(any_store, clock, Retention()).step() == NOON + DAY
