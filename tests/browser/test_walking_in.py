"""A visitor who looks around before they write, and a contact card that an agent sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.browser.test_accessibility import check
from tests.browser.test_customer_panel import panel, section
from tests.browser.test_rich_replies import insert
from tests.browser.visitor import Site, Visit, site, visitor
from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Template
from tests.journeys.branch import Branch, open_branch
from tests.journeys.shop import until
from trunkline_whatsapp.simulator import Simulator

__all__ = ["site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_pages_from_before_the_first_word_are_told_with_it(site: Site, visitor: Visit, enter: Enter) -> None:
    ana, told_at = await visitor(site), list[str]()
    ana.page.on("request", lambda one: told_at.append(one.url) if one.url.endswith("/client/v1/context") else None)
    await ana.page.goto(f"{site.address}/?utm_source=newsletter&token=nobodys-business")
    await ana.until("!!window.Trunkline?.v")
    await ana.page.get_by_role("link", name="Repairs").click()
    await ana.until("location.pathname === '/repairs' && !!window.Trunkline?.v")
    await ana.page.evaluate("history.pushState(null, '', '/bicycles/red')")
    await ana.open()
    await expect(ana.log).to_contain_text("Looking for a bicycle")
    assert told_at == []
    await ana.say("Is the red one there?")
    await ana.sees("Is the red one there?")
    ada = await panel(await enter(site.shop), site)
    pages = section(ada, "customer.visits").get_by_role("listitem")
    await expect(pages).to_have_count(3)
    for place, path in enumerate(("/bicycles/red", "/repairs", "/?utm_source=newsletter")):
        await expect(pages.nth(place)).to_contain_text(f"{site.address}{path}")
    await expect(section(ada, "customer.origin")).to_contain_text("source: newsletter")
    await expect(ada.page.get_by_role("complementary")).not_to_contain_text("nobodys-business")
    # What was told is not told again from the next page.
    await ana.page.goto(f"{site.address}/repairs")
    await ana.returns()
    await expect(pages).to_have_count(4)
    assert len(told_at) == 2


@pytest_asyncio.fixture(loop_scope="session")
async def branch(
    tmp_path: Path, sqlite_template: Template, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Branch[Simulator]]:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    clock = HandClock()
    platform = Simulator(clock=clock)
    async with open_branch(tmp_path, sqlite_template, platform, connector="whatsapp", clock=clock) as branch:
        yield branch


async def test_a_contact_card_is_written_and_reaches_the_customer(branch: Branch[Simulator], enter: Enter) -> None:
    mei, thread = await branch.greeted_by("Mei")
    screen = await (await enter(branch)).visit(f"/inbox/threads/{thread['id']}")
    dialog = await insert(screen, "contacts")
    put = dialog.get_by_role("button", name=words("rich.insertThis"), exact=True)
    await dialog.get_by_role("textbox", name=words("rich.field.name")).fill("Workshop")
    # A name that nobody can reach is no card.
    await expect(put).to_be_disabled()
    await dialog.get_by_role("textbox", name=words("rich.field.phone")).fill("+49 30 1234567")
    await dialog.get_by_role("textbox", name=words("rich.field.organization")).fill("Kettle & Spoke")
    await check(screen, "a contact card")
    await put.click()
    await screen.button("composer.send").click()
    await expect(screen.message("Workshop")).to_contain_text("+49 30 1234567")

    async def heard() -> bool:
        return bool(branch.heard(mei))

    await until(heard)
    bodies = [json.loads(one.body) for one in branch.platform.requests("*/messages")]
    (sent,) = [body for body in bodies if "contacts" in body]
    (card,) = sent["contacts"]
    assert card["name"]["formatted_name"] == "Workshop"
    assert card["phones"][0]["phone"] == "+49 30 1234567"
    assert card["org"]["company"] == "Kettle & Spoke"
