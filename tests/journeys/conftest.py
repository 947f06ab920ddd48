"""Shops for the journeys, each with a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Template, sqlite_template
from tests.journeys.shop import Open, Shop
from tests.journeys.shop import open_shop as opened
from tests.journeys.street import Street, open_street

__all__ = ["sqlite_template"]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def open_shop(tmp_path: Path, sqlite_template: Template, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a shop when asked, for tests that want an unusual one."""
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)

    def start(**different: Any) -> Any:
        return opened(tmp_path, sqlite_template, **different)

    return start


@pytest.fixture
async def shop(open_shop: Open, clock: HandClock) -> AsyncIterator[Shop]:
    """A shop at noon, where time passes only when a test says so."""
    async with open_shop(clock=clock) as shop:
        yield shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Template) -> AsyncIterator[Street]:
    """All channels beside each other, for a whole file of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUNKLINE_SECRET_KEY", KEY)
        async with open_street(tmp_path_factory.mktemp("street"), sqlite_template) as street:
            yield street
