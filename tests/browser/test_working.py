"""What agents do with a thread, by mouse and by key, on wide screens and on narrow ones, in four languages."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Enter
from tests.browser.screen import PHONE, Screen, words
from tests.desk.harness import BO
from tests.journeys.shop import Shop, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_thread_is_taken_noted_on_closed_and_reopened_and_the_history_tells_it(
    shop: Shop, enter: Enter
) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    page = screen.page
    await screen.button("thread.unassigned").click()
    await page.get_by_role("menuitem", name=words("thread.assignMe")).click()
    await expect(page.get_by_role("button", name="Ada", exact=True)).to_be_visible()

    await page.get_by_text(words("composer.note"), exact=True).click()
    await page.get_by_role("textbox", name=words("composer.notePlaceholder")).fill("Prefers the blue one")
    await screen.button("composer.saveNote").click()
    await expect(page.get_by_text(words("note.by", name="Ada"))).to_be_visible()
    await expect(page.get_by_text("Prefers the blue one")).to_be_visible()
    assert [said.message["text"] for said in mei.sees] == ["Hello"]

    await screen.button("thread.close").click()
    await expect(screen.button("thread.reopen")).to_be_visible()
    await screen.button("thread.reopen").click()
    await expect(screen.button("thread.close")).to_be_visible()
    await screen.button("note.delete").click()
    await expect(page.get_by_text("Prefers the blue one")).to_be_hidden()

    await page.keyboard.press("h")
    panel = page.get_by_role("complementary", name=words("history.title"))
    await expect(panel.locator(".event .words")).to_contain_text(
        [
            "began the thread",
            words("history.assigned", who="Ada", assignee="Ada"),
            words("history.noted", who="Ada"),
            words("history.closed", who="Ada"),
            words("history.reopened", who="Ada"),
            words("history.noteDeleted", who="Ada"),
        ]
    )
    await page.keyboard.press("h")
    await expect(panel).to_be_hidden()


async def test_two_agents_see_each_others_work_without_reload(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    ada, bo = await (await enter(shop)).visit(), await (await enter(shop, BO[0])).visit()
    await ada.open_thread("Mei")
    await bo.open_thread("Mei")
    await bo.answer("Good morning from Bo")
    await expect(ada.message("Good morning from Bo")).to_contain_text("Bo")
    await expect(ada.page.get_by_role("button", name="Bo", exact=True)).to_be_visible()
    await ada.button("thread.close").click()
    await expect(bo.button("thread.reopen")).to_be_visible()


async def test_a_draft_stays_with_its_thread(shop: Shop, enter: Enter) -> None:
    for name in ("Mei", "Bo Zhang"):
        await shop.line.customer(name).text(f"I am {name}")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await screen.box.fill("Not finished yet")
    await screen.open_thread("Bo Zhang")
    await expect(screen.box).to_have_value("")
    await expect(screen.row("I am Mei")).to_contain_text(words("list.draft"))
    await screen.page.reload()
    await screen.open_thread("Mei")
    await expect(screen.box).to_have_value("Not finished yet")
    await screen.button("composer.send").click()
    await expect(screen.message("Not finished yet")).to_contain_text(words("delivery.sent"))
    await expect(screen.box).to_have_value("")


async def test_the_list_is_walked_by_key(shop: Shop, enter: Enter) -> None:
    for name in ("Cleo", "Bo Zhang", "Mei"):
        await shop.line.customer(name).text(f"I am {name}")
    screen = await (await enter(shop)).visit()
    page, key = screen.page, screen.page.keyboard
    await expect(screen.row("I am Cleo")).to_be_visible()
    await key.press("j")
    await expect(screen.row("I am Mei")).to_be_focused()
    await key.press("j")
    await expect(screen.row("I am Bo Zhang")).to_be_focused()
    await key.press("k")
    await expect(screen.row("I am Mei")).to_be_focused()
    await key.press("Enter")
    await expect(page.get_by_role("region", name=words("thread.with", name="Mei"))).to_be_visible()


async def test_the_keys_are_told_by_a_key(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop)).visit()
    page, key = screen.page, screen.page.keyboard
    await expect(page.get_by_text(words("list.emptyAll"))).to_be_visible()
    await key.press("?")
    sheet = page.get_by_role("dialog", name=words("help.title"))
    await expect(sheet).to_contain_text(words("help.reply"))
    await key.press("Escape")
    await expect(sheet).to_be_hidden()


async def test_a_thread_is_answered_and_closed_by_key(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit()
    key = screen.page.keyboard
    await screen.open_thread("Mei")
    await key.press("r")
    await expect(screen.box).to_be_focused()
    await key.type("Line one")
    await key.press("Shift+Enter")
    await key.type("Line two")
    await key.press("Enter")
    await expect(screen.message("Line one")).to_contain_text(words("delivery.sent"))
    assert mei.sees[-1].message["text"] == "Line one\nLine two"

    await key.press("Escape")
    await key.press("e")
    await expect(screen.button("thread.reopen")).to_be_visible()
    await key.press("Escape")
    await expect(screen.page.get_by_text(words("thread.none"))).to_be_visible()


@pytest.mark.parametrize("locale", ["pl", "zh-Hans", "zh-Hant"])
async def test_the_inbox_speaks_the_language_that_is_chosen(shop: Shop, enter: Enter, locale: str) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit()
    page = screen.page
    await screen.button("menu.label", name="Ada").click()
    await page.get_by_role("menuitemradio").and_(page.locator(f"[lang={locale}]")).click()
    await screen.row("Mei").click()
    for key in ("composer.send", "thread.close", "thread.unassigned", "history.title"):
        await expect(page.get_by_role("button", name=words(key, locale)).first).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("button", name=words("composer.send", locale), exact=True)).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", locale)


@pytest.mark.parametrize(("wished", "ours"), [("pl-PL", "pl"), ("zh-TW", "zh-Hant"), ("zh-CN", "zh-Hans")])
async def test_the_first_page_is_in_the_language_of_the_browser(
    shop: Shop, enter: Enter, wished: str, ours: str
) -> None:
    screen = await (await enter(shop, None, locale=wished)).visit()
    await expect(screen.page.get_by_role("heading", name=words("signIn.title", ours))).to_be_visible()


async def test_light_and_dark_follow_the_system_until_one_is_chosen(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop, color_scheme="dark")).visit()
    await expect(screen.page.get_by_text(words("list.emptyAll"))).to_be_visible()
    assert await until(lambda: _is_dark(screen))
    await screen.button("menu.label", name="Ada").click()
    await screen.page.get_by_role("menuitemradio", name=words("menu.themeLight")).click()
    assert await until(lambda: _is_light(screen))
    await screen.page.reload()
    await expect(screen.page.get_by_text(words("list.emptyAll"))).to_be_visible()
    assert await until(lambda: _is_light(screen))


async def test_a_narrow_screen_shows_the_list_or_the_thread_and_leads_back(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop, viewport=PHONE, has_touch=True)).visit()
    await screen.row("Mei").tap()
    await expect(screen.box).to_be_visible()
    await expect(screen.row("Mei")).to_be_hidden()
    await screen.answer("Good morning")
    await expect(screen.message("Good morning")).to_contain_text(words("delivery.sent"))
    assert await screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await screen.button("thread.back").tap()
    await expect(screen.row("Mei")).to_be_visible()
    await expect(screen.box).to_be_hidden()
    await screen.row("Mei").tap()
    await screen.page.go_back()
    await expect(screen.row("Mei")).to_be_visible()


async def test_what_is_unread_is_counted_and_read_when_it_is_seen(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    for number in range(3):
        await mei.text(f"Message {number}")
    screen = await (await enter(shop)).visit()
    await expect(screen.row("Mei").locator(".badge")).to_contain_text("3")
    await screen.open_thread("Mei")
    await expect(screen.row("Mei").locator(".badge")).to_be_hidden()
    await expect(screen.page).to_have_title(re.compile(r"^(?!\(\d)"))


async def test_a_long_thread_loads_its_beginning_when_one_scrolls_up(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    async with shop.line.batch():
        for number in range(130):
            await mei.text(f"Message {number:03}")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await expect(screen.message("Message 129")).to_be_in_viewport()
    group = screen.page.get_by_role("group", name=words("thread.messages"))
    while await screen.message("Message 000").count() == 0:
        await group.evaluate("(one) => one.scrollTo(0, 0)")
        await expect(screen.page.get_by_text(words("thread.loadingEarlier"))).to_be_hidden()
    await expect(screen.page.get_by_text(words("thread.beginning"))).to_be_visible()
    assert await screen.texts() == [f"Message {number:03}" for number in range(130)]


async def _is_dark(screen: Screen) -> bool:
    return await _brightness(screen) < 80


async def _is_light(screen: Screen) -> bool:
    return await _brightness(screen) > 200


async def _brightness(screen: Screen) -> float:
    """Return how bright the page is behind everything, 0 to 255."""
    colour = await screen.page.evaluate("getComputedStyle(document.querySelector('.threads-page')).backgroundColor")
    figures = [float(figure) for figure in re.findall(r"[\d.]+", colour)[:3]]
    return sum(figures) / 3 * (255 if colour.startswith("color(") else 1)
