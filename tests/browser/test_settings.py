"""What an admin sets up: accounts from a connector's own form, agents and how they come in. And what everybody sets."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.desk.harness import BO
from tests.journeys.shop import ACCOUNT, Shop

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_an_account_of_the_configuration_file_is_shown_and_locked(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop)).visit("/inbox/settings/accounts")
    page = screen.page
    await page.get_by_role("link", name="Shop").click()
    await expect(page.get_by_text(words("accounts.lockedLong"))).to_be_visible()
    address = page.get_by_label(words("accounts.webhook"), exact=True)
    await expect(address).to_have_value(f"{shop.address}/webhooks/{ACCOUNT}")
    await expect(page.get_by_label(words("accounts.titleField"), exact=True)).not_to_be_editable()
    secret = shop.line.world.channel_secret
    assert secret not in await page.content()
    await expect(screen.button("action.save")).to_have_count(0)


async def test_an_account_is_added_checked_and_changed_without_its_secrets_coming_back(
    shop: Shop, enter: Enter
) -> None:
    settings = shop.line.settings()
    screen = await (await enter(shop)).visit("/inbox/settings/accounts")
    page = screen.page
    await screen.button("accounts.add").click()
    choice = page.get_by_role("button", name="LINE")
    if await choice.count():
        await choice.click()
    await page.get_by_label(words("accounts.idField"), exact=True).fill("second")
    await page.get_by_label(words("accounts.titleField"), exact=True).fill("Second shop")
    for name, value in settings.items():
        if isinstance(value, str):
            await page.locator(f"[data-field={name}] input").fill(value)
    await screen.button("accounts.create").click()
    await expect(page.get_by_role("heading", name="Second shop")).to_be_visible()
    await expect(page.get_by_label(words("accounts.webhook"), exact=True)).to_have_value(
        f"{shop.address}/webhooks/second"
    )
    await screen.button("accounts.probe").click()
    await expect(page.get_by_text(words("accounts.healthy"))).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Second shop")).to_be_visible()
    shown = [await one.input_value() for one in await page.locator("input[type=password]").all()]
    assert set(shown) == {""}
    await page.get_by_label(words("accounts.titleField"), exact=True).fill("Shop number two")
    await screen.button("action.save").click()
    await expect(page.get_by_text(words("accounts.saved"))).to_be_visible()
    await screen.button("accounts.probe").click()
    await expect(page.get_by_text(words("accounts.healthy"))).to_be_visible()


async def test_an_agent_is_invited_made_admin_and_kept_out(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop)).visit("/inbox/settings/agents")
    page = screen.page
    await screen.button("agents.invite").click()
    await page.get_by_label(words("field.name")).fill("Cleo")
    await page.get_by_label(words("field.email")).fill("cleo@shop.example")
    await page.locator("form").get_by_role("button", name=words("agents.invite")).click()
    link = page.get_by_label(words("agents.linkFor", name="Cleo"), exact=True)
    address = await link.input_value()
    assert address.startswith(f"{shop.address}/inbox/setup")
    cleo = await enter(shop, None)
    await cleo.page.goto(address)
    await cleo.page.get_by_label(words("field.password")).fill("a long pass phrase of Cleo")
    await cleo.button("setup.submit").click()
    await expect(cleo.page.get_by_text(words("list.emptyAll"))).to_be_visible()

    row = page.get_by_role("listitem").filter(has_text="cleo@shop.example")
    await screen.button("agents.editThis", name="Cleo").click()
    await row.get_by_text(words("agents.role.admin"), exact=True).last.click()
    await expect(row.locator(".tag")).to_have_text("Admin")
    await row.get_by_role("button", name=words("agents.disable")).click()
    await row.get_by_role("button", name=words("action.yes", what=words("agents.disable"))).click()
    await expect(row.locator(".tag")).to_have_text(words("agents.disabled"))
    await cleo.page.reload()
    await expect(cleo.button("signIn.submit")).to_be_visible()


async def test_enter_makes_a_new_line_for_those_who_want_it(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop, BO[0])).visit("/inbox/settings/me")
    await screen.page.get_by_role("switch", name=words("settings.enter")).click()
    await screen.visit()
    await screen.open_thread("Mei")
    await screen.box.press_sequentially("One")
    await screen.page.keyboard.press("Enter")
    await screen.box.press_sequentially("Two")
    await expect(screen.box).to_have_value("One\nTwo")
    await screen.page.keyboard.press("Control+Enter")
    await expect(screen.message("One")).to_contain_text(words("delivery.sent"))
    assert [said.message["text"] for said in mei.sees if said.author is None] == ["One\nTwo"]
