"""What customers write is words, whatever it looks like: nothing runs, nothing is fetched, nothing is reported."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.journeys.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAYLOADS = (
    "<script>window.__hit=1</script>",
    "<img src=x onerror=window.__hit=1>",
    "<svg/onload=window.__hit=1>",
    '"><iframe srcdoc="<script>parent.__hit=1</script>">',
    "<a href=javascript:window.__hit=1>press</a>",
    "javascript:window.__hit=1//https://shop.example/",
    "{{constructor.constructor('window.__hit=1')()}}",
    "${window.__hit=1}",
    "<details open ontoggle=window.__hit=1>",
    "<style>@import'//evil.example/x.css'</style><link rel=stylesheet href=//evil.example/x>",
    "<math><mtext></p><img src=x onerror=window.__hit=1>",
    "<template><img src=//evil.example/x.png></template><video src=//evil.example/x poster=//evil.example/p>",
    "\u202egnp.exe<img src=x onerror=alert(1)>",
    "[x](javascript:window.__hit=1) https://evil.example/<img/src=//evil.example/x>",
)


async def test_hostile_messages_are_shown_as_they_were_written(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    for payload in PAYLOADS:
        await mei.text(payload)
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await screen.sees(*PAYLOADS)
    links = await screen.page.locator("[data-message] a").evaluate_all("all => all.map((one) => one.href)")
    assert [link for link in links if not link.startswith("https://")] == []
    assert await screen.page.locator("[data-message] :is(script, iframe, style, svg[onload])").count() == 0
    assert await screen.verdict() == []


async def test_hostile_names_files_places_and_choices_are_words(shop: Shop, enter: Enter) -> None:
    screen = await (await enter(shop)).visit()
    for number, payload in enumerate(PAYLOADS):
        customer = shop.line.customer(payload)
        await customer.file(f"{payload}.pdf")
        await customer.location(1.0, 2.0, title=payload, address=payload)
        await customer.sticker(keywords=(payload,))
        await customer.postback(payload)
        await customer.text(f"Number {number:02}")
    for number, payload in enumerate(PAYLOADS):
        row = screen.row(f"Number {number:02}")
        await expect(row.locator(".name")).to_have_text(payload)
        await row.click()
        await expect(screen.page.get_by_role("heading", name=payload)).to_be_visible()
        await expect(screen.messages).to_have_count(5)
        assert await screen.verdict() == []


async def test_hostile_answers_notes_and_quick_replies_are_words(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    for payload in PAYLOADS:
        offer = {"title": payload[:20], "data": payload}
        await shop.reply(thread["id"], payload, quick_replies=[offer])
        await shop.ada.post(f"/threads/{thread['id']}/notes", {"text": payload})
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await screen.sees("Hello", *PAYLOADS)
    await screen.page.keyboard.press("h")
    await expect(screen.page.locator(".history .event").first).to_be_visible()
    assert await screen.verdict() == []


async def test_a_hostile_raw_request_is_shown_as_text_in_the_quarantine(shop: Shop, enter: Enter) -> None:
    for payload in PAYLOADS:
        await shop.knock(b'{"events":"' + payload.replace('"', "'").encode() + b'"}')
    screen = await (await enter(shop)).visit("/inbox/quarantine")
    await expect(screen.button("quarantine.leaveOut")).to_have_count(len(PAYLOADS))
    assert await screen.verdict() == []


async def test_a_page_of_a_hostile_file_is_never_opened_in_our_name(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.file("page.html", b"<!doctype html><script>window.__hit=1;fetch('/api/v1/me')</script>")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    async with screen.page.expect_download():
        await screen.message("page.html").get_by_role("button").first.click()
    assert await screen.verdict() == []


async def test_what_is_pasted_or_dropped_with_markup_becomes_plain_text(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    screen = await (await enter(shop)).visit()
    await screen.open_thread("Mei")
    await screen.box.evaluate(
        """(box) => {
          const data = new DataTransfer()
          data.setData('text/html', '<img src=x onerror=window.__hit=1>')
          data.setData('text/plain', 'plain')
          box.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
          document.querySelector('.thread-view').dispatchEvent(
            new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
        }"""
    )
    await expect(screen.page.get_by_role("list", name=words("attach.label"))).to_be_hidden()
    assert await screen.verdict() == []


async def test_no_other_page_may_hold_the_inbox_in_a_frame(shop: Shop, enter: Enter) -> None:
    screen = await enter(shop)
    response = await screen.page.goto(f"{shop.address}/inbox/threads")
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy.replace("'wasm-unsafe-eval'", "")
