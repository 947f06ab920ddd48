"""What agents see of a visitor while the visitor walks through the shop: pages, where they came from, who they are."""

from __future__ import annotations

import os
from itertools import product
from typing import Literal

import pytest
from playwright.async_api import Locator, ViewportSize, expect

from tests.browser.conftest import Enter
from tests.browser.screen import PHONE, WIDE, Screen, words
from tests.browser.test_accessibility import check
from tests.browser.visitor import Site, Visit, Visitor, site, visitor

__all__ = ["site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Where pictures go, for somebody who wants to look at them.
LOOK = os.environ.get("TRUNKLINE_TEST_PICTURES")
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: Until every colour has changed: even the shortest passage takes a frame.
PAINTED = """async () => {
  for (let frames = 0; frames < 2; frames++) await new Promise((done) => requestAnimationFrame(done))
  await Promise.allSettled(document.getAnimations().map((one) => one.finished))
}"""
FACTS = {"plan": "Gold", "orders": 3, "newsletter": True}


def section(screen: Screen, title: str) -> Locator:
    return screen.page.get_by_role("complementary").locator("section").filter(has_text=words(title))


async def panel(screen: Screen, site: Site) -> Screen:
    await screen.visit(f"/inbox/threads/{(await site.thread())['id']}")
    await expect(screen.messages.first).to_be_visible()
    await screen.page.keyboard.press("c")
    await expect(section(screen, "customer.identities")).to_be_visible()
    return screen


async def walked_in(site: Site, visitor: Visit) -> Visitor:
    """Bring somebody from a newsletter who says something and lets the page say who they are."""
    ana = await visitor(site)
    await ana.page.goto(f"{site.address}/?utm_source=newsletter&token=nobodys-business#top")
    await ana.until("!!window.Trunkline?.v")
    await ana.open()
    await ana.say("Is the red one there?")
    await ana.sees("Is the red one there?")
    return ana


async def test_agents_see_live_which_pages_a_visitor_looks_at(site: Site, visitor: Visit, enter: Enter) -> None:
    ana = await walked_in(site, visitor)
    ada = await panel(await enter(site.shop), site)
    pages = section(ada, "customer.visits").get_by_role("listitem")
    await expect(pages).to_have_count(1)
    await expect(pages.first).to_contain_text("Kettle & Spoke — bicycles")
    await expect(pages.first).to_contain_text(f"{site.address}/?utm_source=newsletter")
    await expect(section(ada, "customer.origin")).to_contain_text("source: newsletter")
    # Another page of the site, and one that a page shows without a load.
    await ana.page.get_by_role("link", name="Repairs").click()
    await ana.returns()
    await expect(pages).to_have_count(2)
    await expect(pages.first).to_contain_text("Repairs — Kettle & Spoke")
    await ana.page.evaluate("history.pushState(null, '', '/bicycles/red')")
    await expect(pages).to_have_count(3)
    await expect(pages.first).to_contain_text(f"{site.address}/bicycles/red")
    await expect(pages.last).to_contain_text("utm_source=newsletter")
    await expect(ada.page.get_by_role("complementary")).not_to_contain_text("nobodys-business")


async def test_agents_see_live_what_the_page_says_of_a_visitor(site: Site, visitor: Visit, enter: Enter) -> None:
    ana = await walked_in(site, visitor)
    ada = await panel(await enter(site.shop), site)
    facts = section(ada, "customer.attributes")
    await ana.call("setContact", {"email": "ana@mail.example"})
    await expect(facts.locator("dt")).to_have_text([words("customer.fact.email")])
    await ana.call("setAttributes", FACTS)
    await expect(facts.locator("dt")).to_have_text([words("customer.fact.email"), *FACTS])
    await expect(facts.locator("dd")).to_have_text(["ana@mail.example", "Gold", "3", "true"])
    await ana.call("setAttributes", {"plan": "Silver", "orders": None})
    await expect(facts.locator("dd")).to_have_text(["ana@mail.example", "Silver", "true"])


async def test_the_panel_of_a_visitor_by_the_rules_of_axe(site: Site, visitor: Visit, enter: Enter) -> None:
    ana = await walked_in(site, visitor)
    await ana.call("setContact", {"email": "ana@mail.example", "name": "Ana"})
    await ana.call("setAttributes", FACTS)
    ada = await panel(await enter(site.shop), site)
    await expect(section(ada, "customer.visits").get_by_role("listitem")).to_have_count(1)
    await in_every_look(ada, "a visitor")


async def in_every_look(screen: Screen, where: str) -> None:
    """Try what is shown wide and narrow, light and dark."""
    for size, theme in product((WIDE, PHONE), THEMES):
        await screen.page.set_viewport_size(ViewportSize(width=size["width"], height=size["height"]))
        await screen.page.emulate_media(color_scheme=theme)
        await screen.page.evaluate(PAINTED)
        await check(screen, f"{where}, {size['width']}, {theme}")
        if LOOK:
            await screen.page.screenshot(path=f"{LOOK}/{where.replace(' ', '-')}-{size['width']}-{theme}.png")
