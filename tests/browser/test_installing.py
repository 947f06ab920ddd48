"""The inbox as an app: it can be installed, says something without a network, and keeps nothing of the customers."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image
from playwright.async_api import expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.journeys.shop import Shop, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

KEPT = """async () => {
  const names = await caches.keys()
  const kept = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)))
  return kept.flat().sort()
}"""  # noqa: E501 - a script of the page


async def test_it_can_be_installed(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop, service_workers="allow")).visit()
    page = screen.page
    address = await page.locator("link[rel=manifest]").evaluate("link => link.href")
    manifest = await (await page.request.get(address)).json()
    assert manifest["display"] == "standalone"
    assert manifest["scope"] == "/inbox/"
    assert manifest["start_url"].startswith("/inbox/")
    for icon in manifest["icons"]:
        answer = await page.request.get(f"{shop.address}{icon['src']}")
        assert answer.headers["content-type"] == icon["type"]
        if icon["type"] == "image/png":
            with Image.open(BytesIO(await answer.body())) as picture:
                assert "x".join(map(str, picture.size)) == icon["sizes"]
    session = await page.context.new_cdp_session(page)
    found = (await session.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    # A test's own profile is a private window, which installs nothing.
    assert [one["errorId"] for one in found if one["errorId"] != "in-incognito"] == []


async def test_without_a_network_it_says_so_and_keeps_no_answer_of_the_api(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.image("cup")
    screen = await (await enter(shop, service_workers="allow")).visit()
    page = screen.page
    await screen.open_thread("Mei")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await until(lambda: page.evaluate("navigator.serviceWorker.controller !== null"))
    await page.reload()
    await expect(screen.messages).to_have_count(1)
    assert await page.evaluate(KEPT) == ["/inbox/mark.svg", "/inbox/offline.css", "/inbox/offline.html"]
    await page.context.set_offline(True)
    await page.reload()
    await expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    await page.context.set_offline(False)
    await page.get_by_role("link").click()
    await expect(screen.messages).to_have_count(1)


async def test_unread_threads_are_seen_in_the_tab(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop)).visit()
    icon = screen.page.locator("link[rel=icon]")
    await expect(icon).to_have_attribute("href", "/inbox/mark.svg")
    await shop.line.customer("Mei").text("Hello")
    await expect(icon).to_have_attribute("href", "/inbox/mark-unread.svg")
    await expect(screen.page).to_have_title(f"(1) {words('nav.inbox')} · Trunkline")
    await screen.open_thread("Mei")
    await expect(icon).to_have_attribute("href", "/inbox/mark.svg")


STAND_IN = """
window.__told = []
window.Notification = class {
  static permission = 'granted'
  constructor(title, options) { window.__told.push([title, options.body, options.tag]) }
}
document.hasFocus = () => window.__focused ?? false
localStorage.setItem('trunkline.habits', JSON.stringify({ notify: true, undo: false }))
"""


async def test_a_notification_tells_what_was_written_unless_the_agent_is_looking(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    screen = await enter(shop)
    page = screen.page
    await page.add_init_script(STAND_IN)
    await screen.visit()
    await screen.open_thread("Mei")
    await mei.text("<b>Are you there?</b>")
    await until(lambda: page.evaluate("window.__told.length === 1"))
    assert await page.evaluate("window.__told") == [["Mei", "<b>Are you there?</b>", thread["id"]]]
    await page.evaluate("window.__focused = true")
    await mei.text("You are")
    await expect(screen.message("You are")).to_be_visible()
    await page.evaluate("window.__focused = false")
    await mei.text("And gone again")
    await until(lambda: page.evaluate("window.__told.length > 1"))
    assert [told[1] for told in await page.evaluate("window.__told")] == ["<b>Are you there?</b>", "And gone again"]
