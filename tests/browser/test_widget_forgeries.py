"""Words that others put into the mouth of the page or the frame: none is heard, and the right ones still are."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.visitor import Site, Visit, Visitor, site, visitor
from trunkline_web.simulator import KEY as PUBLIC_KEY

__all__ = ["site", "visitor"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: What the loader says first.
HELLO: dict[str, Any] = {
    "trunkline": 1,
    "token": None,
    "locale": "en",
    "dir": "ltr",
    "form": "desktop",
    "look": {"mode": "auto"},
    "open": False,
    "kept": {},
    "seen": {"views": []},
}
#: From the right window, but no greeting.
NO_HELLO: list[Any] = [
    *(None, 0, 1, "", "trunkline", True, [], [1], {}),
    *({**HELLO, "trunkline": odd} for odd in (None, 0, 2, "1", [1], {"1": 1}, True)),
    *({"t": name} for name in ("hello", "show", "token", "view", "look", "call", "stop", "__proto__", "constructor")),
]
#: What the page or the frame would say through their port.
WORDS: list[dict[str, Any]] = [
    {"t": "token", "token": "vt_" + "e" * 43},
    {"t": "token", "token": None},
    {"t": "renew", "dead": ""},
    {"t": "close"},
    {"t": "stop"},
    {"t": "keep", "name": "draft", "text": "forged"},
    {"t": "unread", "count": 99},
    {"t": "event", "name": "message", "detail": "forged"},
    {"t": "result", "id": 1, "value": "forged"},
    {"t": "visited"},
    {"t": "show", "open": False, "sheet": True, "focus": True},
    {"t": "look", "look": {"accent": "#000000"}},
    {"t": "locale", "locale": "pl", "dir": "rtl"},
    {"t": "call", "id": 7, "name": "logout"},
]

#: Makes a frame for a page and keeps what its ports hear.
MAKE = """async ([address, page]) => {
  const [frame, stranger] = ['iframe', 'iframe'].map((name) => document.createElement(name))
  const loaded = new Promise((done) => { frame.onload = done })
  frame.src = `${address}#${encodeURIComponent(page || location.origin)}`
  document.documentElement.append(frame, stranger)
  await loaded
  const heard = []
  const ear = (name, done = () => {}) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => done(heard.push(name))
    return port2
  }
  Object.assign(window, { frame, stranger, heard, ear })
}"""
#: Greets as nobody may: with odd words, and from a window that is not the one around the frame.
FORGE = """([hello, noHello]) => {
  const target = frame.contentWindow
  const told = stranger.contentWindow.Function('target', 'word', 'port', "target.postMessage(word, '*', [port])")
  for (const word of noHello) target.postMessage(word, '*', [ear('no greeting')])
  for (let turn = 0; turn < 20; turn += 1) told(target, hello, ear('a stranger'))
  target.postMessage(hello, '*')
}"""
#: Greets as the page does; returns who was answered, as soon as this one is.
GREET = """(hello) => new Promise((done) => {
  frame.contentWindow.postMessage(hello, '*', [ear('the page', () => done(heard))])
})"""
COUNT = "window.got = 0, addEventListener('message', () => { window.got += 1 })"
#: What the page of the address would have the frame hear, if it were around it.
AS_NAMED = """([hello, origin]) => new Promise((done) => {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => done('heard')
  dispatchEvent(new MessageEvent('message', { data: hello, source: parent, origin, ports: [port2] }))
})"""


async def framed(ana: Visitor, page: str = "") -> Visitor:
    """Bring somebody to a page of the site that has no policy, so that everything may be tried from it."""
    await ana.page.goto(f"{ana.site.address}/shop/shop.css")
    await ana.page.evaluate(MAKE, [f"{ana.site.shop.address}/widget/frame/{PUBLIC_KEY}", page])
    return ana


async def test_a_frame_hears_the_first_right_greeting_and_no_other(site: Site, visitor: Visit) -> None:
    ana = await framed(await visitor(site))
    await ana.page.evaluate(FORGE, [HELLO, NO_HELLO])
    # Had one of them been heard, nobody would be answered any more.
    assert await ana.page.evaluate(GREET, HELLO) == ["the page"]
    await ana.page.evaluate("hello => frame.contentWindow.postMessage(hello, '*', [ear('a second greeting')])", HELLO)
    await ana.frame.evaluate(COUNT)
    for word in WORDS:
        await ana.page.evaluate("word => frame.contentWindow.postMessage(word, '*')", word)
    await ana.frame.wait_for_function("count => window.got >= count", arg=len(WORDS))
    assert await ana.page.evaluate("heard.filter((name) => name !== 'the page')") == []


async def test_a_frame_that_was_made_for_another_page_hears_nothing_of_this_one(site: Site, visitor: Visit) -> None:
    ana = await framed(await visitor(site), "https://other.example")
    await ana.frame.evaluate(COUNT)
    await ana.page.evaluate(FORGE, [HELLO, NO_HELLO])
    await ana.page.evaluate("hello => frame.contentWindow.postMessage(hello, '*', [ear('this page')])", HELLO)
    await ana.frame.wait_for_function("count => window.got === count", arg=len(NO_HELLO) + 22)
    # It still waits for the page of its address: that one would be heard, so no other was.
    assert await ana.frame.evaluate(AS_NAMED, [HELLO, "https://other.example"]) == "heard"
    assert await ana.page.evaluate("heard") == []


async def test_words_to_the_page_from_anybody_but_the_port_change_nothing(site: Site, visitor: Visit) -> None:
    ana = await (await (await visitor(site)).arrive()).open()
    await ana.say("Hello")
    await ana.sees("Hello")
    before = await ana.page.evaluate("document.cookie")
    assert "occ_" in before
    for word in WORDS:
        await ana.page.evaluate("word => postMessage(word, '*')", word)
        await ana.frame.evaluate("word => parent.postMessage(word, '*')", word)
    # The page has heard them all when it hears this one.
    await ana.page.evaluate("() => new Promise((done) => { onmessage = done; postMessage('the end', '*') })")
    assert await ana.page.evaluate("document.cookie") == before
    assert await ana.page.evaluate("Trunkline('unreadCount')") == 0
    await expect(ana.box).to_be_visible()
    await ana.say("Still here")
    await ana.sees("Hello", "Still here")


async def test_sec_43_a_page_of_another_origin_opens_no_socket_in_a_browser(site: Site, visitor: Visit) -> None:
    """Neither the visitor's nor the agents': the browser itself says where it comes from."""
    ana = await visitor(site)
    await ana.page.goto(f"{site.address}/shop/shop.css")
    tried = """([address, protocol]) => new Promise((done) => {
      const socket = new WebSocket(address, protocol)
      socket.onopen = () => done('open')
      socket.onerror = () => done('refused')
    })"""
    address = site.shop.address.replace("http", "ws")
    sockets = [[f"{address}/client/v1/ws", "occ.v1"], [f"{address}/api/v1/stream?ticket=x", []]]
    assert [await ana.page.evaluate(tried, one) for one in sockets] == ["refused", "refused"]
    await ana.page.goto(f"{site.shop.address}/widget/frame/{PUBLIC_KEY}")
    assert await ana.page.evaluate(tried, sockets[0]) == "open"
