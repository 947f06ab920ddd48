"""A clock moved by hand, open stores, and what plugins and outboxes are tried with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.core.plugin_maker import Shelf
from trunkline.store import Store

if TYPE_CHECKING:
    from tests.core.outbox_yard import Yard

#: 2026-11-21 12:00:00 UTC.
NOON = 1_795_262_400_000


class HandClock:
    """A clock that moves only when a test says so."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now

    def advance(self, *, seconds: float = 0, hours: float = 0) -> None:
        self.now += round((seconds + 3600 * hours) * 1000)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    """An open store on SQLite."""
    store = Store(sqlite_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def any_store(database_url: str) -> AsyncIterator[Store]:
    """An open store on either database."""
    store = Store(database_url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def yard(database_url: str, clock: HandClock) -> AsyncIterator[Yard]:
    """Scripted platforms and an outbox, on both databases."""
    from tests.core.outbox_yard import open_yard

    async with open_yard(database_url, clock) as yard:
        yield yard


@pytest.fixture
async def sqlite_yard(sqlite_url: str, clock: HandClock) -> AsyncIterator[Yard]:
    """The same on SQLite alone, for what only one process per database can promise."""
    from tests.core.outbox_yard import open_yard

    async with open_yard(sqlite_url, clock) as yard:
        yield yard


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A place for plugins that this process sees."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return Shelf(folder)
