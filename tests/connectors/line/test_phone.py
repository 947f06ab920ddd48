"""The phone page in Chromium: a visitor writes as a customer and sees the answer come."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.connectors.line.conftest import outbound
from trunkline.contract import Connector
from trunkline.model import Author, AuthorKind, QuickReply
from trunkline_line.simulator import Customer, Simulator

pytestmark = [pytest.mark.browser]


@pytest.fixture
async def page(line: Simulator, ada: Customer) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 390, "height": 780})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(line.url)
        yield page
        await browser.close()
        assert problems == []


async def test_a_visitor_writes_and_the_answer_appears_without_reload(
    page: Page, connector: Connector, line: Simulator, ada: Customer
) -> None:
    await page.get_by_role("button", name="Ada").click()
    await page.get_by_label("Write as this customer").fill("Is the cup in stock?")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".row.mine .bubble")).to_have_text("Is the cup in stock?")
    author = Author(kind=AuthorKind.AGENT, name="Bo")
    await connector.deliver(
        outbound(ada, "It is!", author=author, quick_replies=(QuickReply(title="Great", data="csat=1"),))
    )
    await expect(page.locator(".row:not(.mine) .bubble")).to_have_text("It is!")
    await expect(page.locator(".row:not(.mine) .name")).to_have_text("Bo")
    await page.get_by_role("button", name="Great").click()
    await expect(page.locator(".quick .press")).to_have_count(0)
    assert line.webhooks[-1].events[0]["postback"] == {"data": "csat=1"}


async def test_a_visitor_sends_a_picture_a_sticker_and_a_place(page: Page, ada: Customer) -> None:
    await page.get_by_role("button", name="Ada").click()
    for name in ("Send the picture of a cup", "Sticker", "Location"):
        await page.get_by_role("button", name="Picture, sticker, location").click()
        await page.get_by_role("button", name=name, exact=True).click()
    for kind in ("image", "sticker", "location"):
        await expect(page.locator(f".row.mine[data-kind={kind}]")).to_be_visible()
    assert [said.message["type"] for said in ada.sees] == ["image", "sticker", "location"]


async def test_nothing_scrolls_sideways_on_a_small_phone(page: Page, ada: Customer) -> None:
    await ada.text("x" * 400)
    await page.get_by_role("button", name="Ada").click()
    await expect(page.locator(".bubble")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_somebody_new_can_be_invented(page: Page, line: Simulator) -> None:
    await page.get_by_label("Name of a new customer").fill("Cy")
    await page.get_by_role("button", name="Add").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Cy")
