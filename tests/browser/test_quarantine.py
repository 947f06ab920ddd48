"""Dead letters on the screen: found, looked at, tried again, deleted, and true while the page is open."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Enter
from tests.browser.screen import PHONE, words
from tests.journeys.shop import Shop
from trunkline.testing.faults import Fault

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def refused(shop: Shop, text: str) -> str:
    """Let the platform refuse a reply for good, and return its thread."""
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = str((await shop.thread_of(mei))["id"])
    shop.line.fail(
        Fault(do="answer", path="/v2/bot/message/*", method="POST", status=400, body='{"message":"It is too sad."}')
    )
    await shop.until_state(await shop.reply(thread, text), "failed")
    return thread


async def test_an_operator_looks_deletes_and_misses_nothing_meanwhile(shop: Shop, enter: Enter) -> None:
    await shop.knock(b'{"events":7,"replyToken":"canary"}')
    screen = await (await enter(shop)).visit("/inbox/quarantine")
    letters = screen.page.locator("[data-letter]")
    await expect(letters).to_have_count(1)
    # What dies while somebody looks waits behind a button, so that nothing jumps away under the hand.
    await shop.knock(b'{"events":"<img src=x onerror=window.__hit=1>"}')
    await screen.button("quarantine.news").click()
    await expect(letters).to_have_count(2)
    await letters.last.focus()
    await screen.page.keyboard.press("Enter")
    sheet = screen.page.locator("aside.sheet")
    await expect(sheet.locator("pre")).to_have_text('{"events":7,"replyToken":"***"}')
    await screen.page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)
    await expect(letters.last).to_be_focused()
    await letters.first.click()
    await expect(sheet.locator("pre")).to_contain_text("<img src=x onerror")
    await screen.button("quarantine.delete").click()
    await screen.page.get_by_label(words("quarantine.deleteReason")).fill("Asked to forget")
    await sheet.get_by_role("button", name=words("action.delete"), exact=True).click()
    await expect(letters).to_have_count(1)


async def test_what_matches_is_exported_and_what_matches_nothing_says_so(
    shop: Shop, enter: Enter, tmp_path: Path
) -> None:
    for number in range(2):
        await shop.knock(b'{"events":%d,"replyToken":"canary"}' % number)
    screen = await (await enter(shop)).visit("/inbox/quarantine?reason=unreadable")
    letters = screen.page.locator("[data-letter]")
    await expect(letters).to_have_count(2)
    async with screen.page.expect_download() as download:
        await screen.button("quarantine.export").click()
    saved = tmp_path / "letters.jsonl"
    await (await download.value).save_as(saved)
    assert "canary" not in saved.read_text()
    assert len([json.loads(line) for line in saved.read_text().splitlines()]) == 2
    await screen.page.get_by_label(words("quarantine.reason")).select_option("unknown_kind")
    await expect(screen.page.get_by_text(words("quarantine.noMatch"))).to_be_visible()
    await screen.button("quarantine.clear").first.click()
    await expect(letters).to_have_count(2)


async def test_all_that_match_are_sent_again_after_their_number_was_said(shop: Shop, enter: Enter) -> None:
    thread = await refused(shop, "This one fails")
    screen = await (await enter(shop, viewport=PHONE)).visit("/inbox/quarantine?kind=sent")
    letters = screen.page.locator("[data-letter]")
    await letters.first.click()
    sheet = screen.page.locator("aside.sheet")
    await expect(sheet.get_by_text("It is too sad.").first).to_be_visible()
    await expect(sheet.get_by_role("link", name=words("quarantine.toThread"))).to_have_attribute(
        "href", re.compile(thread)
    )
    await screen.page.keyboard.press("Escape")
    await screen.button("quarantine.retryAllShort").click()
    await expect(screen.page.get_by_text(words("quarantine.matching", n="1").split(" | ")[0])).to_be_visible()
    await screen.page.get_by_role("button", name=words("quarantine.retryThese").split(" | ")[0]).click()
    await expect(
        screen.page.get_by_text(words("quarantine.progressSent", tried="1", all="1", done="1", failed="0"))
    ).to_be_visible()
    await screen.page.keyboard.press("Escape")
    await expect(screen.page.get_by_text(words("quarantine.emptySentHint"))).to_be_visible()
