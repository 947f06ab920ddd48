"""`trunkline demo`: a shop of another origin stands beside the phone, and its visitors are answered in the inbox."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Frame, Page, expect

from tests.journeys.shop import until
from trunkline.demo.running import run_demo

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_demo_shows_a_shop_whose_visitor_is_answered(browser: Browser) -> None:
    async with run_demo("127.0.0.1:0") as demo:
        context = await browser.new_context(viewport={"width": 1440, "height": 860}, reduced_motion="reduce")
        page = await context.new_page()
        await page.goto(f"{demo.address}/")
        await page.get_by_text("Website", exact=True).click()
        shop = await until(lambda: _frame(page, demo.simulators["web"].url))
        await expect(shop.get_by_role("heading", name="Bicycles that are looked after.")).to_be_visible()
        await until(lambda: shop.evaluate("!!window.Trunkline?.v"))
        await shop.evaluate("Trunkline('open')")
        widget = await until(lambda: _frame(page, f"{demo.address}/widget/frame/"))
        await expect(widget.get_by_role("log")).to_contain_text("the blue touring bike")
        inbox = await until(lambda: _frame(page, f"{demo.address}/inbox"))
        nora = inbox.locator("[data-thread]").filter(has_text="Nora Lind").filter(has_text="Website")
        await nora.click()
        await inbox.get_by_role("textbox").last.fill("It does, front and rear.")
        await inbox.get_by_role("textbox").last.press("Enter")
        await expect(widget.get_by_role("log")).to_contain_text("It does, front and rear.")
        await context.close()


async def _frame(page: Page, address: str) -> Frame | None:
    return next((frame for frame in page.frames if frame.url.startswith(address)), None)
