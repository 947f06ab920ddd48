"""Cards, places and templates written in the composer, what the channel will carry of them, and an account's health."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, ViewportSize, expect

from tests.browser.conftest import Enter
from tests.browser.screen import PHONE, WIDE, Screen, words
from tests.browser.test_accessibility import check
from tests.browser.test_customer_panel import in_every_look
from tests.core.conftest import HandClock
from tests.desk.conftest import Template as Desk
from tests.desk.conftest import open_desk, settings_file
from tests.desk.harness import Running
from tests.desk.rich import FAIR, RichConnector, open_fair
from tests.journeys.shop import Shop
from trunkline.model import Button, Card, Carousel, Location, Template, Text

__all__ = ["open_desk", "settings_file"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Where pictures of every state go, for somebody who wants to look at them.
LOOK = os.environ.get("TRUNKLINE_TEST_PICTURES")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class Fair:
    """A running desk with an account on the channel that has everything, and one customer who wrote."""

    def __init__(self, desk: Running, connector: RichConnector, thread: str) -> None:
        self.desk, self.connector, self.thread = desk, connector, thread
        self.address, self.tokens = desk.address, desk.tokens

    @property
    def parts(self) -> list[Any]:
        return [part for message in self.connector.sent for part in message.parts]

    async def past_the_window(self) -> None:
        ada = self.desk.client("ada@shop.example")
        for _ in range(3):
            self.desk.clock.advance(hours=8.1)
            await ada.get("/me")
            await self.desk.settle()


@pytest_asyncio.fixture(loop_scope="session")
async def fair(noon_template: Desk, tmp_path: Path, open_desk: Any) -> AsyncIterator[Fair]:
    file = tmp_path / "fair.db"
    file.write_bytes(Path(noon_template[0]).read_bytes())
    async with open_desk(f"sqlite:///{file}", noon_template[1]) as desk:
        _, connector = await open_fair(desk)
        thread = await desk.thread("Do you have shoes?", account=FAIR, sender="mei")
        yield Fair(desk, connector, thread)


async def opened(fair: Fair, enter: Enter, **options: Any) -> Screen:
    shop: Any = fair
    screen = await (await enter(shop, **options)).visit(f"/inbox/threads/{fair.thread}")
    await expect(box(screen)).to_be_visible()
    return screen


def box(screen: Screen) -> Locator:
    return screen.page.get_by_role("textbox", name=words("composer.placeholder", channel="Rich"))


def truth(screen: Screen) -> Locator:
    return screen.page.get_by_role("region", name=words("truth.title", channel="Rich"))


async def insert(screen: Screen, kind: str) -> Locator:
    await screen.button("rich.insert").click()
    await screen.page.get_by_role("menuitem", name=words(f"rich.kind.{kind}"), exact=True).click()
    dialog = screen.page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    return dialog


async def picture(screen: Screen, name: str) -> None:
    if LOOK:
        await screen.page.screenshot(path=f"{LOOK}/{name}.png")


async def test_a_card_is_written_with_counters_seen_before_and_sent(fair: Fair, enter: Enter) -> None:
    screen = await opened(fair, enter)
    await box(screen).fill("Look at this")
    dialog = await insert(screen, "card")
    title = dialog.get_by_role("textbox", name=words("rich.title"), exact=True)
    await title.fill("A" * 21)
    await expect(dialog.get_by_text("21/20")).to_be_visible()
    put = dialog.get_by_role("button", name=words("rich.insertThis"), exact=True)
    await expect(put).to_be_disabled()
    await title.fill("Red shoe")
    await screen.page.get_by_test_id("card-picture").set_input_files(
        {"name": "shoe.png", "mimeType": "image/png", "buffer": _png()}
    )
    await expect(dialog.get_by_text("shoe.png")).to_be_visible()
    await dialog.get_by_role("button", name=words("rich.addButton")).click()
    await dialog.get_by_role("textbox", name=words("rich.buttonTitle", n="1"), exact=True).fill("Buy")
    await dialog.get_by_text(words("rich.opens"), exact=True).click()
    await dialog.get_by_role("textbox", name=words("rich.address", n="1")).fill("https://shop.example/42")
    await picture(screen, "card-1280")
    await put.click()
    await screen.button("truth.show").click()
    await expect(truth(screen).get_by_text("Red shoe")).to_be_visible()
    await expect(truth(screen).get_by_role("status")).to_contain_text(words("truth.budget", before="5", after="3"))
    await picture(screen, "truth-1280")
    await screen.button("composer.send").click()
    await expect(screen.messages.filter(has_text="Red shoe")).to_contain_text(words("delivery.sent"))
    await fair.desk.settle()
    text, card = fair.parts
    assert text == Text(text="Look at this")
    assert (card.title, card.buttons) == ("Red shoe", (Button(title="Buy", url="https://shop.example/42"),))
    assert card.image.mime == "image/png"


def _png() -> bytes:
    from tests.desk.test_messages import picture as made

    return made()


async def test_cards_side_by_side_and_a_place_are_written_by_keyboard(fair: Fair, enter: Enter) -> None:
    screen = await opened(fair, enter)
    page = screen.page
    await screen.button("rich.insert").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    title = dialog.get_by_role("textbox", name=words("rich.title"), exact=True)
    await title.fill("One")
    await dialog.get_by_role("button", name=words("rich.addCard")).press("Enter")
    await expect(dialog.get_by_text(words("rich.cardOf", n="2", all="2"))).to_be_visible()
    await title.fill("Two")
    await title.press("Enter")
    await expect(dialog).to_have_count(0)
    await box(screen).press("Enter")
    await expect(screen.messages.filter(has_text="Two")).to_contain_text(words("delivery.sent"))
    dialog = await insert(screen, "location")
    await dialog.get_by_role("textbox", name=words("rich.degrees")).fill("nowhere")
    await expect(dialog.get_by_text(words("rich.noDegrees"))).to_be_visible()
    await dialog.get_by_role("textbox", name=words("rich.degrees")).fill("35.6586, 139.7454")
    await dialog.get_by_role("textbox", name=words("rich.placeTitle")).fill("Tower")
    await dialog.get_by_role("button", name=words("rich.insertThis"), exact=True).click()
    await screen.button("composer.send").click()
    await expect(screen.messages.filter(has_text="Tower")).to_contain_text(words("delivery.sent"))
    await fair.desk.settle()
    assert fair.parts == [
        Carousel(cards=(Card(title="One"), Card(title="Two"))),
        Location(latitude=35.6586, longitude=139.7454, title="Tower"),
    ]


async def test_a_link_is_written_with_its_words_where_the_channel_has_links(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Where can I read that?")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    dialog = await insert(screen, "link")
    url = dialog.get_by_role("textbox", name=words("rich.field.url"))
    await url.fill("nowhere")
    await expect(dialog.get_by_text(words("rich.noAddress"))).to_be_visible()
    put = dialog.get_by_role("button", name=words("rich.insertThis"), exact=True)
    await expect(put).to_be_disabled()
    await url.fill("https://shop.example/care")
    await dialog.get_by_role("textbox", name=words("rich.field.title")).fill("Caring for your bicycle")
    await check(screen, "link")
    await picture(screen, "link-1280")
    await put.click()
    await screen.button("composer.send").click()
    await expect(screen.message("Caring for your bicycle")).to_contain_text(words("delivery.sent"))
    assert "https://shop.example/care" in str([said.message for said in mei.sees])


async def test_after_the_window_the_composer_offers_what_is_left(fair: Fair, enter: Enter) -> None:
    await fair.past_the_window()
    screen = await opened(fair, enter)
    await box(screen).fill("Hello?")
    await screen.button("truth.show").click()
    await expect(truth(screen).get_by_text(words("truth.refused"))).to_be_visible()
    await picture(screen, "late-1280")
    await box(screen).fill("")
    await screen.button("templates.choose").click()
    dialog = screen.page.get_by_role("dialog")
    await expect(dialog.get_by_text("The platform paused it.")).to_be_visible()
    await picture(screen, "templates-1280")
    await dialog.get_by_role("searchbox").fill("parcel arrives")
    await dialog.get_by_role("button", name="parcel").click()
    await dialog.get_by_role("textbox", name="number").fill("A-17")
    put = dialog.get_by_role("button", name=words("rich.insertThis"), exact=True)
    await expect(put).to_be_disabled()
    await dialog.get_by_role("textbox", name="day").fill("Monday")
    await expect(dialog.get_by_text("Your parcel A-17 arrives on Monday.")).to_be_visible()
    await picture(screen, "template-1280")
    await put.click()
    await expect(truth(screen).get_by_text("parcel")).to_be_visible()
    await screen.button("composer.send").click()
    await expect(screen.messages.filter(has_text="parcel")).to_contain_text(words("delivery.sent"))
    await fair.desk.settle()
    filled = {"number": "A-17", "day": "Monday"}
    assert fair.parts == [Template(name="parcel", language="en_US", variables=filled)]


async def test_a_message_is_reacted_to_and_one_of_ours_taken_back(fair: Fair, enter: Enter) -> None:
    screen = await opened(fair, enter)
    theirs = screen.message("Do you have shoes?")
    await theirs.hover()
    await theirs.get_by_role("button", name=words("reactions.react")).click()
    await screen.page.get_by_role("menuitem", name="👍").click()
    await expect(theirs.get_by_role("list", name=words("reactions.label"))).to_contain_text("👍")
    await in_every_look(screen, "a reaction")
    await screen.page.set_viewport_size(ViewportSize(width=WIDE["width"], height=WIDE["height"]))
    await box(screen).fill("Sorry, wrong window")
    await screen.button("composer.send").click()
    ours = screen.message("Sorry, wrong window")
    await expect(ours).to_contain_text(words("delivery.sent"))
    await ours.hover()
    await ours.get_by_role("button", name=words("message.recall")).click()
    await screen.page.get_by_role("button", name=words("action.yes", what=words("message.recall"))).click()
    await expect(screen.page.get_by_text(words("message.recalledByUs"))).to_be_visible()
    assert [signal.kind for signal in fair.connector.signals if signal.kind in {"reaction", "recall"}] == [
        "reaction",
        "recall",
    ]


async def test_a_remedy_stands_as_a_button_and_the_health_in_figures(fair: Fair, enter: Enter) -> None:
    fair.connector.is_subscribed = False
    shop: Any = fair
    screen = await (await enter(shop)).visit(f"/inbox/settings/accounts/{FAIR}")
    page = screen.page
    await screen.button("accounts.probe").click()
    await page.get_by_role("button", name="Subscribe again").click()
    await expect(page.get_by_text(words("accounts.healthy"))).to_be_visible()
    await picture(screen, "account-1280")
    await page.get_by_role("link", name=words("record.open")).click()
    await expect(page.get_by_role("heading", name=words("record.of", title="Fair"))).to_be_visible()
    await expect(page.get_by_text(words("record.silence.learning"))).to_be_visible()
    async with page.expect_download() as saved:
        await screen.button("record.save").click()
    file = await (await saved.value).path()
    assert b"invented-secret" not in Path(file).read_bytes()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1280", "390"])
async def test_nothing_of_it_fails_the_rules_of_axe(fair: Fair, enter: Enter, theme: str, size: dict[str, int]) -> None:
    name = f"{size['width']}-{theme}"
    screen = await opened(fair, enter, viewport=size, color_scheme=theme)
    await box(screen).fill("word " * 30)
    await screen.button("truth.show").click()
    await expect(truth(screen).get_by_role("status")).to_be_visible()
    await check(screen, "truth")
    await picture(screen, f"truth-{name}")
    await truth(screen).get_by_role("button", name=words("action.close")).click()
    await insert(screen, "carousel")
    await check(screen, "cards")
    await picture(screen, f"cards-{name}")
    await screen.page.keyboard.press("Escape")
    dialog = await insert(screen, "template")
    await dialog.get_by_role("button", name="parcel").click()
    await check(screen, "template")
    await picture(screen, f"template-{name}")
    await screen.visit(f"/inbox/settings/accounts/{FAIR}/health")
    await expect(screen.page.get_by_text(words("record.silence.learning"))).to_be_visible()
    await check(screen, "health")
    await picture(screen, f"health-{name}")
    await screen.visit("/inbox/settings/accounts/shop")
    await expect(screen.page.get_by_text(words("accounts.lockedLong"))).to_be_visible()
    await check(screen, "a locked account")
    await picture(screen, f"locked-{name}")
