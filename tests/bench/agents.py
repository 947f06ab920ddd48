"""Agents on the live feed, in a process of their own: they count events and measure how late they come."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import datetime

import aiohttp

__all__ = ["Agents"]


class Agents:
    """A number of agents that listen; `results` ends them."""

    def __init__(self, address: str, token: str, count: int) -> None:
        self._arguments = [address, token, str(count)]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Return when all of them listen."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.agents", *self._arguments, stdin=-1, stdout=-1
        )
        assert self._process.stdout is not None
        await self._process.stdout.readline()

    async def results(self) -> dict[str, float]:
        """Return {"events": …, "p50_ms": …, "p99_ms": …} over all agents."""
        assert self._process is not None
        out, _ = await self._process.communicate(b"\n")
        found: dict[str, float] = json.loads(out)
        return found


async def _listen(
    session: aiohttp.ClientSession, address: str, token: str, ready: asyncio.Event, delays: list[float]
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with session.get(f"{address}/api/v1/threads?limit=1", headers=headers) as answer:
        cursor = (await answer.json())["stream_cursor"]
    async with session.ws_connect(f"{address}/api/v1/stream?cursor={cursor}", headers=headers) as socket:
        ready.set()
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT or '"type":"events"' not in message.data:
                continue
            now = time.time()
            # Parsing every event of every agent would measure this process; the newest of a frame tells its delay.
            at = message.data.rfind('"at":"', 0, 4000)
            stamp = message.data[at + 6 : at + 30]
            delays.append(now - datetime.fromisoformat(stamp).timestamp())


async def _main(address: str, token: str, count: int) -> None:
    delays: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        ready = [asyncio.Event() for _ in range(count)]
        tasks = [asyncio.create_task(_listen(session, address, token, event, delays)) for event in ready]
        await asyncio.gather(*(event.wait() for event in ready))
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    ordered = sorted(delays) or [0.0]
    shares = {"p50_ms": 0.5, "p99_ms": 0.99}
    print(
        json.dumps(
            {"events": len(delays), **{k: ordered[int((len(ordered) - 1) * v)] * 1000 for k, v in shares.items()}}
        )
    )


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
