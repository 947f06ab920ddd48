"""A laptop sleeps for ten minutes: its lines are dead without a word, the time has jumped, and nothing is missed."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Enter
from tests.browser.visitor import Site, Visit, site, visitor
from tests.journeys.shop import Shop, until

__all__ = ["site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class Lid:
    """The lid of a laptop. Closed, every line of a page is dead at both ends and neither end is told."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._is_closed = False
        #: Lines that carry something.
        self._alive: set[WebSocketRoute] = set()
        #: Lines laid since it was opened last.
        self.fresh = 0

    async def lay(self, address: str) -> Lid:
        """Watch the lines to an address. Call it before the page is loaded: its time is ours from then on."""
        await self._page.clock.install()
        await self._page.route_web_socket(re.compile(address), self._meet)
        return self

    def _meet(self, near: WebSocketRoute) -> None:
        if self._is_closed:
            return
        far = near.connect_to_server()
        self._alive.add(near)
        self.fresh += 1
        near.on_message(lambda text: far.send(text) if near in self._alive else None)
        far.on_message(lambda text: near.send(text) if near in self._alive else None)

    def close(self) -> None:
        self._is_closed = True
        self._alive.clear()

    async def open(self) -> None:
        """Let ten minutes be over at once, as they are for whoever slept."""
        self._is_closed, self.fresh = False, 0
        await self._page.clock.fast_forward("10:00")

    async def is_connected(self) -> bool:
        """Whether a line was laid since."""
        return self.fresh > 0


async def test_a_visitor_misses_nothing_while_their_laptop_sleeps(site: Site, visitor: Visit) -> None:
    ana = await visitor(site)
    lid = await Lid(ana.page).lay("/client/v1/ws")
    await (await ana.arrive()).open()
    await ana.say("0")
    await ana.sees("0")
    await site.answer("1")
    await ana.sees("0", "1")
    lid.close()
    for number in (2, 3, 4):
        await site.answer(str(number))
    thread = (await site.thread())["id"]
    await until(lambda: _is_said(site.shop, thread, 5))
    await ana.sees("0", "1")
    await lid.open()
    await until(lid.is_connected)
    await ana.sees(*"01234")
    await ana.say("5")
    await site.answer("6")
    await ana.sees(*"0123456")
    assert await site.texts(*"0123456") == [*"0123456"]


async def test_an_agent_misses_nothing_while_their_laptop_sleeps(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("0")
    screen = await enter(shop)
    lid = await Lid(screen.page).lay("/api/v1/stream")
    await screen.visit()
    await screen.open_thread("Mei")
    await mei.text("1")
    await screen.sees("0", "1")
    lid.close()
    thread = (await shop.thread_of(mei))["id"]
    await mei.text("2")
    await shop.bo.post(f"/threads/{thread}/messages", {"text": "3"})
    await shop.line.customer("Cleo").text("Somebody new")
    await until(lambda: _is_said(shop, thread, 4))
    await screen.sees("0", "1")
    await lid.open()
    await until(lid.is_connected)
    await screen.sees(*"0123")
    await expect(screen.row("Somebody new")).to_be_visible()
    await mei.text("4")
    await screen.sees(*"01234")
    await screen.answer("5")
    await screen.sees(*"012345")
    assert [one["content"]["text"] for one in await shop.messages(thread)] == [*"012345"]


async def _is_said(shop: Shop, thread: str, number: int) -> bool:
    return len(await shop.messages(thread)) == number
