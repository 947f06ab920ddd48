"""How an agent finds things: by words, by filters that the address keeps, and in a list of ten thousand."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.desk.harness import BO
from tests.journeys.shop import Shop, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Json = dict[str, Any]


async def test_a_search_leads_to_a_message_far_above_the_end(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("我想买茶壶")
    for number in range(130):
        await mei.text(f"Number {number}")
    screen = await (await enter(shop)).visit()
    page = screen.page
    await expect(screen.row("Mei")).to_be_visible()
    await until(lambda: _found(shop, "茶壶"))
    await page.keyboard.press("/")
    await page.get_by_role("searchbox").fill("茶壶")
    result = page.locator("a[data-found]")
    await expect(result).to_have_count(1)
    await expect(result.locator("mark")).to_have_text("茶壶")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(screen.message("我想买茶壶")).to_be_in_viewport()
    await expect(screen.message("我想买茶壶")).to_be_focused()
    await expect(screen.message("Number 129")).not_to_be_in_viewport()


async def _found(shop: Shop, wanted: str) -> list[Json]:
    return list((await shop.ada.get(f"/search?q={wanted}"))["messages"])


async def test_a_quote_leads_to_what_it_quotes_though_that_is_not_loaded(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    first = await mei.text("The very first")
    for number in range(70):
        await mei.text(f"Number {number}")
    await mei.text("I meant this one", quotes=first.id)
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    answer = screen.message("I meant this one")
    await expect(answer).to_be_visible()
    await answer.get_by_role("button", name="The very first").click()
    target = screen.messages.filter(has_not_text="I meant this one").filter(has_text="The very first")
    await expect(target).to_be_in_viewport()


async def test_filters_stand_in_the_address_with_their_counts(shop: Shop, enter: Enter) -> None:
    for name in ("Mei", "Bo Zhang", "Cleo"):
        await shop.line.customer(name).text(f"I am {name}")
    mei = await shop.thread_of(shop.line.customer("Mei"))
    await shop.ada.call("PUT", f"/threads/{mei['id']}/assignee", {"agent_id": "me"})
    screen = await (await enter(shop)).visit("/inbox/threads?view=mine")
    page = screen.page
    views = page.get_by_role("group", name=words("list.view"))
    await expect(page.locator("[data-thread]")).to_have_count(1)
    await expect(views).to_contain_text(re.compile(r"Mine\s*1.*Unassigned\s*2.*All\s*3"))
    await page.keyboard.press("2")
    await expect(page).to_have_url(re.compile(r"\?view=unassigned$"))
    await expect(page.locator("[data-thread]")).to_have_count(2)
    await page.reload()
    await expect(page.locator("[data-thread]")).to_have_count(2)
    await screen.row("I am Cleo").click()
    await expect(page).to_have_url(re.compile(r"/threads/[^?]+\?view=unassigned$"))
    await page.keyboard.press("a")
    await expect(views).to_contain_text(re.compile(r"Mine\s*2.*Unassigned\s*1"))


async def test_ten_thousand_threads_are_scrolled_with_few_rows_in_the_page(shop: Shop, enter: Enter) -> None:
    await shop.line.customer("Mei").text("Hello")
    await until(shop.threads)
    page_of_one = await shop.ada.get("/threads?limit=1")
    sample: Json = page_of_one["items"][0]

    async def serve(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        start, size = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        end = min(start + size, 10_000)
        rows = [
            sample | {"id": f"t{n}", "contact": sample["contact"] | {"id": f"c{n}", "name": f"Customer {n:05}"}}
            for n in range(start, end)
        ]
        more = {"items": rows, "next_cursor": str(end) if end < 10_000 else None}
        await route.fulfill(content_type="application/json", body=json.dumps(page_of_one | more))

    screen = await enter(shop)
    await screen.page.route(re.compile(r"/api/v1/threads\?.*view="), serve)
    await screen.visit()
    await expect(screen.row("Customer 00000")).to_be_visible()
    most = await screen.page.evaluate(SCROLL)
    # The first page that is fetched brings the thread that really exists as well.
    assert most["threads"] >= 10_000
    assert 0 < most["rows"] < 60
    await expect(screen.row("Customer 09999")).to_be_in_viewport()
    await screen.page.locator(".thread-list .scroller").evaluate("box => { box.scrollTop = 0 }")
    await expect(screen.row("Customer 00000")).to_be_in_viewport()


#: Scrolls to the end as long as there is more; tells the most rows that stood in the page at once.
SCROLL = """async () => {
  const box = document.querySelector('.thread-list .scroller')
  const rows = () => document.querySelectorAll('[data-thread]').length
  const threads = () => Number(document.querySelector('.thread-list [aria-setsize]')?.getAttribute('aria-setsize') ?? 0)
  let most = 0
  for (let turn = 0; turn < 20000 && threads() < 10000; turn += 1) {
    box.scrollTop += 4000
    await new Promise(requestAnimationFrame)
    most = Math.max(most, rows())
  }
  for (let turn = 0; turn < 3; turn += 1) {
    box.scrollTop = box.scrollHeight
    await new Promise(requestAnimationFrame)
  }
  return { threads: threads(), rows: Math.max(most, rows()) }
}"""


async def test_who_may_not_set_for_all_sees_only_what_everybody_may_see(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop, BO[0])).visit("/inbox/settings")
    links = screen.page.get_by_role("navigation", name=words("settings.title")).get_by_role("link")
    await expect(links).to_have_text([words("settings.me"), words("canned.title"), words("submissions.title")])
    await screen.visit("/inbox/settings/agents")
    await expect(screen.page.get_by_text(words("lost.title"))).to_be_visible()
