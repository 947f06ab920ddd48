"""The client that apps are ported from, in Node, against a house that serves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.sdk.conftest import KEY, RELAY_SECRET, SECRET
from tests.core.conftest import HandClock
from tests.hosted.booth import vouch
from tests.hosted.conftest import Opener, open_place, sqlite_url
from tests.hosted.people import Place
from tests.house import ROOT
from trunkline.store import schema
from trunkline_sdk import SPEC

__all__ = ["open_place", "sqlite_url"]

NODE = ROOT / ".venv" / "bin" / "node"
SETTINGS = f"""
[server]
metrics_listen = "off"
[media]
free_space_floor = 0
[[accounts]]
id = "shop"
connector = "sdk"
[accounts.settings]
identity = "accept"
keys = [{{ key = "{KEY}", platforms = ["ios"] }}]
identity_keys = [{{ algorithm = "HS256", kid = "k1", key = "{SECRET}" }}]
relay = {{ url = "https://push.shop.example/x", secret = "{RELAY_SECRET}" }}
"""


class App:
    """A process with the client in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []

    async def do(self, act: str, what: Any = None) -> Any:
        """Let the app do something and return what came of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"act": act, "what": what}).encode() + b"\n")
        end = await self.until("done", "refused")
        return end["what"] if end["event"] == "done" else {"refused": end["what"]}

    async def until(self, *events: str, where: Callable[[Any], bool] = lambda _: True) -> dict[str, Any]:
        """Read what the app tells until one of these events comes; what was told before counts, too, once."""
        while True:
            for at, told in enumerate(self.told):
                if told["event"] in events and where(told["what"]):
                    del self.told[at]
                    return told
            self.told.append(await self._next())

    async def message(self, text: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.until("message", where=lambda one: one["text"] == text))["what"]
        return found

    async def connected(self, how: str = "socket") -> None:
        await self.until("connection", where=lambda one: one == how)

    async def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(60):
                line = await self._process.stdout.readline()
        except TimeoutError:
            pytest.fail(f"Nothing came any more; what was told and not asked for: {self.told}")
        if not line:
            assert self._process.stderr is not None
            pytest.fail(f"The app ended: {(await self._process.stderr.read()).decode()}")
        told: dict[str, Any] = json.loads(line)
        return told


Phones = Callable[..., Any]


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    file = tmp_path / "trunkline.toml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def place(sqlite_url: str, open_place: Opener) -> AsyncIterator[Place]:
    async with open_place(sqlite_url, specs=(SPEC,)) as place:
        yield place


@pytest.fixture
def phone(tmp_path: Path) -> Phones:
    """Starts the app; with the same `name` it finds what it kept."""

    @asynccontextmanager
    async def started(place: Place, name: str = "phone", **more: Any) -> AsyncIterator[App]:
        options = {"server": place.address, "key": KEY, "file": str(tmp_path / f"{name}.json"), **more}
        script = str(Path(__file__).parent / "app.mjs")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            str(NODE), script, json.dumps(options), stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            yield App(process)
        finally:
            process.kill()
            await process.wait()

    return started


async def thread(place: Place) -> str:
    rows = await place.rows(schema.thread)
    return str(rows[0].id)


async def test_a_conversation(place: Place, phone: Phones) -> None:
    async with phone(place) as app:
        await app.do("start")
        await app.connected()
        await app.do("send", "Where is order 42?")
        await app.message("Where is order 42?")
        row = (await place.rows(schema.thread))[0]
        assert row.channel == "app_sdk"
        await place.reply(row.id, "On its way")
        assert (await app.message("On its way"))["author"]["name"] == "Ada"
        await app.until("unread", where=lambda count: count == 1)
        await app.do("read")
        assert await place.states(row.id) == ["read"]
        await app.do("file", "Some words in a file")
        await app.message("Read this")
        assert await app.do("texts") == ["Where is order 42?", "On its way", "Read this"]
        assert await app.do("history") == await app.do("texts")
        assert await app.do("can", "submission_by_group") is True
        (media,) = await place.rows(schema.media)
        assert (media.name, media.mime) == ("note.txt", "text/plain")


@pytest.mark.parametrize("polls", [False, True])
async def test_what_was_missed_and_what_waited_meet_after_a_restart(place: Place, phone: Phones, polls: bool) -> None:
    """The app dies without a word; an answer comes meanwhile, and something was said without a network."""
    async with phone(place, polls=polls) as app:
        await app.do("start")
        await app.connected("poll" if polls else "socket")
        await app.do("send", "One")
        await app.message("One")
    await place.reply(await thread(place), "Two")
    async with phone(place, server="http://127.0.0.1:9") as offline:
        await offline.do("send", "Three")
    async with phone(place, polls=polls) as app:
        await app.do("start")
        await app.message("Two")
        await app.message("Three")
        assert await app.do("texts") == ["One", "Two", "Three"]
        assert await app.do("unread") == 1
    texts = [json.loads(row.content)["text"] for row in await place.rows(schema.message)]
    assert texts == ["One", "Two", "Three"]


async def test_nothing_is_lost_or_doubled_while_the_house_restarts(
    sqlite_url: str, open_place: Opener, phone: Phones
) -> None:
    said = [f"Number {number}" for number in range(20)]
    async with open_place(sqlite_url, specs=(SPEC,)) as place:
        address = place.address
        app = phone(place)
        running = await app.__aenter__()
        await running.do("start")
        await running.connected()
        for text in said[:10]:
            await running.do("send", text)
    try:
        for text in said[10:]:
            await running.do("send", text)
        async with open_place(sqlite_url, specs=(SPEC,), listen=address.removeprefix("http://")) as place:
            await running.message(said[-1])
            texts = [json.loads(row.content)["text"] for row in await place.rows(schema.message)]
            assert texts == said
    finally:
        await app.__aexit__(None, None, None)


async def test_signing_in_keeps_the_conversation_and_signing_out_forgets_it(place: Place, phone: Phones) -> None:
    async with phone(place) as app:
        await app.do("start")
        await app.connected()
        await app.do("send", "Before")
        await app.message("Before")
        await app.do("device", "invented-push-token")
        await app.do("identify", vouch("cust-1", KEY, place.clock.now))
        await app.do("send", "After")
        await app.message("After")
        assert await app.do("texts") == ["Before", "After"]
        (device,) = await place.rows(schema.visitor_device)
        (token,) = await place.rows(schema.visitor_token, schema.visitor_token.c.id == device.token_id)
        assert token.subject == "cust-1"
        await app.do("logout")
        assert await place.rows(schema.visitor_device) == []
        assert await app.do("texts") == []
    async with phone(place, "other") as other:
        await other.do("start")
        await other.do("identify", vouch("cust-1", KEY, place.clock.now))
        assert await other.do("texts") == ["Before", "After"]


async def test_a_key_that_is_not_for_this_platform_is_refused_in_words(place: Place, phone: Phones) -> None:
    async with phone(place, platform="android") as app:
        assert await app.do("start") == {"refused": "client_not_allowed"}
