"""Outbox throughput: queued replies through the real dispatcher and the guarded client to a loopback platform.

Beside it, in the same run, what aiohttp's client alone sends to the same platform.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Sequence

import aiohttp
import httpx2
from sqlalchemy import func, select

from tests.bench.servers import Peer
from tests.core.outbox_yard import Platform, Yard, capabilities, text_of, yes
from trunkline.clock import SystemClock
from trunkline.contract import Accepted, OutboundMessage
from trunkline.service.platform_http import build_client
from trunkline.store import LogRow, Store, schema

__all__ = ["outbox_rate"]

_THREADS, _EACH, _CONCURRENCY = 300, 10, 32
_LONGEST_S = 120.0


class _OverHttp(Platform):
    """Sends each message with one POST."""

    def __init__(self, base: str, client: httpx2.AsyncClient) -> None:
        super().__init__()
        self._url, self._client = f"{base}/send", client

    async def deliver(self, message: OutboundMessage) -> Accepted:
        body = {"to": message.to.external_id, "text": text_of(message), "key": message.key}
        answer = await self._client.post(self._url, json=body)
        return yes(answer.json()["id"])


async def outbox_rate() -> str:
    """Return one line: sends per second, their ratio to aiohttp's client alone, and CPU per send."""
    async with Peer("platform") as platform:
        host = f"127.0.0.1:{platform.port}"
        bare = await _bare_rate(f"http://{host}/send")
        seconds, cpu_us = await _through_the_house(host)
    rate = _THREADS * _EACH / seconds
    return (
        f"outbox: {rate:,.0f} sends/s to a loopback platform, {rate / bare:.2f} of aiohttp's client alone "
        f"({bare:,.0f}/s), {cpu_us:.0f} µs CPU per send"
    )


async def _bare_rate(url: str) -> float:
    """Return how many such requests a second aiohttp's client sends over as many connections."""
    numbers = iter(range(_THREADS * _EACH))

    async def send(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            body = {"to": f"customer {number}", "text": f"r{number}", "key": str(number)}
            async with session.post(url, json=body) as answer:
                await answer.json()

    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        await asyncio.gather(*(send(session) for _ in range(_CONCURRENCY)))
    return _THREADS * _EACH / (time.perf_counter() - began)


async def _through_the_house(host: str) -> tuple[float, float]:
    """Queue all replies, then send them; returns the seconds it took and the CPU per send."""
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        store = Store(f"sqlite:///{folder}/outbox.db")
        await store.open()
        async with build_client([], allow_hosts=[host]) as client:
            yard = Yard(store, SystemClock())
            await yard.account(_OverHttp(f"http://{host}", client), capabilities(concurrency=_CONCURRENCY))
            threads = [await yard.thread() for _ in range(_THREADS)]
            await asyncio.gather(*(yard.post(one, *[f"r{n}" for n in range(_EACH)]) for one in threads))
            gc.freeze()  # As `serve` does when it is ready.
            figures = await _drain(yard, store)
        await store.close()
    return figures


async def _drain(yard: Yard, store: Store) -> tuple[float, float]:
    def wake(_rows: Sequence[LogRow], wakes: set[str]) -> None:
        if "outbox" in wakes:
            yard.outbox.wake()

    store.writer.listen(wake)
    began, cpu = time.perf_counter(), time.process_time()
    await yard.outbox.start()
    left = select(func.count()).select_from(schema.delivery).where(schema.delivery.c.state != "sent")
    async with asyncio.timeout(_LONGEST_S):
        while True:
            async with store.read() as connection:
                if not (await connection.execute(left)).scalar():
                    break
            await asyncio.sleep(0.05)
    seconds = time.perf_counter() - began
    cpu_us = (time.process_time() - cpu) / (_THREADS * _EACH) * 1e6
    await yard.outbox.stop()
    return seconds, cpu_us
