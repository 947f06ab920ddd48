"""What is told beside the words (pages, attributes, links, cards, people, templates) is words too, on both ends."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.browser.test_customer_panel import panel, section
from tests.browser.test_hostile_words import PAYLOADS
from tests.browser.test_rich_replies import Fair, clock, fair, opened
from tests.browser.visitor import Site, Visit, site, visitor
from tests.desk.conftest import open_desk, settings_file
from tests.desk.rich import FAIR
from trunkline_web.simulator import KEY as PUBLIC_KEY

__all__ = ["clock", "fair", "open_desk", "settings_file", "site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HALF = len(PAYLOADS) // 2
#: Elements that no message, fact or card of ours is made of.
FOREIGN = ":is(script, iframe, style, object, embed, base, form, video, audio, svg[onload], img[onerror], [srcdoc])"
Json = dict[str, Any]


async def leads_nowhere(place: Locator) -> None:
    """Every link below opens a page of the web, and nothing stands there that is not ours."""
    links = await place.locator("a").evaluate_all("all => all.map((one) => [one.protocol, one.rel])")
    assert [one for one in links if one[0] != "https:" or "noopener" not in one[1]] == []
    assert await place.locator(FOREIGN).count() == 0


class Stranger:
    """A visitor with a client of their own: it sends what a widget never would."""

    def __init__(self, site: Site, session: aiohttp.ClientSession) -> None:
        self._site, self._session = site, session
        self._headers = {"X-Inbox-Key": PUBLIC_KEY, "X-SDK-Platform": "web"}

    async def call(self, method: str, path: str, body: Json) -> Json:
        url = f"{self._site.shop.address}/client/v1/{path}"
        async with self._session.request(method, url, json=body, headers=self._headers) as response:
            assert response.status < 300, await response.text()
            return dict(await response.json()) if response.status != 204 else {}

    async def arrive(self) -> None:
        token = (await self.call("POST", "tokens", {}))["token"]
        self._headers["Authorization"] = f"Bearer {token}"
        said = {"client_id": str(uuid.uuid4()), "kind": "text", "text": "Hello"}
        await self.call("POST", "threads/live/messages", said)


async def test_sec_34_hostile_pages_and_attributes_of_a_visitor_are_words(site: Site, enter: Enter) -> None:
    first, second = PAYLOADS[:HALF], PAYLOADS[HALF:]
    async with aiohttp.ClientSession() as session:
        stranger = Stranger(site, session)
        await stranger.arrive()
        ada = await panel(await enter(site.shop), site)
        pages = [{"url": f"https://evil.example/{two}", "title": one} for one, two in zip(first, second, strict=True)]
        await stranger.call("POST", "context", {"views": pages, "referrer": f"https://evil.example/{PAYLOADS[1]}"})
        visits = section(ada, "customer.visits").get_by_role("listitem")
        await expect(visits.get_by_role("link")).to_have_text([*reversed(first)])
        await expect(section(ada, "customer.origin")).to_contain_text(PAYLOADS[1])
        screens = [{"screen": one, "title": two} for one, two in zip(first, second, strict=True)]
        await stranger.call("POST", "context", {"views": screens})
        await expect(visits.locator(".row .cut")).to_have_text([*reversed(second)])
        await expect(visits.locator(".code")).to_have_text([*reversed(first)])
        await stranger.call("PATCH", "me", {"name": PAYLOADS[1], "attributes": {one: one for one in PAYLOADS}})
        facts = section(ada, "customer.attributes")
        await expect(facts.locator("dt")).to_have_text([words("customer.fact.name"), *PAYLOADS])
        await expect(facts.locator("dd")).to_have_text([PAYLOADS[1], *PAYLOADS])
        await leads_nowhere(ada.page.get_by_role("complementary"))
        assert await ada.verdict() == []


async def test_sec_34_hostile_links_cards_people_and_templates_are_words(fair: Fair, enter: Enter) -> None:
    cards = [
        {"title": one, "text": one, "buttons": [{"title": one, "url": one}, {"title": one, "data": one}]}
        for one in PAYLOADS
    ]
    people = [{"name": one, "phones": [one], "emails": [one], "organization": one} for one in PAYLOADS]
    contents = [
        *({"type": "link", "url": one, "title": one, "text": one} for one in PAYLOADS),
        {"type": "carousel", "cards": cards},
        {"type": "contacts", "people": people},
        {"type": "template", "name": PAYLOADS[1], "language": "en", "variables": {one: one for one in PAYLOADS}},
        {"type": "unsupported", "platform_kind": PAYLOADS[1], "note": PAYLOADS[0]},
    ]
    events = [
        {"id": f"h{n}", "from": "mei", "name": "Mei", "text": "", "content": one} for n, one in enumerate(contents)
    ]
    await fair.desk.platform({"events": events}, account=FAIR)
    screen = await opened(fair, enter)
    seen = screen.messages
    await expect(seen).to_have_count(1 + len(contents))
    await expect(seen.locator(".link .title")).to_have_text(list(PAYLOADS))
    await expect(seen.locator(".link .text")).to_have_text(list(PAYLOADS))
    await expect(seen.locator(".card .title")).to_have_text(list(PAYLOADS))
    await expect(seen.locator(".card li")).to_have_text([one for one in PAYLOADS for _ in range(2)])
    await expect(seen.locator(".people .main")).to_have_text(list(PAYLOADS))
    await expect(seen.locator(".variables dd")).to_have_text(list(PAYLOADS))
    await leads_nowhere(seen.locator(".bubble"))
    assert await screen.verdict() == []


async def test_sec_34_hostile_cards_and_places_are_words_in_the_widget(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("Which ones?")
    await ana.sees("Which ones?")
    thread = (await site.thread())["id"]
    cards = [
        {
            "title": one,
            "text": one,
            "buttons": [
                {"title": one[:80], "url": f"https://evil.example/?{quote(one)}"},
                {"title": one[:80], "data": one},
            ],
        }
        for one in PAYLOADS
    ]
    for start in range(0, len(cards), 10):
        content = {"type": "carousel", "cards": cards[start : start + 10]}
        await site.shop.ada.post(f"/threads/{thread}/messages", {"content": content})
    for payload in PAYLOADS[:3]:
        place = {"type": "location", "latitude": 1.0, "longitude": 2.0, "title": payload, "address": payload}
        await site.shop.ada.post(f"/threads/{thread}/messages", {"content": place})
    shown = ana.frame.locator(".card")
    await expect(shown.locator("strong")).to_have_text(list(PAYLOADS))
    await expect(shown.locator("p")).to_have_text(list(PAYLOADS))
    await expect(shown.locator("button")).to_have_text([one[:80] for one in PAYLOADS])
    await expect(ana.frame.locator(".is-location .bubble")).to_have_text([f"{one}, {one}" for one in PAYLOADS[:3]])
    await leads_nowhere(ana.log.locator(".bubble"))
    await shown.locator("button").nth(1).click()
    await expect(ana.said.last).to_contain_text(PAYLOADS[1])
    await expect(ana.frame.locator("[data-unsent]")).to_have_count(0)
    assert await ana.verdict() == []
