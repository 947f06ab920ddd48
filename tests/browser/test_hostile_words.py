"""What customers write is words, whatever it looks like: nothing runs, nothing is fetched, nothing is reported."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Enter
from tests.browser.screen import words
from tests.journeys.shop import Shop, until
from trunkline_line.simulator import Customer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Forty of the corpus: what ran in inboxes of others, and what ran through their cleaning. None holds a quote of its
#: own kind, so that all can be written anywhere.
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
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script src=//evil.example/x.js></script>",
    "<scr<script>ipt>window.__hit=1</scr</script>ipt>",
    "<img src=1 href=1 onerror='window.__hit=1'></img>",
    "<img src=`x` onerror=window.__hit=1>",
    "<img/src='x'onerror=window.__hit=1>",
    "<input autofocus onfocus=window.__hit=1>",
    "<select autofocus onfocus=window.__hit=1><option>x</select>",
    "<body onload=window.__hit=1>",
    "<marquee onstart=window.__hit=1>x</marquee>",
    "<video><source onerror=window.__hit=1></video>",
    "<audio src=x onerror=window.__hit=1></audio>",
    "<object data=javascript:window.__hit=1></object><embed src=//evil.example/x.swf>",
    "<form action=javascript:window.__hit=1><button autofocus>x</button></form>",
    "<base href=//evil.example/><meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<svg><animate onbegin=window.__hit=1 attributeName=x dur=1s></svg>",
    "<svg><use href='data:image/svg+xml,<svg onload=alert(1)>#x'></use></svg>",
    "<svg><a xlink:href=javascript:window.__hit=1><text y=20>x</text></a></svg>",
    "<noscript><p title='</noscript><img src=x onerror=window.__hit=1>'>",
    "<textarea></textarea><img src=x onerror=window.__hit=1>",
    "</title></style></textarea></script><svg onload=window.__hit=1>",
    "<x style=animation-name:turn onanimationstart=window.__hit=1>",
    "<div style=background:url(//evil.example/b.png);position:fixed;inset:0>x</div>",
    "&lt;img src=x onerror=window.__hit=1&gt; &#60;svg onload=window.__hit=1&#62;",
    "data:text/html,<script>window.__hit=1</script> vbscript:window.__hit=1",
    "<img srcset='//evil.example/1.png 1x' ping=//evil.example/p><a ping=//evil.example/p href=//evil.example>x</a>",
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
    await expect(screen.page.locator(".side .event").first).to_be_visible()
    assert await screen.verdict() == []


async def test_hostile_words_that_are_found_are_words(shop: Shop, enter: Enter) -> None:
    for number, payload in enumerate(PAYLOADS):
        await shop.line.customer(f"needle {payload}").text(f"needle {number:02} {payload}")
    screen = await enter(shop)
    await until(lambda: _found(shop, len(PAYLOADS)))
    await screen.visit("/inbox/search?q=needle")
    page = screen.page
    found = page.locator("a[data-found]")
    await expect(found.first).to_be_visible()
    await expect(page.locator("a[data-found] mark").first).to_have_text("needle")
    more = screen.button("action.more")
    while await more.count():
        before = await found.count()
        await more.click()
        await expect(found.nth(before)).to_be_visible()
    for number, payload in enumerate(PAYLOADS):
        await expect(found.filter(has_text=f"needle {number:02} {payload}")).to_have_count(1)
    assert await found.locator(":is(img[src], script, iframe, style, svg[onload], input, form)").count() == 0
    await page.keyboard.press("Control+k")
    await page.get_by_role("combobox").fill(PAYLOADS[1])
    await expect(page.get_by_role("listbox").get_by_role("option").last).to_contain_text(PAYLOADS[1])
    assert await screen.verdict() == []


async def _found(shop: Shop, number: int) -> bool:
    page = await shop.ada.get("/search?q=needle&limit=100")
    return len(page["messages"]) == number and len(page["contacts"]) > 0


async def test_hostile_canned_replies_agents_and_titles_are_words(shop: Shop, enter: Enter) -> None:
    await shop.line.customer("Mei").text("Hello")
    for number, payload in enumerate(PAYLOADS):
        await shop.ada.post("/canned-replies", {"shortcut": f"x{number:02}", "title": payload, "text": payload})
        agent = {"email": f"a{number:02}@shop.example", "name": payload, "role": "agent"}
        await shop.ada.post("/agents", agent)
    screen = await (await enter(shop)).visit("/inbox/settings/canned")
    page = screen.page
    await expect(page.locator(".reply")).to_have_count(len(PAYLOADS))
    await screen.visit("/inbox/settings/agents")
    await expect(page.locator(".agent").nth(len(PAYLOADS))).to_be_visible()
    await screen.visit()
    await screen.open_thread("Mei")
    for payload in PAYLOADS[:8]:
        await screen.box.fill("")
        await screen.box.press_sequentially("/x" + f"{PAYLOADS.index(payload):02}")
        await expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(1)
        await page.keyboard.press("Enter")
        await expect(screen.box).to_have_value(payload)
    await screen.box.fill("")
    await screen.button("thread.unassigned").click()
    await expect(page.get_by_role("menuitem").nth(len(PAYLOADS))).to_be_attached()
    assert await screen.verdict() == []


async def test_hostile_words_beside_the_thread_and_in_notifications_are_words(shop: Shop, enter: Enter) -> None:
    screen = await enter(shop)
    page = screen.page
    await page.add_init_script(NOTIFIED)
    await screen.visit()
    await expect(page.get_by_text(words("list.emptyAll"))).to_be_visible()
    for payload in PAYLOADS:
        await shop.line.customer(payload).text(payload)
    await until(lambda: page.evaluate("many => window.__told.length === many", len(PAYLOADS)))
    told = await page.evaluate("window.__told")
    assert sorted(one[1] for one in told) == sorted(PAYLOADS)
    for payload in PAYLOADS[::5]:
        thread = await shop.thread_of(shop.line.customer(payload))
        await screen.visit(f"/inbox/threads/{thread['id']}")
        await expect(screen.messages).to_have_count(1)
        await page.keyboard.press("c")
        await expect(page.get_by_role("complementary").locator(".profile strong")).to_have_text(payload)
        await page.keyboard.press("c")
    assert await screen.verdict() == []


#: The browser's own notifications, told to the test instead of to a desktop.
NOTIFIED = """
window.__told = []
window.Notification = class {
  static permission = 'granted'
  constructor(title, options) { window.__told.push([title, options.body]) }
}
document.hasFocus = () => false
localStorage.setItem('trunkline.habits', JSON.stringify({ notify: true, undo: false }))
"""


async def test_a_hostile_raw_request_is_shown_as_text_in_the_quarantine(shop: Shop, enter: Enter) -> None:
    for payload in PAYLOADS:
        await shop.knock(b'{"events":"' + payload.replace('"', "'").encode() + b'"}')
    screen = await (await enter(shop)).visit("/inbox/quarantine")
    letters = screen.page.locator("[data-letter]")
    await expect(letters).to_have_count(len(PAYLOADS))
    for number in (0, len(PAYLOADS) - 1):
        await letters.nth(number).click()
        await expect(screen.page.locator("aside.sheet pre")).to_contain_text("events")
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


async def test_sec_37_an_uploaded_script_runs_in_no_page_of_ours(shop: Shop, enter: Enter) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    script = {"headers": {"Content-Type": "text/javascript"}, "data": b"window.__hit = 1"}
    media = (await shop.ada.call("POST", "/media?name=run.js", **script)).json
    await shop.ada.post(f"/threads/{thread['id']}/messages", {"attachments": [media["id"]]})
    address = await until(lambda: _address(mei))
    screen = await (await enter(shop)).visit()
    ran = await screen.page.evaluate(RUN, address)
    assert ran == "refused"
    assert "hit" not in await screen.verdict()
    # The policy was broken on purpose: its reports are none of the faults that end every test.
    screen.faults.clear()
    await screen.page.evaluate("window.__violations = []")


#: Adds a script to the page as an attacker would, and says what became of it.
RUN = """address => new Promise((tell) => {
    const script = document.createElement('script')
    script.onload = () => tell('loaded')
    script.onerror = () => tell('refused')
    try { script.src = address } catch { return tell('refused') }
    document.head.append(script)
})"""


async def _address(mei: Customer) -> str | None:
    """Return the public address of the file that they were sent."""
    found = re.search(r'https?://[^"]+/media/[^"]+', json.dumps([said.message for said in mei.sees]))
    return None if found is None else found[0]
