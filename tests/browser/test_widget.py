"""A visitor in the widget and an agent in the inbox talk with each other; nothing is missed and nothing doubled."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image
from playwright.async_api import Locator, Route, expect

from tests.browser.conftest import Enter
from tests.browser.screen import Screen, words
from tests.browser.visitor import Cut, Site, Visit, Visitor, site, visitor
from tests.journeys.shop import until
from trunkline.testing.pictures import picture

__all__ = ["site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_visitor_and_an_agent_converse(site: Site, visitor: Visit, enter: Enter) -> None:
    ana, ada = await visitor(site), await enter(site.shop)
    await (await ana.arrive()).open()
    await expect(ana.log).to_contain_text("Looking for a bicycle")
    await ana.say("Is the red one there?")
    await ana.sees("Is the red one there?")
    await ada.visit()
    await ada.row("Is the red one there?").click()
    box = ada.page.get_by_role("textbox", name=words("composer.placeholder", channel="Website"))
    await expect(ada.message("Is the red one there?")).to_be_visible()
    await expect(ana.message("Is the red one there?").get_by_label("Read", exact=True)).to_be_visible()
    await box.press_sequentially("Yes, two")
    await expect(ana.frame.get_by_label("is writing")).to_be_visible()
    await ada.button("composer.send").click()
    await ana.sees("Is the red one there?", "Yes, two")
    await expect(ana.frame.get_by_role("heading", level=1)).to_have_text("Ada")
    # It is told at most every three seconds, and what was typed with the first message may count.
    await until(lambda: _is_seen_typing(ana, ada))
    await ana.say("Lovely")
    await expect(ada.message("Lovely")).to_be_visible()
    await ana.sees("Is the red one there?", "Yes, two", "Lovely")


async def test_pictures_and_files_go_both_ways(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.attach({"name": "cup.jpg", "mimeType": "image/jpeg", "buffer": picture("cup")})
    await ana.button("Send").click()
    await _is_drawn(ana.frame.locator("[data-message] img"))
    await ana.attach({"name": "order.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4\n%%EOF\n"})
    await ana.say("and my order")
    await expect(ana.said).to_have_count(3)
    await expect(ana.frame.locator("[data-unsent]")).to_have_count(0)
    thread_id = (await site.thread())["id"]
    shown = await site.shop.until_media(thread_id)
    assert [one["content"]["type"] for one in shown] == ["image", "file", "text"]
    await site.send_file(thread_id, "wheel.png", "image/png", _png())
    await site.send_file(thread_id, "invoice.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")
    await _is_drawn(ana.frame.locator("[data-message] img").nth(1))
    link = ana.frame.get_by_role("link", name="invoice.pdf")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    async with site.shop.ada.session.get(f"{site.shop.address}{await link.get_attribute('href')}") as response:
        assert (response.status, await response.read()) == (200, b"%PDF-1.4\n%%EOF\n")
        assert response.headers["Content-Disposition"].startswith("attachment")


async def test_a_reload_brings_back_the_conversation_the_panel_and_the_draft(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("First")
    await ana.sees("First")
    await ana.box.fill("half a sent")
    await ana.page.reload()
    await ana.returns()
    await ana.sees("First")
    await expect(ana.box).to_have_value("half a sent")
    await site.answer("Second")
    await ana.sees("First", "Second")


async def test_what_a_reload_interrupts_is_sent_afterwards_once(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("First")
    await ana.sees("First")
    await ana.page.route("**/threads/live/messages", lambda route: route.abort())
    await ana.say("In a tunnel")
    await expect(ana.frame.locator("[data-unsent]")).to_contain_text("In a tunnel")
    await ana.page.unroute("**/threads/live/messages")
    await ana.page.reload()
    await ana.returns()
    await ana.sees("First", "In a tunnel")
    assert await site.texts("First", "In a tunnel") == ["First", "In a tunnel"]


async def test_two_tabs_show_the_same_and_only_the_open_one_reads(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("Hello")
    await ana.sees("Hello")
    second = await (await visitor(site, ana.page.context)).arrive()
    await ana.call("close")
    await site.answer("Good morning")
    for tab in (ana, second):
        await tab.until("Trunkline('unreadCount').then((count) => count === 1)")
    assert (await second.launcher())["name"] == "Open chat, unread: 1"
    await second.open()
    await second.sees("Hello", "Good morning")
    await ana.until("Trunkline('unreadCount').then((count) => count === 0)")
    await second.say("From the other tab")
    await ana.open()
    await ana.sees("Hello", "Good morning", "From the other tab")


async def test_two_tabs_that_were_open_before_anybody_wrote_are_one_visitor(site: Site, visitor: Visit) -> None:
    ana = await (await visitor(site)).arrive()
    second = await (await visitor(site, ana.page.context)).arrive()
    await ana.open()
    await expect(ana.log).to_contain_text("Looking for a bicycle")
    await ana.until("document.cookie.includes('occ_')")
    await second.open()
    await ana.say("From one tab")
    await second.sees("From one tab")


async def test_a_network_cut_misses_and_doubles_nothing(site: Site, visitor: Visit) -> None:
    ana = await visitor(site)
    line = await Cut(ana.page.context).lay()
    await (await ana.arrive()).open()
    await ana.say("0")
    await ana.sees("0")
    told = ["0"]
    for number in (1, 3):
        await line.cut()
        await expect(ana.frame.get_by_text("No connection")).to_be_visible()
        await ana.say(f"written offline {number}")
        await site.answer(f"said meanwhile {number}")
        await line.mend()
        await expect(ana.frame.get_by_text("No connection")).to_be_hidden()
        told += [f"said meanwhile {number}", f"written offline {number}"]
        await ana.sees(*told)
    assert await site.texts(*told) == told


async def test_an_answer_that_got_lost_doubles_nothing(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    lost = 0

    async def lose(route: Route) -> None:
        nonlocal lost
        lost += 1
        if lost > 2:
            await route.continue_()
            return
        # The server has it, and the visitor never hears of it.
        await route.fetch()
        await route.abort()

    await ana.page.route("**/threads/live/messages", lose)
    await ana.say("Once")
    await ana.sees("Once")
    assert await site.texts("Once") == ["Once"]


async def test_everything_works_where_websockets_are_blocked(site: Site, visitor: Visit) -> None:
    ana = await visitor(site)
    await Cut(ana.page.context).block()
    await (await ana.arrive()).open()
    await ana.say("Can you hear me?")
    await ana.sees("Can you hear me?")
    for number in range(3):
        await site.answer(f"Yes {number}")
    await ana.sees("Can you hear me?", "Yes 0", "Yes 1", "Yes 2")


async def test_what_is_refused_says_why_and_can_be_tried_again(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.box.fill("x" * 10_001)
    await expect(ana.frame.get_by_role("alert")).to_have_text("1 characters too many")
    await expect(ana.button("Send")).to_be_disabled()
    await ana.box.fill("")
    answer = {"status": 422, "json": {"error": {"code": "type_not_allowed", "message": "no"}}}
    await ana.page.route("**/threads/live/messages", lambda route: route.fulfill(**answer))
    await ana.say("Refused")
    await expect(ana.frame.get_by_role("alert")).to_contain_text("this file was refused")
    await ana.page.unroute("**/threads/live/messages")
    await ana.button("Try again").click()
    await ana.sees("Refused")


async def test_quick_replies_and_what_changes_afterwards(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("Which sizes?")
    await ana.sees("Which sizes?")
    await site.answer(
        "Large or small", quick_replies=[{"title": "Large", "data": "l"}, {"title": "Small", "data": "s"}]
    )
    await ana.button("Large").click()
    await ana.sees("Which sizes?", "Large or small", "Large")
    await expect(ana.button("Small")).to_have_count(0)
    thread_id = (await site.thread())["id"]
    assert (await site.shop.messages(thread_id))[-1]["content"] == {"type": "choice", "data": "l", "title": "Large"}


async def test_older_messages_come_in_above_without_a_jump(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("0")
    await ana.sees("0")
    for number in range(1, 50):
        await site.answer(f"Line {number}")
    await expect(ana.message("Line 49")).to_be_visible()
    await ana.page.reload()
    await ana.returns()
    await expect(ana.message("Line 49")).to_be_in_viewport()
    await expect(ana.said).to_have_count(30)
    before = ana.message("Line 25")
    await ana.log.evaluate("(log) => log.scrollTo(0, 200)")
    top = await before.evaluate("(one) => one.getBoundingClientRect().top")
    await ana.button("Earlier messages").evaluate("(one) => one.click()")
    await expect(ana.said).to_have_count(50)
    await until(lambda: _stays(before, top))


async def test_somebody_else_on_the_same_browser_sees_nothing_after_a_sign_out(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("My secret")
    await ana.sees("My secret")
    await ana.box.fill("a draft")
    await ana.call("logout")
    await expect(ana.said).to_have_count(0)
    await ana.page.reload()
    await ana.returns()
    await expect(ana.said).to_have_count(0)
    await ana.say("Somebody else")
    await ana.sees("Somebody else")
    threads = [one for one in await site.shop.threads() if one["account_id"] == "shop-web"]
    assert len(threads) == 2


async def _is_seen_typing(ana: Visitor, ada: Screen) -> bool:
    await ana.box.press_sequentially("L")
    return await ada.page.get_by_text("typing…").first.is_visible()


async def _stays(one: Locator, top: float) -> bool:
    return bool(abs(await one.evaluate("(one) => one.getBoundingClientRect().top") - top) < 3)


async def _is_drawn(image: Locator) -> None:
    """Wait until a picture is there, not only its frame."""
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("complete", True)
    assert await image.evaluate("(one) => one.naturalWidth") > 0


def _png() -> bytes:
    file = BytesIO()
    Image.new("RGB", (320, 200), "#2d7d4f").save(file, "PNG")
    return file.getvalue()
