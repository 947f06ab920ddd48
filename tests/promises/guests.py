"""Visitors of hosted channels over real connections: they send until they have an answer, and listen as clients do.

The channels are all that are installed of which we hold both ends, so a new one is held to the same promises as soon
as it has a line in `KINDS`; a test says so where one is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, NamedTuple

import aiohttp
import msgspec

from tests.promises.clients import ask_and_leave
from tests.promises.waiting import PATIENCE_S

__all__ = ["ACCOUNTS", "HOSTED", "KINDS", "LOST", "Guest", "Kind", "arrived", "hang_up"]

_CALLS = "/client/v1"
_RETRY_S = 0.02
_encode = msgspec.json.Encoder().encode
#: How a connection may end without an answer; a frame that is no text is one that says goodbye.
LOST = (aiohttp.ClientError, OSError, EOFError, TimeoutError, TypeError)


class Kind(NamedTuple):
    """How somebody on a channel calls: at which account, with which key, as which client."""

    channel: str
    account: str
    key: str
    client: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        """What its clients say of themselves."""
        return {f"X-SDK-{name.title()}": value for name, value in self.client.items()}


KINDS = (
    Kind("app_sdk", "app", "ak_promise_0001", {"platform": "ios", "version": "3.0.3"}),
    Kind("web_desktop", "site", "wk_promise_0001", {"platform": "web", "form": "desktop"}),
    Kind("web_mobile", "site", "wk_promise_0001", {"platform": "web", "form": "mobile"}),
)
HOSTED = tuple(kind.channel for kind in KINDS)
#: TOML of one website and one app, which have the three channels.
ACCOUNTS = (
    '[[accounts]]\nid = "site"\nconnector = "web"\nsettings = { key = "wk_promise_0001" }\n'
    '[[accounts]]\nid = "app"\nconnector = "sdk"\nsettings = { keys = [{ key = "ak_promise_0001" }] }\n'
)


class Guest:
    """Somebody with a token, and the cursor up to which they were told."""

    def __init__(
        self, session: aiohttp.ClientSession, addresses: Sequence[str], kind: Kind, given: dict[str, Any]
    ) -> None:
        self._session, self._addresses, self.kind = session, itertools.cycle(addresses), kind
        self.token, self.cursor = str(given["token"]), str(given["cursor"])
        #: Our id of theirs.
        self.visitor = str(given["contact"]["id"]).removeprefix("ct_")
        #: Every change of a message as it was told, in order: (number, author's kind, text).
        self.told: list[tuple[int, str, str]] = []
        #: How often a cursor of theirs was not taken.
        self.resets = 0

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", **self.kind.headers}

    @property
    def _address(self) -> str:
        """The next server's: what is behind a balancer is called in turns."""
        return next(self._addresses)

    def heard(self, author: str = "agent") -> list[str]:
        """Return the texts of an author's messages in the order in which they were told."""
        return [text for _, by, text in self.told if by == author]

    # ---------------------------------------------------------------- sending

    async def post(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send a message by HTTP; (0, {}) when there was no answer."""
        url = f"{self._address}{_CALLS}/threads/live/messages"
        try:
            async with self._session.post(url, json=body, headers=self.headers) as answer:
                return answer.status, await answer.json()
        except LOST:
            return 0, {}

    async def post_and_leave(self, body: dict[str, Any]) -> None:
        """Send a message by HTTP and hang up before any answer."""
        await self._leave("POST", "/threads/live/messages", _encode(body))

    async def send(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send a message over a new socket; (0, {}) when there was no answer."""
        try:
            async with await self.connect() as socket:
                await socket.send_json({"t": "send", "ref": "r", "thread_id": "live", **body})
                async with asyncio.timeout(60):
                    while (frame := await socket.receive_json())["t"] not in {"sent", "error"}:
                        pass
        except LOST:
            return 0, {}
        return (200 if frame["replayed"] else 201, frame) if frame["t"] == "sent" else (503, frame)

    async def send_and_leave(self, body: dict[str, Any]) -> None:
        """Send a message over a new socket and cut it at once."""
        with contextlib.suppress(*LOST):
            socket = await self.connect()
            await socket.send_json({"t": "send", "ref": "r", "thread_id": "live", **body})
            await hang_up(socket)

    async def say(self, text: str, client_id: str) -> dict[str, Any]:
        """Send a message until it is taken; returns the answer."""
        status, answer = 0, dict[str, Any]()
        while status not in {200, 201}:
            status, answer = await self.post({"client_id": client_id, "kind": "text", "text": text})
            assert status in {0, 200, 201, 503}, answer
            await asyncio.sleep(0 if status else _RETRY_S)
        return answer

    # ---------------------------------------------------------------- listening

    async def connect(self, cursor: str | None = None) -> Any:
        """Open a socket and say hello; without a cursor only what happens from now on is told."""
        url = f"{self._address}{_CALLS}/ws"
        socket = await self._session.ws_connect(url, protocols=("occ.v1",), max_msg_size=0)
        hello = {"t": "hello", "token": self.token, "protocol": 1, **self.kind.client}
        await socket.send_json(hello if cursor is None else {**hello, "cursor": cursor})
        return socket

    def hear(self, change: dict[str, Any]) -> None:
        """Note what was told."""
        if change["type"] == "message.created":
            self.told.append((change["seq"], change["data"]["author"]["kind"], change["data"]["text"]))

    async def listen(self, frames: int, lot: random.Random, over: asyncio.Event) -> None:
        """Read so many frames from the socket, acknowledge some of them, and cut the connection without a word."""
        with contextlib.suppress(*LOST):
            socket, ending = await self.connect(self.cursor), asyncio.create_task(over.wait())
            try:
                for _ in range(frames):
                    reading = asyncio.create_task(socket.receive_json())
                    await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
                    if not reading.done():
                        await _drop(reading)
                        return
                    await self._take(socket, reading.result(), lot)
            finally:
                await _drop(ending)
                await hang_up(socket)

    async def _take(self, socket: Any, frame: dict[str, Any], lot: random.Random) -> None:
        if frame["t"] == "ready":
            self.resets += frame["resume"] != "ok"
            self.cursor = frame["cursor"]
        elif frame["t"] == "change":
            self.hear(frame)
            self.cursor = frame["cursor"]
            if lot.random() < 0.2:
                await socket.send_json({"t": "ack", "cursor": self.cursor})

    async def hear_until(self, socket: Any, text: str) -> None:
        """Read from a socket until a message with this text was told."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.told or self.told[-1][2] != text:
                frame = await socket.receive_json()
                if frame["t"] == "change":
                    self.hear(frame)
                    self.cursor = frame["cursor"]

    async def goodbye(self, socket: Any) -> int:
        """Read until the house closes a socket; returns its code."""
        async with asyncio.timeout(PATIENCE_S):
            while not socket.closed:
                await socket.receive()
        return int(socket.close_code)

    async def drum(self, frames: int) -> int:
        """Send so many messages over one socket without a pause; returns the code with which it is closed."""
        socket = await self.connect()
        with contextlib.suppress(*LOST):
            for _ in range(frames):
                body = {"client_id": str(uuid.uuid4()), "kind": "text", "text": "x"}
                await socket.send_json({"t": "send", "thread_id": "live", **body})
        return await self.goodbye(socket)

    async def poll(self, wait_s: int = 0) -> bool:
        """Ask once what changed; returns whether anything was told. Nothing is noted when there is no answer."""
        url, query = f"{self._address}{_CALLS}/changes", {"cursor": self.cursor, "wait": str(wait_s), "limit": "200"}
        try:
            async with self._session.get(url, params=query, headers=self.headers) as answer:
                page = await answer.json()
        except LOST:
            await asyncio.sleep(_RETRY_S)
            return True
        if answer.status != 200:
            assert answer.status in {410, 503}, page
            self.resets += answer.status == 410
            self.cursor = page.get("cursor", self.cursor)
            await asyncio.sleep(_RETRY_S)
            return True
        for change in page["changes"]:
            self.hear(change)
        self.cursor = page["cursor"]
        return bool(page["changes"])

    async def poll_and_leave(self) -> None:
        """Ask what changed and hang up before any answer."""
        await self._leave("GET", f"/changes?cursor={self.cursor}&limit=200")

    async def read_to_the_end(self) -> None:
        """Ask until nothing more is told."""
        while await self.poll():
            pass

    async def history(self) -> list[str]:
        """Return the texts of our messages in their thread, as somebody reads who opens the chat anew."""
        found: list[str] = []
        after, more = 0, True
        url = f"{self._address}{_CALLS}/threads/live/messages"
        while more:
            query = {"after": str(after), "limit": "100"}
            async with self._session.get(url, params=query, headers=self.headers) as answer:
                page = await answer.json()
            assert answer.status == 200, page
            found += [one["text"] for one in page["messages"] if one["author"]["kind"] == "agent"]
            after, more = page["messages"][-1]["pos"] if page["messages"] else 0, page["has_more"]
        return found

    async def _leave(self, method: str, path: str, body: bytes = b"") -> None:
        port = int(self._address.rpartition(":")[2])
        await ask_and_leave(port, method, f"{_CALLS}{path}", self.headers, body)


async def _drop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def hang_up(socket: Any) -> None:
    """Cut a connection without a word."""
    transport = socket.get_extra_info("transport")
    if transport is not None:
        transport.abort()
    with contextlib.suppress(*LOST):
        await socket.close()


@contextlib.asynccontextmanager
async def arrived(addresses: Sequence[str], kinds: Iterable[Kind], count: int) -> AsyncIterator[Sequence[Guest]]:
    """Let so many visitors come by each kind of channel; they call the servers in turns."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=120)) as session:
        found = []
        for kind in kinds:
            for _ in range(count):
                headers = {"X-Inbox-Key": kind.key, **kind.headers}
                async with session.post(f"{addresses[0]}{_CALLS}/tokens", json={}, headers=headers) as answer:
                    given = await answer.json()
                assert answer.status == 201, given
                found.append(Guest(session, addresses, kind, given))
        yield found
