"""Chromium once for the whole run; a shop, and a fresh profile of the browser, for every test."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

import trunkline_desk
from tests.browser.screen import WIDE, Screen, leave
from tests.desk.conftest import KEY, Template
from tests.desk.conftest import sqlite_template as noon_template
from tests.desk.harness import ADA
from tests.journeys.shop import Shop, open_shop
from trunkline.clock import SystemClock
from trunkline_desk.people.tokens import ABSOLUTE_MS

__all__ = ["noon_template"]

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none",
]  # fmt: skip
#: What is called before a page is opened: the token stands where the inbox looks for it, on its own address only.
SIGNED_IN = "if (location.origin === {origin}) sessionStorage.setItem('trunkline.token', {token})"
#: What an agent is used to, before they change it themselves.
HABITS = (
    "if (location.origin === {origin} && localStorage.getItem('trunkline.habits') === null)"
    " localStorage.setItem('trunkline.habits', {habits})"
)
#: A reply that can be taken back is held until the test lets it go: five seconds may be over before a busy machine has
#: looked for the button once.
HELD = """
const set = window.setTimeout, clear = window.clearTimeout, held = new Map()
window.setTimeout = (work, ms, ...more) => {
  if (ms !== 5000) return set(work, ms, ...more)
  const id = set(() => {}, 3_600_000)
  held.set(id, work)
  return id
}
window.clearTimeout = (id) => { held.delete(id); clear(id) }
window.__letGo = () => { for (const work of [...held.values()]) work() }
"""

Enter = Callable[..., Awaitable[Screen]]


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """The inbox must be built: the tests drive what is shipped."""
    page = Path(trunkline_desk.__file__).parent / "inbox" / "index.html"
    if not page.exists():
        pytest.fail(f"The inbox is not built ({page.name} is missing in the desk): run `make inbox` first.")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.fail("Chromium is missing: run `make browser` first.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def sqlite_template(noon_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The shop's database, its tokens given today: those of the template are of the day that its clock shows."""
    file, tokens = noon_template
    copy = tmp_path_factory.mktemp("today") / "shop.db"
    shutil.copy(file, copy)
    now = SystemClock().now_ms()
    with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
        changed = (now, now + ABSOLUTE_MS)
        connection.execute("UPDATE agent_token SET last_used_at = ?, expires_at = ?", changed)
    return str(copy), tokens


@pytest_asyncio.fixture(loop_scope="session")
async def shop(tmp_path: Path, sqlite_template: Template, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """A shop in which time passes as it does."""
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    async with open_shop(tmp_path, sqlite_template) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="session")
async def empty_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """A shop on its first day: nobody works there yet."""
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    async with open_shop(tmp_path, ("", {})) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="session")
async def enter(browser: Browser) -> AsyncIterator[Enter]:
    """Opens a screen; when the test is over nothing may have happened on it that the policy forbids."""
    screens: list[Screen] = []
    async with AsyncExitStack() as stack:

        async def enter(shop: Shop, email: str | None = ADA[0], *, undo: bool = False, **options: Any) -> Screen:
            # Replies leave at once where a test is not about the time in which they can be taken back. The worker of
            # the page would hide requests from the tests that watch them.
            usual = {"viewport": WIDE, "locale": "en-GB", "reduced_motion": "reduce", "service_workers": "block"}
            context = await browser.new_context(**(usual | options))
            stack.push_async_callback(leave, context)
            context.set_default_timeout(30_000)
            origin, habits = json.dumps(shop.address), json.dumps(json.dumps({"undo": undo}))
            await context.add_init_script(HABITS.format(origin=origin, habits=habits))
            if undo:
                await context.add_init_script(f"{{{HELD}}}")
            if email:
                token = json.dumps(shop.tokens[email])
                await context.add_init_script(SIGNED_IN.format(origin=origin, token=token))
            screens.append(await Screen.of(context, shop.address))
            return screens[-1]

        yield enter
        for screen in screens:
            assert await screen.verdict() == []
