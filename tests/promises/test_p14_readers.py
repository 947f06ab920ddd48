"""P14: a reader who is slow or dead costs bounded memory and delays nobody; after any cut nothing is missed or doubled.

Push run: 500 visitors, 40 of them slow, and 1,000 cut connections; about two minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import socket as sockets
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import aiohttp
import pytest

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.processes import Server

pytestmark = [pytest.mark.promise("P14"), pytest.mark.timeout(1500)]

KEY = "wk_promise_0001"
ACCOUNT = f'[[accounts]]\nid = "site"\nconnector = "web"\n[accounts.settings]\nkey = "{KEY}"\n'
_MIB = 1024 * 1024
#: How long one message may take before it counts as never told.
_PATIENCE_S = 10.0
#: Of a test that wants somebody to wait in vain: less makes it see more.
_IMPATIENCE_S = 1.0
#: What slow readers are sent: more than sockets, kernel and queues hold together.
_LONG = "漢" * 9_000


class Visitor:
    """Somebody with a token; writes over HTTP, listens over sockets."""

    def __init__(self, session: aiohttp.ClientSession, server: Server, given: dict[str, Any]) -> None:
        self.session, self.server = session, server
        self.token, self.cursor = given["token"], given["cursor"]
        self.sent: list[str] = []
        #: What was told: number of the event, text.
        self.told: list[tuple[int, str]] = []

    async def say(self, text: str) -> None:
        """Send a message until it is answered, with one client id."""
        body = {"client_id": str(uuid.uuid4()), "kind": "text", "text": text}
        url = f"{self.server.address}/client/v1/threads/live/messages"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.session.post(url, json=body, headers=headers) as answer:
            assert answer.status in {200, 201}, await answer.text()
        self.sent.append(text)

    async def open(self) -> Any:
        """Connect, say hello and return the socket."""
        url = f"{self.server.address}/client/v1/ws"
        socket = await self.session.ws_connect(url, protocols=("occ.v1",), max_msg_size=0)
        await socket.send_json({"t": "hello", "token": self.token, "cursor": self.cursor, "protocol": 1})
        return socket

    def hear(self, frame: dict[str, Any]) -> str | None:
        """Note a frame; returns the text of a message."""
        assert frame["t"] != "ready" or frame["resume"] == "ok"
        if frame["t"] != "change":
            return None
        self.cursor = frame["cursor"]
        if frame["type"] != "message.created":
            return None
        self.told.append((frame["seq"], frame["data"]["text"]))
        return str(frame["data"]["text"])


@contextlib.asynccontextmanager
async def visitors(server: Server, count: int) -> AsyncIterator[list[Visitor]]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        found = []
        for _ in range(count):
            url = f"{server.address}/client/v1/tokens"
            async with session.post(url, json={}, headers={"X-Inbox-Key": KEY}) as answer:
                assert answer.status == 201, await answer.text()
                found.append(Visitor(session, server, await answer.json()))
        yield found


# ---------------------------------------------------------------- cut connections


async def test_after_random_cuts_nothing_is_missed_and_nothing_is_doubled(
    servers: Servers, database_url: str, rounds: Rounds
) -> None:
    server = await servers(database_url, accounts=ACCOUNT, seeds={"no_client_limits": ""})
    missed, doubled = await _cut_often(server, cuts=rounds(push=1000, long=10_000))
    assert (missed, doubled) == (0, 0)


async def test_reading_before_listening_is_caught(servers: Servers, sqlite_url: str) -> None:
    seeds = {"no_client_limits": "", "read_then_listen": ""}
    server = await servers(sqlite_url, accounts=ACCOUNT, seeds=seeds)
    missed, _ = await _cut_often(server, cuts=100)
    assert missed


async def _cut_often(server: Server, *, cuts: int) -> tuple[int, int]:
    """Let visitors write while their readers are cut off again and again; returns what was missed and doubled."""
    chance, crowd = random.Random(14), 5
    async with visitors(server, crowd) as people:
        await asyncio.gather(
            *(_one_cut_often(visitor, cuts // crowd, random.Random(chance.random())) for visitor in people)
        )
        missed = sum(len(set(visitor.sent) - {text for _, text in visitor.told}) for visitor in people)
        doubled = sum(len(visitor.told) - len(set(visitor.told)) for visitor in people)
        disordered = [visitor for visitor in people if visitor.told != sorted(visitor.told)]
        assert not disordered
    return missed, doubled


async def _one_cut_often(visitor: Visitor, cuts: int, chance: random.Random) -> None:
    done = asyncio.Event()

    async def write() -> None:
        number = 0
        while not done.is_set():
            await visitor.say(f"{number}")
            number += 1

    writing = asyncio.create_task(write())
    try:
        for _ in range(cuts):
            await _read_and_cut(visitor, chance)
    finally:
        done.set()
        await writing
    await visitor.say("last")
    await _read_to_the_end(visitor)


async def _read_and_cut(visitor: Visitor, chance: random.Random) -> None:
    """Read some frames, or none, and cut the connection without a word."""
    socket = await visitor.open()
    transport = socket.get_extra_info("transport") or socket._response.connection.transport
    for _ in range(chance.randrange(4)):
        visitor.hear(await socket.receive_json())
    transport.abort()
    with contextlib.suppress(Exception):
        await socket.close()


async def _read_to_the_end(visitor: Visitor) -> None:
    """Catch up until nothing more comes: the long poll says so."""
    headers, url = {"Authorization": f"Bearer {visitor.token}"}, f"{visitor.server.address}/client/v1/changes"
    more = True
    while more:
        params = {"cursor": visitor.cursor, "limit": "200"}
        async with visitor.session.get(url, params=params, headers=headers) as answer:
            told = await answer.json()
        assert answer.status == 200, told
        more = bool(told["changes"])
        for change in told["changes"]:
            visitor.hear({"t": "change", **change, "cursor": told["cursor"]})
        visitor.cursor = told["cursor"]


# ---------------------------------------------------------------- slow readers


@pytest.mark.serial
@pytest.mark.slow
async def test_slow_readers_cost_bounded_memory_and_delay_nobody(
    servers: Servers, sqlite_url: str, rounds: Rounds
) -> None:
    server = await servers(sqlite_url, accounts=ACCOUNT, seeds={"no_client_limits": ""})
    grown, alone, beside = await _beside_slow_readers(
        server, rounds(push=500, long=1000), slow=rounds(push=40, long=80)
    )
    figures = (
        f"grown {grown / _MIB:.1f} MiB, p99 {_p99(alone) * 1000:.0f} ms alone, {_p99(beside) * 1000:.0f} ms beside"
    )
    print(figures)
    assert grown < 64 * _MIB, figures
    # 300 ms is promised on a machine of our own: what this one took is printed. That nobody is left out is held.
    assert math.inf not in beside, figures


@pytest.mark.serial
async def test_waiting_for_each_socket_in_turn_is_caught(servers: Servers, sqlite_url: str) -> None:
    server = await servers(sqlite_url, accounts=ACCOUNT, seeds={"no_client_limits": "", "one_send_at_a_time": ""})
    _, _, beside = await _beside_slow_readers(server, 12, slow=4, messages=600, patience_s=_IMPATIENCE_S)
    assert math.inf in beside, beside


async def _beside_slow_readers(
    server: Server, count: int, *, slow: int, messages: int = 120, patience_s: float = _PATIENCE_S
) -> tuple[int, list[float], list[float]]:
    """Serve many who read and some who do not.

    Returns how much memory grew, and the delays of those who read, without and with slow readers beside them.
    """
    async with visitors(server, count) as people:
        dead, good = people[:slow], people[slow:]
        await asyncio.gather(*(visitor.say("hello") for visitor in people))
        readers = [_Reader(visitor, await visitor.open(), patience_s) for visitor in good]
        # The same flood with nobody who is slow: the database's caches fill once, and others load the machine as well.
        alone = await _delays_in_a_flood(readers, _flood(dead, messages), "alone")
        before = server.rss()
        mute = [await _mute_socket(visitor) for visitor in dead]
        try:
            beside = await _delays_in_a_flood(readers, _flood(dead, messages), "beside")
            grown = server.rss() - before
        finally:
            for connection in mute:
                connection.close()
        await asyncio.gather(*(reader.stop() for reader in readers))
    return grown, alone, beside


async def _delays_in_a_flood(readers: list[_Reader], water: Coroutine[Any, Any, None], word: str) -> list[float]:
    """Measure while a flood goes on; returns the delays in rising order."""
    flood = asyncio.create_task(water)
    delays: list[float] = []
    try:
        while math.inf not in delays and (not flood.done() or len(delays) < 100):
            reader = readers[len(delays) % len(readers)]
            delays.append(await reader.delay_of(f"{word} {len(delays)}"))
            await asyncio.sleep(0.02)
    finally:
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)
    return sorted(delays)


def _p99(delays: list[float]) -> float:
    return delays[int(len(delays) * 0.99)]


class _Reader:
    """A visitor who reads everything at once."""

    def __init__(self, visitor: Visitor, socket: Any, patience_s: float) -> None:
        self.visitor, self.socket, self.patience_s = visitor, socket, patience_s
        self.heard: dict[str, asyncio.Future[float]] = {}
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            text = self.visitor.hear(message.json())
            if text in self.heard:
                self.heard[text].set_result(time.monotonic())

    async def delay_of(self, text: str) -> float:
        """Send a text from another tab and return how long it took to come to this one; for ever is no number."""
        heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.heard[text] = heard
        began = time.monotonic()
        await self.visitor.say(text)
        try:
            async with asyncio.timeout(self.patience_s):
                return await heard - began
        except TimeoutError:
            return math.inf
        finally:
            del self.heard[text]

    async def stop(self) -> None:
        await self.socket.close()
        await self.task


async def _mute_socket(visitor: Visitor) -> sockets.socket:
    """Open a socket by hand, say hello, and never read again."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", visitor.server.port))
    head = (
        "GET /client/v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: occ.v1\r\n\r\n"
    )
    # Without a cursor: it begins now, and reads nothing of what was before.
    hello = f'{{"t":"hello","token":"{visitor.token}","protocol":1}}'.encode()
    # A masked text frame; a mask of zeros leaves the words as they are.
    frame = bytes([0x81, 0x80 | 126]) + len(hello).to_bytes(2, "big") + bytes(4) + hello
    await loop.sock_sendall(raw, head.encode() + frame)
    return raw


async def _flood(dead: list[Visitor], messages: int) -> None:
    """Send each of those who do not read long messages, one after another: 120 are 3 MB, which nobody takes.

    600 are more than any kernel keeps for a socket.
    """
    for _ in range(messages):
        for visitor in dead:
            await visitor.say(_LONG)
