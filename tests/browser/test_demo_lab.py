"""`trunkline demo`: the laboratory of a phone moves the time, and a reply window closes before one's eyes."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Frame, Page, expect

from tests.journeys.shop import until
from trunkline.demo.running import run_demo
from trunkline.testing.phones import Action

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_jump_of_a_day_closes_the_reply_window_and_signs_nobody_out(browser: Browser) -> None:
    async with run_demo("127.0.0.1:0", script=False) as demo:
        platform = demo.simulators["whatsapp"]
        await platform.act(platform.add_customer("Mei"), Action(kind="text", text="Are you there?"))
        context = await browser.new_context(viewport={"width": 1440, "height": 860}, reduced_motion="reduce")
        page = await context.new_page()
        await page.goto(f"{demo.address}/")
        await page.get_by_text("WhatsApp", exact=True).click()
        phone = await until(lambda: _frame(page, platform.url))
        inbox = await until(lambda: _frame(page, f"{demo.address}/inbox"))
        await inbox.locator("[data-thread]").filter(has_text="WhatsApp").first.click()
        await expect(inbox.get_by_role("textbox").last).to_be_editable()
        await phone.get_by_role("button", name="The laboratory: time and outages").click()
        await phone.get_by_label("Jump forward by").fill("1440")
        await expect(phone.get_by_text("24 h", exact=True)).to_be_visible()
        await phone.get_by_role("button", name="Jump", exact=True).click()
        await expect(inbox.get_by_text("The time for replies is over", exact=False).first).to_be_visible()
        await expect(inbox.get_by_role("navigation").first).to_be_visible()
        await context.close()


async def _frame(page: Page, address: str) -> Frame | None:
    return next((frame for frame in page.frames if frame.url.startswith(address)), None)
