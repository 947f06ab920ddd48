"""The widget as a guest on a page: it brings one name, leaves no trace, and can be used by everybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.test_hostile_words import PAYLOADS
from tests.browser.visitor import Site, Visit, Visitor, open_site, site, visitor
from tests.desk.conftest import KEY, Template
from tests.journeys.shop import until
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline_web.simulator import KEY as PUBLIC_KEY

__all__ = ["site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RUN = "axe.run(document, {resultTypes: ['violations']})"
NAMES = "Object.getOwnPropertyNames(window)"
NARROW = {"width": 320, "height": 640}
SECRET = "identity-secret-for-tests-000001"


async def test_the_page_gets_one_name_and_no_other(site: Site, visitor: Visit) -> None:
    bare = await visitor(site)
    await bare.page.route("**/widget/loader.js*", lambda route: route.abort())
    await bare.page.goto(f"{site.address}/")
    before = set(await bare.page.evaluate(NAMES))
    ana = await (await (await visitor(site)).arrive()).open()
    assert set(await ana.page.evaluate(NAMES)) - before == {"Trunkline"}


async def test_nothing_is_loaded_kept_or_connected_before_it_is_opened(site: Site, visitor: Visit) -> None:
    ana = await visitor(site)
    asked: list[str] = []
    ana.page.on("request", lambda request: asked.append(request.url))
    await ana.arrive()
    await until(lambda: _has_launcher(ana))
    assert [url for url in asked if url.startswith(site.shop.address)] == [
        f"{site.shop.address}/widget/loader.js?key={PUBLIC_KEY}"
    ]
    assert await ana.page.context.cookies() == []
    assert await ana.page.evaluate("localStorage.length") == 0


async def test_after_stop_nothing_is_left(site: Site, visitor: Visit) -> None:
    ana = await visitor(site)
    await ana.page.add_init_script("window.__push = history.pushState")
    await (await ana.arrive()).open()
    assert len(ana.page.frames) == 2
    await ana.call("stop")
    await until(lambda: _is_alone(ana))
    assert await ana.page.evaluate("document.body.lastElementChild.localName") == "main"
    assert await ana.page.evaluate("history.pushState === window.__push && !document.documentElement.style.overflow")
    with pytest.raises(Exception, match='call "start" before "open"'):
        await ana.call("open")
    await ana.call("start")
    await ana.open()


async def test_calls_that_do_not_exist_say_so(site: Site, visitor: Visit) -> None:
    ana = await (await visitor(site)).arrive()
    with pytest.raises(Exception, match='there is no call "constructor"'):
        await ana.call("constructor")


async def test_the_page_hears_what_happens(site: Site, visitor: Visit) -> None:
    ana = await (await visitor(site)).arrive()
    await ana.page.evaluate(
        """() => {
          window.heard = []
          for (const name of ['open', 'close', 'unread', 'message'])
            Trunkline('on', name, (told) => heard.push([name, told]))
        }"""
    )
    await ana.open()
    await ana.say("Hello")
    await ana.sees("Hello")
    await ana.call("close")
    await site.answer("Good morning")
    await ana.until("heard.some(([name]) => name === 'message')")
    heard = await ana.page.evaluate("heard")
    assert [name for name, _ in heard if name in {"open", "close"}] == ["open", "close"]
    assert next(told["text"] for name, told in heard if name == "message") == "Good morning"
    assert heard[-1] == ["unread", 1]


@pytest.mark.parametrize("allowed", [True, False], ids=["listed", "not-listed"])
async def test_only_listed_sites_show_the_panel(
    tmp_path: Path, sqlite_template: Template, visitor: Visit, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    origins = ["{site}" if allowed else "https://other.example"]
    async with open_site(tmp_path, sqlite_template, origins=origins) as strict:
        ana = await (await visitor(strict)).arrive()
        if allowed:
            await ana.open()
            return
        await ana.page.evaluate("void Trunkline('open')")
        await until(lambda: _is_refused(ana))
        ana.faults.clear()
        await ana.page.close()


async def test_a_page_that_is_read_from_right_to_left(site: Site, visitor: Visit) -> None:
    site.web.attributes = 'lang="ar" dir="rtl"'
    ana = await (await (await visitor(site)).arrive()).open()
    assert await ana.frame.evaluate("document.documentElement.dir") == "rtl"
    await ana.say("مرحبا، هل الدراجة الحمراء موجودة؟")
    await ana.sees("مرحبا، هل الدراجة الحمراء موجودة؟")
    mine = await ana.said.first.bounding_box()
    panel = await (await ana.frame.frame_element()).bounding_box()
    assert mine is not None
    assert panel is not None
    assert panel["x"] == 20
    assert mine["x"] < panel["x"] + 60


async def test_on_a_narrow_screen_it_covers_the_page_and_nothing_is_cut_off(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site, viewport=NARROW)).arrive()).open()
    assert await (await ana.frame.frame_element()).bounding_box() == {"x": 0, "y": 0, **NARROW}
    await ana.box.fill("A word that is much longer than it should be: " + "x" * 300)
    await ana.button("Send").click()
    await expect(ana.frame.locator("[data-message]")).to_have_count(1)
    name = "a name that is far too long for a phone " * 3
    await ana.attach({"name": f"{name}.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    await expect(ana.frame.locator(".tray li")).to_be_visible()
    wide = """[...document.querySelectorAll('body *')].filter(
      (one) => one.getBoundingClientRect().right > 321).map((one) => one.outerHTML)"""
    assert await ana.frame.evaluate(f"[document.documentElement.scrollWidth, {wide}]") == [320, []]
    small = """[...document.querySelectorAll('button, a, textarea')].filter((one) => {
      const box = one.getBoundingClientRect()
      return one.className !== 'skip' && (box.width < 24 || box.height < 24)
    }).map((one) => one.outerHTML)"""
    assert await ana.frame.evaluate(small) == []
    assert (await site.thread())["channel"] == "web_mobile"


async def test_everything_can_be_done_with_the_keyboard(site: Site, visitor: Visit) -> None:
    ana = await (await visitor(site)).arrive()
    await until(lambda: _has_launcher(ana))
    before = await ana.launcher()
    assert (before["name"], before["expanded"]) == ("Open chat", False)
    await _tab_to_launcher(ana)
    await ana.page.keyboard.press("Enter")
    await until(lambda: _has_frame(ana))
    await expect(ana.box).to_be_focused()
    assert (await ana.launcher())["expanded"] is True
    await ana.page.keyboard.type("By keyboard")
    await ana.page.keyboard.press("Shift+Enter")
    await ana.page.keyboard.type("two lines")
    await ana.page.keyboard.press("Enter")
    await ana.sees("By keyboard\ntwo lines")
    await ana.page.keyboard.press("Escape")
    await until(lambda: _is_closed(ana))
    assert (await ana.launcher())["focused"] is True


async def test_a_sheet_keeps_the_focus_inside(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site, viewport=NARROW)).arrive()).open()
    await expect(ana.box).to_be_focused()
    for _ in range(12):
        await ana.page.keyboard.press("Tab")
        assert await ana.page.evaluate("document.activeElement !== document.body")
        assert await ana.frame.evaluate("document.activeElement !== document.body")
    await expect(ana.frame.get_by_role("dialog")).to_have_attribute("aria-modal", "true")


async def test_a_screen_reader_meets_everything_in_order(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("Which sizes?")
    await ana.sees("Which sizes?")
    await site.answer("Large or small", quick_replies=[{"title": "Large"}, {"title": "Small"}])
    await expect(ana.button("Large")).to_be_visible()
    tree = await ana.frame.locator("body").aria_snapshot()
    order = [
        'dialog "Kettle & Spoke"',
        'link "To the message box"',
        'heading "Ada" [level=1]',
        'button "Close chat"',
        'log "Conversation"',
        "text: You",
        "Which sizes?",
        "text: Ada",
        "Large or small",
        'button "Large"',
        'button "Small"',
        "Ada: Large or small",
        'button "Attach a file"',
        'textbox "Write a message"',
        'button "Send"',
    ]
    places = [tree.find(words) for words in order]
    assert -1 not in places, tree
    assert places == sorted(places), tree


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, NARROW], ids=["1280", "320"])
async def test_axe_finds_nothing(site: Site, visitor: Visit, theme: str, size: dict[str, int]) -> None:
    ana = await (await (await visitor(site, viewport=size, color_scheme=theme)).arrive()).open()
    await _check(ana, "empty")
    await ana.say("Look: https://shop.example/bicycles")
    await ana.attach({"name": "cup.jpg", "mimeType": "image/jpeg", "buffer": picture("cup")})
    await ana.button("Send").click()
    await expect(ana.frame.locator("[data-message] img")).to_be_visible()
    thread_id = (await site.thread())["id"]
    await site.send_file(thread_id, "invoice.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")
    await site.answer("Large or small", quick_replies=[{"title": "Large"}, {"title": "Small"}])
    await expect(ana.button("Large")).to_be_visible()
    await _check(ana, "conversation")
    answer = {"status": 422, "json": {"error": {"code": "unsupported_kind", "message": "no"}}}
    await ana.page.route("**/threads/live/messages", lambda route: route.fulfill(**answer))
    await ana.say("Refused")
    await expect(ana.button("Try again")).to_be_visible()
    await ana.box.fill("x" * 10_001)
    await _check(ana, "refused")


@pytest.mark.parametrize(
    ("locale", "words"),
    [("pl-PL", "Napisz wiadomość"), ("zh-CN", "输入消息"), ("zh-TW", "輸入訊息"), ("fr", "Write a message")],
)
async def test_it_speaks_the_language_of_the_page(site: Site, visitor: Visit, locale: str, words: str) -> None:
    site.web.attributes = f'lang="{locale}"'
    ana = await (await (await visitor(site)).arrive()).open()
    await expect(ana.box).to_have_attribute("aria-label", words)
    await ana.call("setLocale", "en")
    await expect(ana.box).to_have_attribute("aria-label", "Write a message")


async def test_where_files_are_switched_off_there_is_no_button_and_none_is_taken(
    tmp_path: Path, sqlite_template: Template, visitor: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    async with open_site(tmp_path, sqlite_template, uploads=False) as plain:
        ana = await (await (await visitor(plain)).arrive()).open()
        await expect(ana.button("Send")).to_be_visible()
        await expect(ana.button("Attach a file")).to_have_count(0)
        with pytest.raises(ValueError, match="not taken"):
            await plain.web.act(plain.web.add_customer("Bo"), Action(kind="image"))


async def test_sec_34_hostile_words_stay_words_in_the_widget(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    for payload in PAYLOADS[:7]:
        await ana.say(payload)
    await ana.sees(*PAYLOADS[:7])
    for payload in PAYLOADS[7:]:
        await site.answer(payload)
    await ana.sees(*PAYLOADS)
    await site.send_file((await site.thread())["id"], f"{PAYLOADS[1]}.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")
    await expect(ana.said).to_have_count(len(PAYLOADS) + 1)
    links = await ana.frame.locator("a:not(.skip)").evaluate_all("all => all.map((one) => one.href)")
    assert [link for link in links if not link.startswith(("https://", f"{site.shop.address}/client/v1/files/"))] == []
    assert await ana.frame.locator("ol :is(script, iframe, style, svg[onload])").count() == 0
    assert await ana.verdict() == []


@pytest.mark.parametrize(
    "payload",
    ['"><img src=x onerror=window.__hit=1>', "red;background:url(//evil.example)", "javascript:window.__hit=1"],
)
async def test_sec_40_what_the_page_says_of_the_widget_is_no_code(site: Site, visitor: Visit, payload: str) -> None:
    ana = await visitor(site)
    await ana.page.goto(f"{site.address}/shop/shop.css")
    await ana.page.evaluate(
        """([src, payload]) => {
          const script = document.createElement('script')
          script.src = src
          for (const name of ['locale', 'accent', 'mode', 'position', 'layer', 'domain']) script.dataset[name] = payload
          document.body.append(script)
        }""",
        [f"{site.shop.address}/widget/loader.js?key={PUBLIC_KEY}", payload],
    )
    await ana.until("!!window.Trunkline?.v")
    await ana.open()
    await ana.call("setTheme", {"accent": payload, "mode": payload})
    await ana.say("Still there")
    await ana.sees("Still there")
    assert await ana.verdict() == []


# ---------------------------------------------------------------- how it is looked at


async def _check(ana: Visitor, where: str) -> None:
    await ana.frame.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = (await ana.frame.evaluate(RUN))["violations"]
    told = {one["id"]: [node["target"] for node in one["nodes"]] for one in found}
    details = [node["failureSummary"] for one in found for node in one["nodes"]][:3]
    assert told == {}, f"{where}: {json.dumps(told)}\n" + "\n".join(details)


async def _has_launcher(ana: Visitor) -> bool:
    try:
        return bool(await ana.launcher())
    except ValueError:
        return False


async def _has_frame(ana: Visitor) -> bool:
    return any("/widget/frame/" in frame.url for frame in ana.page.frames)


async def _is_alone(ana: Visitor) -> bool:
    return len(ana.page.frames) == 1


async def _is_closed(ana: Visitor) -> bool:
    return (await ana.launcher())["expanded"] is False


async def _is_refused(ana: Visitor) -> bool:
    return any("frame-ancestors" in fault for fault in ana.faults)


async def _tab_to_launcher(ana: Visitor) -> None:
    for _ in range(20):
        await ana.page.keyboard.press("Tab")
        if (await ana.launcher()).get("focused"):
            return
    raise AssertionError("The launcher cannot be reached with the keyboard.")
