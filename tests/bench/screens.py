"""A day at the desk: 200 visitors with open widgets and 20 agents, while 300 messages a second come in.

A fifth is written by the visitors themselves, as fast as one of them may write; the rest comes by webhook. Measured is
how long after its commit a message is on a screen. python -m tests.bench.screens
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import aiohttp

from tests.bench.agents import Agents
from tests.bench.payloads import line_requests
from tests.bench.servers import Trunkline

__all__ = ["screen_figures"]

_KEY = "wk_bench_0001"
_SITE = f'[[accounts]]\nid = "site"\nconnector = "web"\nsettings = {{ key = "{_KEY}" }}\n'
_WIDGETS, _AGENTS, _SECONDS = 200, 20, 20
_BY_VISITORS, _BY_WEBHOOK = 60, 240
#: How many people `line_requests` writes for, and a few more.
_KNOWN = 600


class Widget:
    """One open widget: a token and a socket."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session, self._address = session, address
        self._headers: dict[str, str] = {}
        self.delays: list[float] = []
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Return when it listens."""
        url = f"{self._address}/client/v1/tokens"
        async with self._session.post(url, json={}, headers={"X-Inbox-Key": _KEY}) as answer:
            answer.raise_for_status()
            given = await answer.json()
        self._headers = {"Authorization": f"Bearer {given['token']}"}
        socket = await self._session.ws_connect(f"{self._address}/client/v1/ws", protocols=("occ.v1",))
        await socket.send_json({"t": "hello", "token": given["token"], "cursor": given["cursor"], "protocol": 1})
        await socket.receive_json()
        self._listening = asyncio.create_task(self._listen(socket))

    async def say(self) -> None:
        """Write one message."""
        body = {"client_id": str(uuid.uuid4()), "kind": "text", "text": "Where is my order?"}
        url = f"{self._address}/client/v1/threads/live/messages"
        async with self._session.post(url, json=body, headers=self._headers) as answer:
            answer.raise_for_status()

    async def close(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, socket: Any) -> None:
        async for message in socket:
            frame = message.json()
            if frame["t"] == "change" and frame["type"] == "message.created":
                self.delays.append(time.time() - datetime.fromisoformat(frame["at"]).timestamp())


async def screen_figures() -> str:
    """Run it once and return the figures in words."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(Trunkline(more=_SITE))
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        agents = Agents(server.address, await server.sign_in(session), _AGENTS)
        await agents.start()
        widgets = [Widget(session, server.address) for _ in range(_WIDGETS)]
        for widget in widgets:
            await widget.open()
            stack.push_async_callback(widget.close)
        knock = _webhooks(session, server)
        # Who writes by webhook is known before: how a platform answers when it is asked for profiles is not the matter.
        for _ in range(_KNOWN // 20):
            await asyncio.gather(*(knock() for _ in range(20)))
        await asyncio.sleep(5)
        before = server.memory_mib
        sent = await asyncio.gather(_often(_BY_VISITORS, _speakers(widgets)), _often(_BY_WEBHOOK, knock))
        grown, found = server.memory_mib - before, await agents.results()
        delays = sorted(delay for widget in widgets for delay in widget.delays)
    half, most = (delays[int((len(delays) - 1) * share)] * 1000 for share in (0.5, 0.99))
    return (
        f"{_WIDGETS} widgets and {_AGENTS} agents, {sum(sent) / _SECONDS:.0f} messages/s, from commit to screen: "
        f"widgets p50 {half:.0f} ms, p99 {most:.0f} ms; "
        f"agents p50 {found['p50_ms']:.0f} ms, p99 {found['p99_ms']:.0f} ms; memory +{grown:.0f} MiB"
    )


def _speakers(widgets: list[Widget]) -> Callable[[], Awaitable[None]]:
    turns = itertools.cycle(random.Random(7).sample(widgets, len(widgets)))
    return lambda: next(turns).say()


def _webhooks(session: aiohttp.ClientSession, server: Trunkline) -> Callable[[], Awaitable[None]]:
    requests = iter(line_requests(_KNOWN + _BY_WEBHOOK * (_SECONDS + 1)))

    async def knock() -> None:
        head, _, body = next(requests).partition(b"\r\n\r\n")
        lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
        headers = {name: value for name, _, value in lines if name.lower() not in {"host", "content-length"}}
        async with session.post(f"{server.address}/webhooks/shop", data=body, headers=headers) as answer:
            answer.raise_for_status()

    return knock


async def _often(per_second: int, work: Callable[[], Awaitable[None]]) -> int:
    """Begin `work` so often, whether or not what was begun is done; returns how often it succeeded."""
    began, tasks = time.monotonic(), list[asyncio.Future[None]]()
    for number in range(per_second * _SECONDS):
        await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
        tasks.append(asyncio.ensure_future(work()))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return sum(result is None for result in results)


if __name__ == "__main__":
    print(asyncio.run(screen_figures()))
