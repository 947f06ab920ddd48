"""A visitor leaves a message and asks for a person: by mouse, by keyboard, with a bad network, in every look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Route, expect

from tests.browser.test_widget_page import NARROW, _check
from tests.browser.visitor import Site, Visit, Visitor, open_site, site, visitor
from tests.desk.conftest import KEY, Template
from tests.house import ROOT
from tests.journeys import shop as journeys
from tests.journeys.shop import until
from trunkline.main import open_house
from trunkline.plugins import load_registry

__all__ = ["site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Json = dict[str, Any]
FIELDS: list[Json] = [
    {"key": "name", "kind": "text", "label": {"en": "Your name", "pl": "Imię i nazwisko"}},
    {"key": "email", "kind": "email", "label": {"en": "E-mail"}, "required": True},
    {"key": "phone", "kind": "phone", "label": {"en": "Telephone"}},
    {"key": "bought", "kind": "date", "label": {"en": "Bought on"}},
    {"key": "about", "kind": "select", "label": {"en": "About"}, "options": ["Order", "Repair"]},
    {"key": "parts", "kind": "multi_select", "label": {"en": "Parts"}, "options": ["Wheel", "Bell", "x" * 60]},
    {"key": "message", "kind": "textarea", "label": {"en": "Your message"}, "required": True, "max_length": 200},
    {"key": "terms", "kind": "checkbox", "label": {"en": "You may keep this"}, "required": True},
]
SHORT = [field for field in FIELDS if field["key"] in {"name", "email", "message"}]
NOTICE = {"en": "See https://shop.example/hours", "pl": "Zobacz https://shop.example/hours"}


async def ask(site: Site, fields: list[Json], **more: Any) -> None:
    """Let every account offer this form."""
    setting = {"enabled": True, "fields": fields, "notice": NOTICE, **more}
    answer = await site.shop.ada.call("PUT", "/submissions/settings/deployment/all", setting)
    assert answer.status == 200, answer.raw


async def stored(site: Site) -> list[Json]:
    """Return the answers of the forms that were stored, the newest first."""
    return [one["values"] for one in (await site.shop.ada.get("/submissions"))["items"]]


def field(ana: Visitor, label: str) -> Locator:
    return ana.frame.get_by_label(label)


def head(ana: Visitor) -> Locator:
    return ana.frame.get_by_role("heading", level=2)


def strip(ana: Visitor) -> Locator:
    return ana.frame.get_by_role("region", name="Talk to a person")


async def to_form(ana: Visitor) -> None:
    await ana.button("Leave a message").click()
    await expect(field(ana, "Your message")).to_be_visible()
    await expect(head(ana)).to_be_focused()


async def fill(ana: Visitor, **more: str) -> None:
    answers = {"E-mail": "mei@shop.example", "Your message": "Where is order 42?", **more}
    for label, text in answers.items():
        await field(ana, label).fill(text)


async def is_received(ana: Visitor) -> None:
    await expect(head(ana)).to_have_text("Thank you. We have your message.")
    await expect(head(ana)).to_be_focused()


# ---------------------------------------------------------------- the form


async def test_every_kind_of_question_is_asked_judged_and_stored(site: Site, visitor: Visit) -> None:
    await ask(site, FIELDS)
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.page.evaluate("Trunkline('on', 'offline-form-sent', (told) => { window.left = told })")
    await to_form(ana)
    await expect(ana.frame.get_by_role("link", name="https://shop.example/hours")).to_be_visible()
    await ana.button("Send").click()
    await expect(field(ana, "E-mail")).to_be_focused()
    await expect(ana.frame.locator("[aria-invalid=true]")).to_have_count(3)
    await expect(ana.frame.get_by_role("alert")).to_have_text("Please look at the answers that are marked.")
    await _answer_all(ana)
    assert await stored(site) == []
    await field(ana, "Your name").fill("Mei")
    await ana.button("Send").click()
    await is_received(ana)
    (kept,) = (await site.shop.ada.get("/submissions"))["items"]
    assert kept["values"] == {
        "name": "Mei", "email": "mei@shop.example", "phone": "+48 22 123", "bought": "2026-05-01", "about": "Repair",
        "parts": ["Wheel", "Bell"], "message": "Where is order 42?", "terms": True,
    }  # fmt: skip
    await expect(ana.frame.get_by_text(f"Reference: {kept['reference']}").first).to_be_visible()
    assert (await ana.page.evaluate("window.left"))["reference"] == kept["reference"]
    await ana.button("Messages you left").click()
    mine = ana.frame.get_by_role("listitem").filter(has_text=kept["reference"])
    await expect(mine).to_contain_text("Received")
    await site.answer("It is on its way")
    await expect(mine).to_contain_text("It is on its way")


async def _answer_all(ana: Visitor) -> None:
    """Answer every question, one of them so that only the server knows it to be wrong."""
    await fill(ana, **{"Your name": "Mei\x07", "Telephone": "+48 22 123", "Bought on": "2026-05-01"})
    await field(ana, "About").select_option("Repair")
    for tick in ("Wheel", "Bell", "You may keep this"):
        await field(ana, tick).check()
    async with ana.page.expect_response("**/client/v1/submissions") as answered:
        await ana.button("Send").click()
    assert (await answered.value).status == 422
    await expect(field(ana, "Your name")).to_be_focused()
    await expect(field(ana, "Your name")).to_have_accessible_description("This answer cannot be taken.")


async def test_an_answer_that_got_lost_makes_no_second_message(site: Site, visitor: Visit) -> None:
    await ask(site, SHORT)
    ana = await (await (await visitor(site)).arrive()).open()
    answers: list[int] = []

    async def lose(route: Route) -> None:
        # The server has it, and the visitor never hears of it.
        answers.append((await route.fetch()).status)
        await route.abort()

    await to_form(ana)
    await fill(ana)
    await ana.page.route("**/client/v1/submissions", lose)
    await ana.button("Send").click()
    await expect(ana.button("Change it")).to_be_visible()
    await ana.page.unroute("**/client/v1/submissions")
    await is_received(ana)
    assert answers[0] == 201
    assert await stored(site) == [{"email": "mei@shop.example", "message": "Where is order 42?"}]


async def test_a_form_that_changes_meanwhile_keeps_what_was_written(site: Site, visitor: Visit) -> None:
    await ask(site, SHORT)
    ana = await (await (await visitor(site)).arrive()).open()
    await to_form(ana)
    await fill(ana)
    await ask(site, [*SHORT, {"key": "order", "label": {"en": "Order number"}, "required": True}])
    await ana.button("Send").click()
    await expect(ana.frame.get_by_role("alert")).to_contain_text("The questions have changed")
    await expect(field(ana, "Your message")).to_have_value("Where is order 42?")
    await field(ana, "Order number").fill("42")
    await ana.button("Send").click()
    await is_received(ana)
    assert await stored(site) == [{"email": "mei@shop.example", "message": "Where is order 42?", "order": "42"}]


async def test_a_reload_keeps_what_was_written_and_the_keyboard_is_enough(site: Site, visitor: Visit) -> None:
    await ask(site, SHORT)
    ana = await (await (await visitor(site)).arrive()).open()
    keyboard = ana.page.keyboard
    await expect(ana.box).to_be_focused()
    await expect(ana.button("Leave a message")).to_be_visible()
    for key in ("Shift+Tab", "Shift+Tab", "Enter"):
        await keyboard.press(key)
    await expect(head(ana)).to_be_focused()
    await expect(field(ana, "Your message")).to_be_visible()
    await _tab_to(ana, field(ana, "Your name"))
    await keyboard.type("Mei")
    await ana.page.reload()
    await until(lambda: _has_form(ana))
    await expect(field(ana, "Your name")).to_have_value("Mei")
    await field(ana, "Your name").focus()
    await keyboard.press("Tab")
    await keyboard.type("mei@shop.example")
    await keyboard.press("Tab")
    await keyboard.type("Where is it?")
    await _tab_to(ana, ana.button("Send"))
    await keyboard.press("Enter")
    await is_received(ana)
    await _tab_to(ana, ana.button("Back to the chat"))
    await keyboard.press("Enter")
    await expect(ana.box).to_be_focused()
    await expect(ana.said).to_have_count(1)
    assert await stored(site) == [{"name": "Mei", "email": "mei@shop.example", "message": "Where is it?"}]


async def test_without_a_form_there_is_no_button_and_one_that_goes_away_says_so(site: Site, visitor: Visit) -> None:
    bo = await (await (await visitor(site)).arrive()).open()
    await expect(bo.log).to_contain_text("Looking for a bicycle")
    await expect(bo.button("Leave a message")).to_have_count(0)
    await ask(site, SHORT)
    ana = await (await (await visitor(site, bo.page.context)).arrive()).open()
    await to_form(ana)
    await fill(ana)
    await ask(site, SHORT, enabled=False)
    await ana.button("Send").click()
    await expect(ana.frame.get_by_role("alert")).to_have_text("No messages can be left here right now.")
    await ana.button("Back to the chat").click()
    await expect(ana.box).to_be_focused()
    await expect(ana.button("Leave a message")).to_have_count(0)


async def test_what_cannot_be_loaded_says_so_and_is_offered_again(site: Site, visitor: Visit) -> None:
    await ask(site, SHORT)
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.page.route("**/widget/assets/later-*", lambda route: route.abort())
    await ana.button("Leave a message").click()
    await expect(ana.frame.get_by_role("alert")).to_contain_text("This could not be loaded.")
    await ana.say("The chat goes on")
    await ana.sees("The chat goes on")
    await ana.page.unroute("**/widget/assets/later-*")
    # A browser may keep the failure of an address for good: another address is tried.
    await ana.page.route("**/widget/assets/later-*.js", lambda route: route.abort())
    await ana.button("Try again").click()
    await expect(field(ana, "Your message")).to_be_visible()
    await expect(ana.frame.get_by_role("alert")).to_have_count(0)


LOOKS: dict[str, Json] = {"light-1280": {}, "dark-320-rtl": {"color_scheme": "dark", "viewport": NARROW}}


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_in_the_form(site: Site, visitor: Visit, look: str) -> None:
    await ask(site, FIELDS)
    site.web.attributes = 'lang="ar" dir="rtl"' if look.endswith("rtl") else 'lang="en"'
    ana = await (await (await visitor(site, **LOOKS[look])).arrive()).open()
    await to_form(ana)
    await ana.button("Send").click()
    await expect(ana.frame.locator("[aria-invalid=true]")).to_have_count(3)
    await _check(ana, "mistakes")
    await _fits(ana)
    await fill(ana, **{"Your name": "x" * 300})
    await field(ana, "You may keep this").check()
    answer = {"status": 429, "json": {"error": {"code": "rate_limited", "message": "no", "retry_after": 720}}}
    await ana.page.route("**/client/v1/submissions", lambda route: route.fulfill(**answer))
    await ana.button("Send").click()
    await expect(ana.frame.get_by_role("alert")).to_contain_text("in 12 minutes")
    await ana.page.unroute("**/client/v1/submissions")
    await ana.button("Send").click()
    await is_received(ana)
    await _check(ana, "success")
    await ana.button("Messages you left").click()
    await expect(ana.frame.get_by_text("Received")).to_be_visible()
    await _check(ana, "messages that were left")


async def test_the_form_speaks_the_language_of_the_page(site: Site, visitor: Visit) -> None:
    await ask(site, FIELDS)
    site.web.attributes = 'lang="pl"'
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.button("Zostaw wiadomość").click()
    await expect(field(ana, "Imię i nazwisko")).to_be_visible()
    await expect(ana.frame.get_by_text("* pole wymagane")).to_be_visible()
    await expect(ana.frame.get_by_text("Zobacz")).to_be_visible()


# ---------------------------------------------------------------- a person


@pytest_asyncio.fixture(loop_scope="session")
async def room(tmp_path: Path, sqlite_template: Template, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A site whose house has a waiting room: an application of somebody else."""
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "waiting_room"))
    package = __import__("trunkline_waiting_room")
    found = load_registry(())
    rules = package.Rules(pause_s=0, longest_line=2)
    applications = {**found.applications, package.NAME: package.spec(rules)}
    registry = replace(found, applications=applications)
    monkeypatch.setattr(journeys, "open_house", partial(open_house, registry=registry))
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    async with open_site(tmp_path, sqlite_template) as site:
        await ask(site, SHORT)
        yield site


async def test_a_visitor_waits_for_a_person_talks_and_ends_it(room: Site, visitor: Visit) -> None:
    first, ana = [await (await (await visitor(room)).arrive()).open() for _ in range(2)]
    for one in (first, ana):
        await one.button("Talk to a person").click()
        await expect(strip(one)).to_contain_text("in line")
        await expect(strip(one)).to_be_focused()
    await expect(strip(first)).to_contain_text("You are number 1 in line. You are next.")
    await expect(strip(ana)).to_contain_text("You are number 2 in line. Ahead of you: 1.")
    await _check(ana, "in line")
    # It survives a reload, and another tab is told the same.
    await ana.page.reload()
    await ana.returns()
    await expect(strip(ana)).to_contain_text("number 2 in line")
    second = await (await visitor(room, ana.page.context)).arrive()
    await second.open()
    await expect(strip(second)).to_contain_text("number 2 in line")
    # Whoever leaves a message instead leaves the line, and everybody behind moves up at once.
    await first.button("Leave a message instead").click()
    await fill(first)
    await first.button("Send").click()
    await is_received(first)
    await expect(strip(first)).to_have_count(0)
    for one in (ana, second):
        await expect(strip(one)).to_contain_text("You are number 1 in line.")
    await expect(ana.frame.get_by_role("status").first).to_contain_text("number 1 in line")
    await _talk(room, ana, second)


async def _talk(room: Site, ana: Visitor, second: Visitor) -> None:
    """An agent takes the visitor, who ends it after a second thought."""
    # A tab behind another one draws once a second.
    await ana.page.bring_to_front()
    for thread in await room.shop.threads():
        await room.shop.reply(thread["id"], "Good morning")
    await expect(strip(ana)).to_contain_text("Ada is helping you.")
    await _check(ana, "a talk")
    await ana.button("End the talk").click()
    await ana.button("No, go on").click()
    await ana.button("End the talk").click()
    await ana.button("Yes, end it").click()
    for one in (ana, second):
        await expect(strip(one)).to_contain_text("The talk with Ada has ended.")
    await ana.button("Hide this").click()
    await expect(strip(ana)).to_have_count(0)
    await expect(ana.box).to_be_focused()


async def test_where_the_line_is_full_the_form_is_offered(room: Site, visitor: Visit) -> None:
    for _ in range(2):
        one = await (await (await visitor(room)).arrive()).open()
        await one.button("Talk to a person").click()
        await expect(strip(one)).to_contain_text("in line")
    ana = await (await (await visitor(room)).arrive()).open()
    await ana.button("Talk to a person").click()
    await expect(ana.frame.get_by_text("Nobody is free right now.")).to_be_visible()
    await fill(ana)
    await ana.button("Send").click()
    await is_received(ana)
    # A place that another tab gave up is no error here.
    await one.page.evaluate("Trunkline('requestHuman')")
    await one.button("Leave the line").click()
    await expect(strip(one)).to_contain_text("You have left the line.")
    await one.button("Ask again").click()
    await expect(strip(one)).to_contain_text("number 2 in line")


async def _tab_to(ana: Visitor, one: Locator) -> None:
    for _ in range(20):
        await ana.page.keyboard.press("Tab")
        if await one.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError("It cannot be reached with the keyboard.")


async def _has_form(ana: Visitor) -> bool:
    """Whether the panel that was open before a reload shows the form again."""
    frames = [frame for frame in ana.page.frames if "/widget/frame/" in frame.url]
    return bool(frames) and await frames[0].get_by_label("Your message").count() == 1


async def _fits(ana: Visitor) -> None:
    wide = """[...document.querySelectorAll('body *')].filter((one) =>
      one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML)"""
    assert await ana.frame.evaluate(f"[document.documentElement.scrollWidth - innerWidth, {wide}]") == [0, []]
