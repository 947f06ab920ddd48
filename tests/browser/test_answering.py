"""What helps while answering: time to take a reply back, colleagues who are seen, canned replies, pictures."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.desk.harness import BO
from tests.journeys.shop import Shop, until
from trunkline_line.simulator import Customer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def _sent(mei: Customer) -> list[str]:
    return [said.message["text"] for said in mei.sees if said.author is None]


async def test_a_reply_is_taken_back_in_its_thread_and_from_elsewhere(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    await shop.line.customer("Cleo").text("I am Cleo")
    screen = await (await enter(shop, undo=True)).visit()
    await screen.open_thread("Mei")
    await screen.answer("Not what I meant")
    await screen.button("undo.undo").click()
    await expect(screen.box).to_have_value("Not what I meant")
    await expect(screen.box).to_be_focused()
    await screen.button("composer.send").click()
    await screen.open_thread("Cleo")
    await expect(screen.page.get_by_text(words("undo.to", name="Mei"))).to_be_visible()
    await screen.page.keyboard.press("Escape")
    await screen.page.keyboard.press("z")
    await expect(screen.box).to_have_value("Not what I meant")
    assert _sent(mei) == []
    await screen.answer("What I meant")
    await expect(screen.button("undo.undo")).to_be_visible()
    await screen.page.evaluate("__letGo()")
    await expect(screen.message("What I meant")).to_contain_text(words("delivery.sent"))
    assert _sent(mei) == ["What I meant"]


async def test_a_held_reply_goes_out_once_when_the_page_is_left_or_reloaded(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop, undo=True)).visit()
    await screen.open_thread("Mei")
    await screen.answer("Left behind")
    await expect(screen.button("undo.undo")).to_be_visible()
    await screen.page.goto("about:blank")
    await until(lambda: _told(mei, ["Left behind"]))
    await screen.visit()
    await screen.open_thread("Mei")
    await screen.answer("And reloaded")
    await expect(screen.button("undo.undo")).to_be_visible()
    await screen.page.reload()
    await expect(screen.message("And reloaded")).to_contain_text(words("delivery.sent"))
    assert _sent(mei) == ["Left behind", "And reloaded"]
    await screen.sees("Hello", "Left behind", "And reloaded")


async def _told(mei: Customer, texts: list[str]) -> bool:
    return _sent(mei) == texts


async def test_two_agents_see_who_looks_and_who_types(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    ada, bo = await (await enter(shop)).visit(), await (await enter(shop, BO[0])).visit()
    await ada.open_thread("Mei")
    await bo.open_thread("Mei")
    here = ada.page.locator(".column .here")
    await expect(here).to_contain_text(words("presence.viewing", name="Bo"))
    await expect(bo.page.locator(".column .here")).to_contain_text(words("presence.viewing", name="Ada"))
    await bo.box.press_sequentially("Good morning")
    await expect(here).to_contain_text(words("presence.typing", name="Bo"))
    await bo.page.keyboard.press("Escape")
    await bo.page.keyboard.press("Escape")
    await expect(here).to_have_text("")


async def test_a_canned_reply_is_written_once_and_used_with_the_customers_name(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit("/inbox/settings/canned")
    page = screen.page
    await expect(page.get_by_text(words("canned.none"))).to_be_visible()
    await screen.button("canned.add").click()
    await page.get_by_label(words("canned.shortcut")).fill("hi")
    await page.get_by_label(words("canned.titleField")).fill("Greeting")
    await page.get_by_label(words("canned.text"), exact=True).fill("Hello {{contact.name}}, {{agent.name}} here.")
    await screen.button("action.save").click()
    await expect(page.get_by_text("Greeting")).to_be_visible()
    await page.keyboard.press("g")
    await page.keyboard.press("i")
    await screen.open_thread("Mei")
    await screen.box.press_sequentially("/hi")
    await expect(page.get_by_role("listbox").get_by_role("option")).to_contain_text("Greeting")
    await page.keyboard.press("Enter")
    await expect(screen.box).to_have_value("Hello Mei, Ada here.")
    await page.keyboard.press("Enter")
    await expect(screen.message("Hello Mei, Ada here.")).to_contain_text(words("delivery.sent"))


async def test_pictures_are_walked_through_and_looked_at_closely(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    for name in ("cup", "cup", "cup"):
        await mei.image(name)
    screen = await (await enter(shop)).visit()
    page, key = screen.page, screen.page.keyboard
    await screen.open_thread("Mei")
    await expect(page.locator(".thumb img")).to_have_count(3)
    await page.locator(".thumb").first.click()
    viewer = page.get_by_role("dialog")
    await expect(viewer).to_contain_text(words("media.ofAll", n="1", all="3"))
    await key.press("ArrowRight")
    await expect(viewer).to_contain_text(words("media.ofAll", n="2", all="3"))
    await expect(viewer.get_by_role("img")).to_be_visible()
    fits = await _width(page)
    await key.press("+")
    await until(lambda: page.evaluate(f"{WIDTH} > {fits}"))
    await key.press("0")
    await until(lambda: page.evaluate(f"{WIDTH} === {fits}"))
    async with page.expect_download():
        await viewer.get_by_role("button", name=words("media.download")).click()
    await key.press("Escape")
    await expect(viewer).to_be_hidden()


WIDTH = "document.querySelector('.viewer-stage img').clientWidth"


async def _width(page: Page) -> int:
    """Return the width of the picture when it is known how large it is."""
    await until(lambda: page.evaluate("document.querySelector('.viewer-stage img')?.style.width"))
    return int(await page.evaluate(WIDTH))


async def test_everything_can_be_done_from_the_palette(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit()
    page, key = screen.page, screen.page.keyboard
    await expect(screen.row("Mei")).to_be_visible()
    await key.press("Control+k")
    await page.get_by_role("combobox", name=words("palette.title")).fill("mei")
    await key.press("Enter")
    await expect(page.get_by_role("region", name=words("thread.with", name="Mei"))).to_be_visible()
    await expect(screen.box).to_be_visible()
    await key.press("Control+k")
    await key.type("close")
    await key.press("Enter")
    await expect(screen.button("thread.reopen")).to_be_visible()
    await key.press("Control+k")
    await key.type("dark")
    await key.press("Enter")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_the_line_of_what_is_new_stands_where_reading_stopped(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Read already")
    thread = await shop.thread_of(mei)
    await shop.ada.post(f"/threads/{thread['id']}/read", {"position": thread["last_position"]})
    await mei.text("New one")
    await mei.text("New two")
    screen = await (await enter(shop)).visit(f"/inbox/threads/{thread['id']}")
    order = screen.page.locator(".entries > .unread, .entries > [data-message]")
    await expect(order).to_contain_text(["Read already", words("thread.unreadLine"), "New one", "New two"])
