"""The phone page in Chromium: a visitor writes as a customer and sees the answer come."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.connectors.whatsapp.conftest import outbound
from trunkline.contract import Connector
from trunkline.model import QuickReply
from trunkline_whatsapp.simulator import Customer, Simulator

pytestmark = [pytest.mark.browser]


@pytest.fixture
async def page(whatsapp: Simulator, ada: Customer) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 390, "height": 780})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(whatsapp.url)
        yield page
        await browser.close()
        assert problems == []


async def test_a_visitor_writes_sends_a_picture_and_presses_an_answer(
    page: Page, connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    await page.get_by_role("button", name="Ada").click()
    await page.get_by_label("Write as this customer").fill("Is the cup in stock?")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".row.mine .bubble").last).to_have_text("Is the cup in stock?")
    await page.get_by_role("button", name="Picture, sticker, location").click()
    await page.get_by_role("button", name="Send the picture of a cup", exact=True).click()
    await expect(page.locator(".row.mine[data-kind=image] img")).to_be_visible()
    choices = (QuickReply(title="Great", data="csat=1"), QuickReply(title="Bad", data="csat=0"))
    await connector.deliver(outbound(ada, "It is!", quick_replies=choices))
    await expect(page.locator(".row:not(.mine) .bubble")).to_have_text("It is!")
    await page.get_by_role("button", name="Great").click()
    await expect(page.locator(".quick .press")).to_have_count(0)
    reply = whatsapp.webhooks[-1].values[0]["messages"][0]["interactive"]["button_reply"]
    assert reply == {"id": "csat=1", "title": "Great"}
