"""Widgets without a house: their pages behind a test server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from trunkline.hosted import HostedConnector
from trunkline_web.config import Config
from trunkline_web.connector import WebConnector
from trunkline_web.pages import BUILD, pages

KEY = "wk_shop_of_a_test"
DESK = "https://desk.example.test"

Build = Callable[..., WebConnector]
Pages = TestClient[web.Request, web.Application]


def widget(account_id: str = "shop-web", **settings: Any) -> WebConnector:
    """Return a connector with these settings."""
    services: Any = SimpleNamespace(config=Config.model_validate(settings), account_id=account_id)
    return WebConnector(services)


class House:
    """What the pages are given."""

    def __init__(self, *connectors: HostedConnector) -> None:
        self.public_url, self.files_url = DESK, ""
        self._connectors = {one.public_key: one for one in connectors}

    def find(self, public_key: str) -> HostedConnector | None:
        return self._connectors.get(public_key)

    def title(self, public_key: str) -> str:
        return "Shop" if public_key in self._connectors else ""


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """The widget must be built: the tests ask for what is shipped."""
    if not (BUILD / "loader.js").exists():
        pytest.fail("The widget is not built: run `make widget` first.")


async def served(house: House) -> AsyncIterator[Pages]:
    app = web.Application()
    app.add_subapp("/widget", pages(house))
    async with TestClient(TestServer(app)) as client:
        yield client
