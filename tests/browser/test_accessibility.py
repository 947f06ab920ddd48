"""Every page and every state of it, by the rules of axe: light and dark, wide and narrow."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Enter
from tests.browser.screen import PHONE, WIDE, Screen, words
from tests.journeys.shop import Shop, until
from trunkline.testing.faults import Fault

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("theme", ["light", "dark"]),
    pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1280", "390"]),
]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RUN = "axe.run(document, {resultTypes: ['violations']})"
Size = dict[str, int]


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


async def check(screen: Screen, where: str) -> None:
    """Fail with what axe finds, and where."""
    await screen.page.evaluate(_axe())
    found: list[dict[str, Any]] = (await screen.page.evaluate(RUN))["violations"]
    told = {one["id"]: [node["target"] for node in one["nodes"]] for one in found}
    details = [node["failureSummary"] for one in found for node in one["nodes"]][:3]
    assert told == {}, f"{where}: {json.dumps(told)}\n" + "\n".join(details)


async def test_the_pages_before_the_desk(shop: Shop, enter: Enter, theme: str, size: Size) -> None:
    screen = await enter(shop, None, viewport=size, color_scheme=theme)
    await screen.visit("/inbox/sign-in")
    await expect(screen.button("signIn.submit")).to_be_visible()
    await check(screen, "sign-in")
    await screen.page.get_by_label(words("field.email")).fill("ada@shop.example")
    await screen.page.get_by_label(words("field.password")).fill("wrong on purpose")
    await screen.button("signIn.submit").click()
    await expect(screen.page.get_by_role("alert")).to_be_visible()
    await check(screen, "sign-in, refused")
    await screen.visit("/inbox/setup?token=none")
    await expect(screen.page.get_by_text(words("setup.badLink"))).to_be_visible()
    await check(screen, "set-up, bad link")
    invited = await shop.ada.post("/agents", {"email": "cleo@shop.example", "name": "Cleo", "role": "agent"})
    await screen.page.goto(invited["setup_url"])
    await expect(screen.button("setup.submit")).to_be_visible()
    await check(screen, "set-up")
    await screen.visit("/inbox/nowhere")
    await expect(screen.page.get_by_text(words("lost.title"))).to_be_visible()
    await check(screen, "no such page")


async def test_the_list_and_its_states(shop: Shop, enter: Enter, theme: str, size: Size) -> None:
    screen = await enter(shop, viewport=size, color_scheme=theme)
    await screen.visit()
    await expect(screen.page.get_by_text(words("list.emptyAll"))).to_be_visible()
    await check(screen, "nothing there")
    for name in ("Mei", "Bo Zhang", "Cleo"):
        await shop.line.customer(name).text(f"I am {name}")
    await expect(screen.row("I am Mei")).to_be_visible()
    await check(screen, "list")
    await screen.button("menu.label", name="Ada").click()
    await expect(screen.page.get_by_role("menu")).to_be_visible()
    await check(screen, "account menu")
    await screen.page.keyboard.press("Escape")
    await screen.page.keyboard.press("?")
    await expect(screen.page.get_by_role("dialog")).to_be_visible()
    await check(screen, "keys")


async def test_an_open_thread_with_everything_in_it(shop: Shop, enter: Enter, theme: str, size: Size) -> None:
    thread_id = await _full_thread(shop)
    screen = await enter(shop, viewport=size, color_scheme=theme)
    await screen.visit(f"/inbox/threads/{thread_id}")
    await expect(screen.message("This one fails")).to_contain_text(words("delivery.failed"))
    picture = screen.messages.nth(1).locator(".thumb")
    await expect(picture.get_by_role("img")).to_be_visible()
    await check(screen, "thread")
    await screen.box.fill("A draft")
    await screen.button("composer.quickReplies").click()
    await check(screen, "composer")
    await screen.page.get_by_text(words("composer.note"), exact=True).click()
    await check(screen, "note")
    await screen.page.get_by_role("button", name=words("history.title")).click()
    await expect(screen.page.locator(".side .event").first).to_be_visible()
    await check(screen, "history")
    await screen.page.keyboard.press("h")
    await picture.click()
    await expect(screen.page.get_by_role("dialog")).to_be_visible()
    await check(screen, "picture")


async def test_what_helps_in_a_thread(shop: Shop, enter: Enter, theme: str, size: Size) -> None:
    await shop.ada.post("/canned-replies", {"shortcut": "hi", "title": "Greeting", "text": "Hello"})
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread_id = (await shop.thread_of(mei))["id"]
    screen = await enter(shop, undo=True, viewport=size, color_scheme=theme)
    await screen.visit(f"/inbox/threads/{thread_id}")
    page = screen.page
    await screen.box.press_sequentially("/h")
    await expect(page.get_by_role("listbox")).to_be_visible()
    await check(screen, "canned replies")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(screen.button("undo.undo")).to_be_visible()
    await check(screen, "a reply that is held")
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await expect(page.get_by_role("complementary").get_by_text(words("customer.identities"))).to_be_visible()
    await check(screen, "customer")
    await screen.button("customer.rename").click()
    await check(screen, "renaming the customer")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox", name=words("palette.title"))).to_be_visible()
    await check(screen, "palette")


async def test_the_search(shop: Shop, enter: Enter, theme: str, size: Size) -> None:
    await shop.line.customer("Mei with a name that is long enough for every screen").text("A red bicycle " * 9)
    screen = await enter(shop, viewport=size, color_scheme=theme)
    page = screen.page
    await screen.visit("/inbox/search")
    await expect(page.get_by_text(words("search.begin"))).to_be_visible()
    await check(screen, "search")
    await until(lambda: _found(shop))
    await page.get_by_role("searchbox").fill("red")
    await expect(page.locator("mark").first).to_be_visible()
    assert await page.locator(".search").evaluate("(one) => one.scrollWidth <= one.clientWidth")
    await check(screen, "found")


async def test_the_settings(shop: Shop, enter: Enter, theme: str, size: Size) -> None:
    await shop.ada.post("/canned-replies", {"shortcut": "hi", "title": "Greeting", "text": "Hello"})
    screen = await enter(shop, viewport=size, color_scheme=theme)
    page = screen.page
    await screen.visit("/inbox/settings/me")
    await expect(page.get_by_role("switch")).to_have_count(4)
    await check(screen, "my settings")
    await screen.visit("/inbox/settings/canned")
    await page.get_by_role("button", name=words("canned.editThis", title="Greeting")).click()
    await check(screen, "canned replies, editing")
    await screen.visit("/inbox/settings/accounts")
    await expect(page.get_by_role("link", name="Shop")).to_be_visible()
    await check(screen, "accounts")
    await page.get_by_role("link", name="Shop").click()
    await expect(page.get_by_label(words("accounts.webhook"), exact=True)).to_be_visible()
    await check(screen, "an account")
    await screen.visit("/inbox/settings/accounts/new")
    await page.get_by_role("button", name="Website").click()
    await expect(screen.button("accounts.create")).to_be_visible()
    await check(screen, "a new account")
    await screen.visit("/inbox/settings/agents")
    await screen.button("agents.editThis", name="Bo").click()
    await screen.button("agents.invite").first.click()
    await check(screen, "agents")


async def _found(shop: Shop) -> list[dict[str, Any]]:
    return list((await shop.ada.get("/search?q=red"))["messages"])


async def _full_thread(shop: Shop) -> str:
    """Return a thread with every kind of message, a note, and an answer that LINE refused."""
    mei = shop.line.customer("Mei")
    await mei.text("Hello, look: https://shop.example/bicycles")
    await mei.image("cup")
    for send in (mei.video, mei.audio, mei.file, mei.sticker):
        await send()
    await mei.location(35.65857, 139.74543, title="Tower", address="1 Example Street")
    await mei.unsend(await mei.text("Never mind"))
    await mei.write({"type": "hologram"})
    thread_id = str((await shop.thread_of(mei))["id"])
    sent = await shop.reply(thread_id, "Good morning", quick_replies=[{"title": "Large", "data": "l"}])
    await shop.until_state(sent, "sent")
    shop.line.fail(Fault(do="answer", path="/v2/bot/message/*", method="POST", status=400, body='{"message":"No"}'))
    await shop.until_state(await shop.reply(thread_id, "This one fails"), "failed")
    await shop.ada.post(f"/threads/{thread_id}/notes", {"text": "Prefers blue"})
    return thread_id


async def test_the_quarantine(shop: Shop, enter: Enter, theme: str, size: Size) -> None:
    screen = await enter(shop, viewport=size, color_scheme=theme)
    await screen.visit("/inbox/quarantine")
    await expect(screen.page.get_by_text(words("quarantine.empty"))).to_be_visible()
    await check(screen, "nothing in quarantine")
    await shop.knock(b'{"events":7}')
    await screen.page.reload()
    await screen.button("quarantine.filter").click()
    await check(screen, "quarantine, filters")
    await screen.page.locator("[data-letter]").click()
    await screen.button("quarantine.leaveOut").click()
    await check(screen, "leaving out")
    await screen.page.keyboard.press("Escape")
    await screen.page.keyboard.press("Escape")
    await screen.button("quarantine.retryAllShort").click()
    await expect(screen.page.get_by_text(words("quarantine.retryHint"))).to_be_visible()
    await check(screen, "trying all again")
