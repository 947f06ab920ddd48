"""A visitor's browser: a shop of another origin with the widget on it, and what must never happen there."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    FilePayload,
    Frame,
    Locator,
    Page,
    Request,
    WebSocketRoute,
    expect,
)

from tests.browser.screen import WATCH, leave
from tests.desk.conftest import KEY, Template
from tests.journeys.shop import Shop, at_work, quiet_shop, until
from trunkline.settings import load_settings
from trunkline_web.pages import BUILD
from trunkline_web.simulator import Simulator

__all__ = ["Site", "Visit", "Visitor", "open_site", "site", "visitor"]

ACCOUNT = "shop-web"
#: Sockets as a network has them that lets none through.
BLOCKED = """window.WebSocket = class {
  constructor() { setTimeout(() => this.onclose?.({ code: 1006 })) }
  close() {}
  send() {}
}"""
Json = dict[str, Any]
Visit = Callable[..., Awaitable["Visitor"]]


class Site:
    """A house with a widget, and a shop on a site of its own that carries it."""

    def __init__(self, shop: Shop, web: Simulator) -> None:
        self.shop, self.web = shop, web
        #: Another site than the desk's: the desk is at 127.0.0.1.
        self.address = _site_of(web)

    async def thread(self) -> Json:
        """Return the only thread of the widget, when there is one."""

        async def look() -> Json | None:
            return next((one for one in await self.shop.threads() if one["account_id"] == ACCOUNT), None)

        return await until(look)

    async def texts(self, *wanted: str) -> list[str]:
        """Return what stands in the thread, once it holds as much as is wanted."""
        thread_id = (await self.thread())["id"]

        async def look() -> list[str] | None:
            said = [one["content"].get("text", one["content"]["type"]) for one in await self.shop.messages(thread_id)]
            return said if len(said) >= len(wanted) else None

        return await until(look)

    async def answer(self, text: str, **more: Any) -> Json:
        return await self.shop.reply((await self.thread())["id"], text, **more)

    async def send_file(self, thread_id: str, name: str, mime: str, body: bytes) -> None:
        """Let the agent send a file."""
        headers = {"Content-Type": mime}
        stored = await self.shop.ada.call("POST", "/media", data=BytesIO(body), params={"name": name}, headers=headers)
        assert stored.status == 201, stored.raw
        await self.shop.ada.post(f"/threads/{thread_id}/messages", {"attachments": [stored.json["id"]]})


@asynccontextmanager
async def open_site(folder: Path, template: Template, **settings: Any) -> AsyncIterator[Site]:
    """Run a shop whose site carries a widget with these settings; "{site}" in them stands for that site."""
    async with quiet_shop(folder, template) as shop, Simulator() as web:
        file = folder / "trunkline.toml"
        written = {**web.settings(), **settings}
        lines = [f"{name} = {_toml(value)}" for name, value in written.items()]
        lines = [line.replace("{site}", _site_of(web)) for line in lines]
        account = f'\n[[accounts]]\nid = "{ACCOUNT}"\nconnector = "web"\ntitle = "Site"\n[accounts.settings]\n'
        file.write_text(file.read_text(encoding="utf-8") + account + "\n".join(lines) + "\n", encoding="utf-8")
        shop.settings = load_settings(file)
        web.webhook_url = f"{shop.address}/webhooks/{ACCOUNT}"
        async with at_work(shop):
            yield Site(shop, web)


def _site_of(web: Simulator) -> str:
    return web.url.replace("127.0.0.1", "localhost")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


class Visitor:
    """One tab with the shop's page."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site
        self.faults: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._asked)
        page.on("dialog", self._dialog)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and re.search("content security policy|trusted", message.text, re.IGNORECASE):
            self.faults.append(f"policy: {message.text}")

    def _asked(self, request: Request) -> None:
        ours = (f"{self.site.address}/", f"{self.site.shop.address}/", f"blob:{self.site.shop.address}/", "data:")
        if not request.url.startswith(ours):
            self.faults.append(f"off origin: {request.url}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    async def verdict(self) -> list[str]:
        """Return everything that must not have happened, on the page and in the frame."""
        look = "[...(window.__violations ?? []), ...(window.__hit ? ['hit'] : [])]"
        told = [str(one) for frame in self.page.frames for one in await frame.evaluate(look)]
        return [*self.faults, *told]

    # ---------------------------------------------------------------- places

    async def arrive(self) -> Visitor:
        await self.page.goto(f"{self.site.address}/")
        await self.until("!!window.Trunkline?.v")
        return self

    async def until(self, look: str) -> None:
        """Wait until something is true on the page, whose policy allows Playwright no polling of its own."""

        async def seen() -> bool:
            return bool(await self.page.evaluate(look))

        await until(seen)

    async def returns(self) -> Visitor:
        """Wait until the panel that was open before a reload is open again."""

        async def look() -> bool:
            return any("/widget/frame/" in frame.url for frame in self.page.frames)

        await until(look)
        await expect(self.box).to_be_visible()
        return self

    async def open(self) -> Visitor:
        await self.call("open")
        await expect(self.box).to_be_visible()
        return self

    async def call(self, name: str, value: Any = None) -> Any:
        """Call the widget as the page does."""
        return await self.page.evaluate("([name, value]) => Trunkline(name, value ?? undefined)", [name, value])

    @property
    def frame(self) -> Frame:
        return next(frame for frame in self.page.frames if "/widget/frame/" in frame.url)

    @property
    def box(self) -> Locator:
        return self.frame.locator("#write")

    @property
    def log(self) -> Locator:
        return self.frame.get_by_role("log")

    @property
    def said(self) -> Locator:
        """Everything that was said, bubbles that are not sent yet too."""
        return self.frame.locator("[data-message], [data-unsent]")

    def message(self, text: str) -> Locator:
        return self.said.filter(has_text=text)

    def button(self, name: str) -> Locator:
        return self.frame.get_by_role("button", name=name, exact=True)

    # ---------------------------------------------------------------- acts

    async def say(self, text: str) -> None:
        await self.box.fill(text)
        await self.button("Send").click()

    async def attach(self, *files: FilePayload) -> None:
        await self.frame.locator("input[type=file]").set_input_files(list(files))

    async def sees(self, *texts: str) -> None:
        """Wait until exactly these bubbles stand there, in this order, and all of them are sent."""
        await expect(self.frame.locator("[data-message] .bubble, [data-unsent] .bubble")).to_have_text(list(texts))
        await expect(self.frame.locator("[data-unsent]")).to_have_count(0)

    async def launcher(self) -> Json:
        """Return the launcher as a screen reader has it: its shadow root is closed to everything else."""
        session = await self.page.context.new_cdp_session(self.page)
        nodes = cast("list[Json]", (await session.send("Accessibility.getFullAXTree"))["nodes"])
        buttons = [node for node in nodes if node.get("role", {}).get("value") == "button"]
        (found,) = [node for node in buttons if any(one["name"] == "expanded" for one in node["properties"])]
        properties = {one["name"]: one["value"]["value"] for one in found["properties"]}
        return {"name": found["name"]["value"], **properties}


class Cut:
    """The line between the widget and the server, which can be cut or have its sockets blocked."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._is_cut = False
        self._ends: list[WebSocketRoute] = []
        self.sockets = 0

    async def lay(self) -> Cut:
        await self._context.route_web_socket(re.compile("/client/v1/ws"), self._meet)
        return self

    def _meet(self, socket: WebSocketRoute) -> None:
        self.sockets += 1
        if self._is_cut:
            return
        self._ends += [socket, socket.connect_to_server()]

    async def block(self) -> None:
        """Let no socket through any more."""
        await self._context.add_init_script(BLOCKED)

    async def cut(self) -> None:
        self._is_cut = True
        ends, self._ends = self._ends, []
        for end in ends:
            await end.close(code=1001)
        await self._context.set_offline(True)

    async def mend(self) -> None:
        self._is_cut = False
        await self._context.set_offline(False)


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path, sqlite_template: Template, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    if not (BUILD / "loader.js").exists():
        pytest.fail("The widget is not built: run `make widget` first.")
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    async with open_site(tmp_path, sqlite_template) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser) -> AsyncIterator[Visit]:
    """Brings somebody to a site; when the test is over nothing may have happened that a policy forbids."""
    visitors: list[Visitor] = []
    async with AsyncExitStack() as stack:

        async def bring(site: Site, context: BrowserContext | None = None, **options: Any) -> Visitor:
            if context is None:
                options = {
                    "viewport": {"width": 1280, "height": 800},
                    "locale": "en-GB",
                    "reduced_motion": "reduce",
                    **options,
                }
                context = await browser.new_context(**options)
                stack.push_async_callback(leave, context)
                context.set_default_timeout(30_000)
                await context.add_init_script(WATCH)
            visitors.append(Visitor(await context.new_page(), site))
            return visitors[-1]

        yield bring
        for one in visitors:
            if not one.page.is_closed():
                assert await one.verdict() == []
