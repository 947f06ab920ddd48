"""Leave-a-message forms as an admin sets them on the page for it, and what a visitor then gets and sends."""

from __future__ import annotations

import uuid
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Enter
from tests.browser.screen import Screen, words
from tests.browser.test_accessibility import check
from tests.browser.test_customer_panel import in_every_look
from tests.browser.visitor import ACCOUNT, Site, site
from tests.desk.harness import BO
from tests.journeys.shop import Shop

__all__ = ["site"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

COLUMNS = [words(f"submissions.{name}") for name in ("serial", "channel", "modes", "dimensions")]


@pytest.mark.requirement("000-21")
async def test_the_page_shows_the_table_of_channels_that_the_api_tells(shop: Shop, enter: Enter) -> None:
    told = [row for row in (await shop.ada.get("/submissions/matrix"))["items"] if row["serial"] is not None]
    assert [row["serial"] for row in told] == list(range(1, 11))
    screen = await (await enter(shop)).visit("/inbox/settings/submissions")
    table = screen.page.get_by_role("table", name=words("submissions.table"))
    await expect(table.get_by_role("columnheader")).to_have_text(COLUMNS)
    rows = table.locator("tbody tr")
    await expect(rows).to_have_count(len(told))
    assert [await _facts(row) for row in await rows.all()] == [
        (str(row["serial"]), row["title"]["en"], _named("mode", row["modes"]), _named("dimension", row["dimensions"]))
        for row in told
    ]
    await in_every_look(screen, "the table of channels")


async def _facts(row: Locator) -> tuple[str, str, list[str], list[str]]:
    """Return the four cells of a row; what stands beside a dimension in brackets is left out."""
    cells = await row.locator("td, th").all()
    modes, dimensions = [await cell.locator("li").all_inner_texts() for cell in cells[2:]]
    return (
        await cells[0].inner_text(),
        await cells[1].inner_text(),
        modes,
        [text.partition(" (")[0] for text in dimensions],
    )


def _named(kind: str, values: list[str]) -> list[str]:
    return [words(f"submissions.{kind}.{value}") for value in values]


async def to_content(screen: Screen) -> None:
    """Walk the path of the menu to the setting for all accounts."""
    page = screen.page
    await screen.visit()
    await page.get_by_role("link", name=words("settings.title"), exact=True).click()
    await page.get_by_role("link", name=words("submissions.title"), exact=True).click()
    await (
        page.get_by_role("region", name=words("submissions.content"))
        .get_by_role("link", name=words("submissions.all"))
        .click()
    )
    await expect(page.get_by_role("heading", name=words("submissions.content"), level=1)).to_be_visible()


def choice(screen: Screen, key: str) -> Locator:
    return screen.page.get_by_role("combobox", name=words(f"submissions.{key}"), exact=True)


async def save(screen: Screen) -> None:
    async with screen.page.expect_response(lambda answer: answer.request.method == "PUT") as answered:
        await screen.button("action.save").click()
    assert (await answered.value).status == 200
    await expect(screen.page.get_by_text(words("submissions.saved"))).to_be_visible()


class Door:
    """The visitor's side: the form as it is offered, and what is sent with it."""

    def __init__(self, site: Site, session: aiohttp.ClientSession) -> None:
        self._url, self._session = f"{site.shop.address}/client/v1", session
        self._head = {"X-Inbox-Key": str(site.web.settings()["key"]), "X-SDK-Platform": "web", "X-SDK-Form": "desktop"}

    async def enter(self) -> None:
        _, answer = await self._call("POST", "/tokens", {})
        self._head["Authorization"] = f"Bearer {answer['token']}"

    async def form(self) -> dict[str, Any]:
        return (await self._call("GET", "/submissions/form"))[1]

    async def send(self, **values: str) -> tuple[int, dict[str, Any]]:
        body = {"client_id": str(uuid.uuid4()), "form_version": (await self.form())["version"], "values": values}
        return await self._call("POST", "/submissions", body)

    async def _call(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        async with self._session.request(method, self._url + path, json=body, headers=self._head) as answer:
            return answer.status, await answer.json(content_type=None)


@pytest.mark.requirement("000-09", "000-10")
async def test_an_admin_sets_the_mode_and_the_questions_and_visitors_get_them(site: Site, enter: Enter) -> None:
    screen = await enter(site.shop)
    await to_content(screen)
    await choice(screen, "enabled").select_option(label=words("submissions.on"))
    await choice(screen, "modeField").select_option(label=words("submissions.mode.offline_message"))
    await save(screen)
    async with aiohttp.ClientSession() as session:
        door = Door(site, session)
        await door.enter()
        status, first = await door.send(message="Where is order 42?")
        assert (status, first["submission"]["mode"]) == (201, "offline_message")

        await _ask_more(screen)
        await save(screen)
        asked = (await door.form())["fields"]
        assert [(field["key"], field["required"]) for field in asked] == [
            ("name", False), ("email", True), ("order_number", False), ("message", True),
        ]  # fmt: skip
        status, refused = await door.send(message="Where is it?", order_number="42")
        assert (status, [one["field"] for one in refused["errors"]]) == (422, ["email"])
        values = {"email": "mei@shop.example", "message": "Where is it?", "order_number": "42"}
        status, _ = await door.send(**values)
        assert status == 201

        await choice(screen, "modeField").select_option(label=words("submissions.mode.ticket"))
        await save(screen)
        status, last = await door.send(**values)
        assert (status, last["submission"]["mode"]) == (201, "ticket")
    kept = (await site.shop.ada.get("/submissions"))["items"]
    assert [(one["mode"], one["values"]) for one in kept] == [
        ("ticket", values), ("offline_message", values), ("offline_message", {"message": "Where is order 42?"}),
    ]  # fmt: skip
    await in_every_look(screen, "the content of a form")


async def _ask_more(screen: Screen) -> None:
    """Make the e-mail address a must, and add a question before the last one."""
    page = screen.page
    await page.get_by_text(words("submissions.ownQuestions"), exact=True).click()
    await page.locator("[data-question=email]").get_by_label(words("submissions.mustAnswer")).check()
    await screen.button("submissions.add").click()
    await page.keyboard.type("Order number")
    await screen.button("submissions.up", name="Order number").press("Enter")
    await page.get_by_text("Polski", exact=True).click()
    await page.locator("[data-question='']").get_by_label(words("submissions.label")).fill("Numer zamówienia")


async def test_an_account_offers_what_its_channel_takes_and_an_agent_only_looks(site: Site, enter: Enter) -> None:
    await site.shop.ada.call("PUT", "/submissions/settings/deployment/all", {"enabled": True, "mode": "ticket"})
    ada, bo = await enter(site.shop), await enter(site.shop, BO[0])
    for screen in (ada, bo):
        await screen.visit("/inbox/settings/submissions")
        await expect(screen.page.get_by_text(words("submissions.withoutForms", accounts="Shop"))).to_be_visible()
        await screen.page.get_by_role("link", name="Site").click()
        await expect(choice(screen, "modeField").locator("option").first).to_have_text(
            words("submissions.asAllNow", what=words("submissions.mode.ticket"))
        )
    await choice(ada, "modeField").select_option("offline_message")
    await save(ada)
    shown = (await site.shop.ada.get("/submissions/settings"))["items"]
    assert {(one["scope"], one["scope_id"], one["setting"]["mode"]) for one in shown} == {
        ("deployment", "all", "ticket"),
        ("account", ACCOUNT, "offline_message"),
    }
    await expect(bo.page.get_by_text(words("submissions.readOnly"))).to_be_visible()
    await expect(choice(bo, "modeField")).to_be_disabled()
    await expect(bo.button("action.save")).to_have_count(0)
    await check(bo, "the setting of an account, as an agent sees it")
