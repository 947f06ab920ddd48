"""An agent's screen in Chromium: the inbox with everything watched that must never happen in normal use."""

from __future__ import annotations

import asyncio
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request, WebSocketRoute, expect

__all__ = ["PHONE", "WIDE", "Screen", "Wire", "leave", "words"]

#: The two sizes that every page is tried in.
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
CATALOGUES = Path(__file__).parents[2] / "inbox" / "src" / "i18n"

#: A browser shared with other work is slow, never broken before this.
expect.set_options(timeout=30_000)

WATCH = """
window.__violations = []
addEventListener('securitypolicyviolation', (event) => {
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`)
})
"""


@cache
def _catalogue(locale: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CATALOGUES / f"{locale}.json").read_text(encoding="utf-8"))
    return found


def words(key: str, locale: str = "en", **values: str) -> str:
    """Return a label as the inbox shows it."""
    found: Any = _catalogue(locale)
    for part in key.split("."):
        found = found[part]
    text = str(found)
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


async def leave(context: BrowserContext) -> None:
    """Close a context; a request that a test still holds up must not fail in the test that comes next."""
    for page in context.pages:
        await page.unroute_all(behavior="ignoreErrors")
    await context.unroute_all(behavior="ignoreErrors")
    await context.close()


class Screen:
    """One page, and what went wrong on it."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page, self.origin = page, origin
        self.faults: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._asked)
        page.on("dialog", self._dialog)

    @classmethod
    async def of(cls, context: BrowserContext, origin: str) -> Screen:
        await context.add_init_script(WATCH)
        return cls(await context.new_page(), origin)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and re.search("content security policy|trusted", message.text, re.IGNORECASE):
            self.faults.append(f"policy: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", f"blob:{self.origin}/", "data:")):
            self.faults.append(f"off origin: {request.url}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    async def verdict(self) -> list[str]:
        """Return everything that must not have happened."""
        told = await self.page.evaluate("[...(window.__violations ?? []), ...(window.__hit ? ['hit'] : [])]")
        return [*self.faults, *map(str, told)]

    # ---------------------------------------------------------------- places

    async def visit(self, path: str = "/inbox/threads") -> Screen:
        await self.page.goto(f"{self.origin}{path}")
        return self

    def row(self, text: str) -> Locator:
        return self.page.locator("[data-thread]").filter(has_text=text)

    @property
    def messages(self) -> Locator:
        return self.page.locator("[data-message]")

    def message(self, text: str) -> Locator:
        return self.messages.filter(has_text=text)

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("textbox", name=words("composer.placeholder", channel="LINE"))

    def button(self, key: str, **values: str) -> Locator:
        return self.page.get_by_role("button", name=words(key, **values), exact=True)

    # ---------------------------------------------------------------- acts

    async def open_thread(self, name: str) -> None:
        await self.row(name).click()
        await expect(self.page.get_by_role("region", name=words("thread.with", name=name))).to_be_visible()
        await expect(self.box).to_be_visible()

    async def answer(self, text: str) -> None:
        await self.box.fill(text)
        await self.button("composer.send").click()

    async def texts(self) -> list[str]:
        """Return the words of all bubbles, oldest first."""
        bubbles = await self.page.locator("[data-message] .bubble").all_inner_texts()
        return [text.strip() for text in bubbles]

    async def sees(self, *texts: str) -> None:
        """Wait until exactly these bubbles stand there, in this order."""
        await expect(self.page.locator("[data-message] .bubble")).to_have_text(list(texts))


class Wire:
    """The line between a page and the live feed, which can be cut."""

    def __init__(self) -> None:
        self._is_cut = False
        self._ends: list[WebSocketRoute] = []
        self._closing: set[asyncio.Task[None]] = set()

    async def lay(self, page: Page) -> None:
        await page.route_web_socket(re.compile(r"/api/v1/stream"), self._meet)

    def _meet(self, socket: WebSocketRoute) -> None:
        if self._is_cut:
            task = asyncio.ensure_future(socket.close(code=1001))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            return
        self._ends += [socket, socket.connect_to_server()]

    async def cut(self) -> None:
        """Drop what is open, and let nothing through until `mend`."""
        self._is_cut = True
        ends, self._ends = self._ends, []
        for end in ends:
            await end.close(code=1001)

    def mend(self) -> None:
        self._is_cut = False
