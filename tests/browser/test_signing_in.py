"""How an agent comes in: once by a link, then with a password."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.desk.harness import ADA, PASSWORD
from tests.journeys.shop import Shop
from trunkline_desk.application import DeskApplication

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EMAIL = "cleo@shop.example"


async def test_the_first_admin_sets_a_password_by_link_and_signs_in_with_it(empty_shop: Shop, enter: Enter) -> None:
    screen = await enter(empty_shop, None)
    page = screen.page
    link = _link(empty_shop)
    await page.goto(link)
    await page.get_by_label(words("field.name")).fill("Cleo")
    await page.get_by_label(words("field.email")).fill(EMAIL)
    await page.get_by_label(words("field.password")).fill(PASSWORD)
    await screen.button("setup.submit").click()
    await expect(page.get_by_text(words("list.emptyAll"))).to_be_visible()

    await screen.button("menu.label", name="Cleo").click()
    await page.get_by_role("menuitem", name=words("menu.signOut")).click()
    await expect(page.get_by_role("heading", name=words("signIn.title"))).to_be_visible()
    await _sign_in(page, "somebody else entirely")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_text(words("list.emptyAll"))).to_be_hidden()
    await _sign_in(page, PASSWORD)
    await expect(page.get_by_text(words("list.emptyAll"))).to_be_visible()

    await page.goto(link)
    await expect(page.get_by_text(words("setup.badLink"))).to_be_visible()


async def test_an_address_inside_the_inbox_is_reached_after_signing_in(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    screen = await enter(shop, None)
    await screen.visit(f"/inbox/threads/{thread['id']}")
    await _sign_in(screen.page, PASSWORD, email=ADA[0])
    await screen.sees("Hello")


async def test_a_session_that_ended_elsewhere_asks_for_the_password_again(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop)).visit()
    await expect(screen.page.get_by_text(words("list.emptyAll"))).to_be_visible()
    await shop.ada.call("DELETE", "/sessions/current")
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    await expect(screen.page.get_by_role("heading", name=words("signIn.title"))).to_be_visible()


def _link(shop: Shop) -> str:
    application = shop.house.applications["desk"]
    assert isinstance(application, DeskApplication)
    written = application.setup_file.read_text(encoding="utf-8")
    return next(word for word in written.split() if "/inbox/setup?token=" in word)


async def _sign_in(page: Page, password: str, email: str = EMAIL) -> None:
    await page.get_by_label(words("field.email")).fill(email)
    await page.get_by_label(words("field.password")).fill(password)
    await page.get_by_role("button", name=words("signIn.submit"), exact=True).click()
