"""What memory knows of an account while its row is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.core.account_yard import World, enter
from tests.core.conftest import HandClock
from tests.core.plugin_maker import Shelf
from trunkline.store import Store


async def test_a_state_that_is_told_while_the_table_is_read_is_not_undone(
    store: Store, tmp_path: Path, clock: HandClock, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.install_connector("shop")
    world = World(store, tmp_path, clock)
    await enter(world, {"shop_key": "the-key-that-was-entered"})
    accounts = await world.load("")
    read = accounts._rows

    async def slowly() -> list[Any]:
        rows = await read()
        await accounts.change("entered", "connected")
        return rows

    monkeypatch.setattr(accounts, "_rows", slowly)
    await accounts.refresh()
    entered = accounts.get("entered")
    assert entered is not None
    assert entered.state == "connected"
