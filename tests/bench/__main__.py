"""`make bench`: our ingest beside a bare handler and the field, interleaved in one run, as ratios.

python -m tests.bench [--rounds 3] [--requests 6000] [--messages 1000000] [--only NAME …]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.bench.agents import Agents
from tests.bench.archive import archive_figures
from tests.bench.connectors import connector_figures
from tests.bench.databases import postgres_url
from tests.bench.load import Load
from tests.bench.outbox import outbox_rate
from tests.bench.payloads import line_requests, whatsapp_requests
from tests.bench.screens import screen_figures
from tests.bench.servers import Everything, Peer, Server, Trunkline
from trunkline import log
from trunkline.demo.running import start_simulators
from trunkline.plugins import load_registry
from trunkline.testing.services import MovableClock

_WARM = 600


@dataclass
class Figures:
    """What the rounds of one scenario showed."""

    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    live_ms: list[float] = field(default_factory=list)
    refused: int = 0


@dataclass(frozen=True)
class Scenario:
    """One server and what it is sent."""

    name: str
    make: Callable[[], Server]
    requests: Callable[[int], list[bytes]] = line_requests
    agents: int = 0
    connections: int = 32


def scenarios() -> list[Scenario]:
    """Return everything that is compared."""
    return [
        Scenario("bare aiohttp", lambda: Peer("bare")),
        Scenario("trunkline, SQLite", Trunkline),
        Scenario("trunkline, SQLite, 50 agents", Trunkline, agents=50),
        Scenario("trunkline, PostgreSQL", lambda: Trunkline(postgres_url())),
        Scenario("trunkline, SQLite, 1 connection", Trunkline, connections=1),
        Scenario("line-bot-sdk", lambda: Peer("line_sdk")),
        Scenario("pywa", lambda: Peer("pywa_peer"), requests=whatsapp_requests),
        Scenario("nonebot2", lambda: Peer("nonebot_peer")),
    ]


@contextlib.asynccontextmanager
async def _listening(scenario: Scenario, server: Server) -> AsyncIterator[Agents | None]:
    if not scenario.agents or not isinstance(server, Trunkline):
        yield None
        return
    async with aiohttp.ClientSession() as session:
        token = await server.sign_in(session)
    agents = Agents(server.address, token, scenario.agents)
    await agents.start()
    yield agents


async def measure(scenario: Scenario, count: int, figures: Figures) -> None:
    """Run one round of a scenario."""
    if scenario.connections == 1:
        count //= 4
    async with scenario.make() as server, _listening(scenario, server) as agents:
        load = Load("127.0.0.1", server.port, scenario.connections)
        await load.run(iter(scenario.requests(_WARM)))
        requests = scenario.requests(count)
        before = server.cpu_s
        measured = await load.run(iter(requests))
        figures.cpu_us.append((server.cpu_s - before) / count * 1e6)
        figures.rates.append(measured.per_second)
        figures.p50_ms.append(measured.percentile_ms(0.5))
        figures.p99_ms.append(measured.percentile_ms(0.99))
        figures.refused += sum(n for status, n in measured.answers.items() if status >= 300)
        if agents is not None:
            figures.live_ms.append((await agents.results())["p99_ms"])


async def start_figures() -> AsyncIterator[str]:
    """Yield how long `trunkline serve` takes until it answers, and what it takes when idle."""
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        folder = Path(name)
        database = f"sqlite:///{folder}/one.db"
        yield await _started("one account, the first start: the database is made", Trunkline(database))
        yield await _started("one account", Trunkline(database))
        async with contextlib.AsyncExitStack() as stack:
            platforms = await start_simulators(load_registry(()), MovableClock(), stack)
            words = f"{len(platforms)} accounts, one of every channel"
            async with Everything(folder, platforms):
                pass  # The database is made.
            yield await _started(words, Everything(folder, platforms))


async def _started(words: str, server: Server) -> str:
    began = time.perf_counter()
    async with server:
        seconds, cpu_s = time.perf_counter() - began, server.cpu_s
        await asyncio.sleep(2)
        return (
            f"trunkline serve, {words}: ready in {seconds:.2f} s ({cpu_s:.2f} s CPU), {server.memory_mib:.0f} MiB idle"
        )


def show(console: Console, found: dict[str, Figures]) -> None:
    """Print the table of ratios."""
    table = Table(title="Signed webhook to 200; medians over the rounds; ratio and CPU to the bare handler")
    for heading in ("", "ratio", "per second", "CPU µs", "CPU ×", "ack p50 ms", "ack p99 ms", "live p99 ms", "refused"):
        table.add_column(heading, justify="left" if not heading else "right")
    median = statistics.median
    bare = found.get("bare aiohttp")
    for name, figures in found.items():
        rate, cpu = median(figures.rates), median(figures.cpu_us)
        ratio = f"{rate / median(bare.rates):.3f}" if bare else "–"
        times = f"{cpu / median(bare.cpu_us):.1f}" if bare else "–"
        live = f"{median(figures.live_ms):.1f}" if figures.live_ms else "–"
        latencies = (f"{median(figures.p50_ms):.1f}", f"{median(figures.p99_ms):.1f}")
        table.add_row(name, ratio, f"{rate:,.0f}", f"{cpu:.0f}", times, *latencies, live, str(figures.refused))
    console.print(table)


async def main() -> None:
    """Run all rounds, each scenario once per round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--messages", type=int, default=1_000_000, help="in the store of the last scenario")
    parser.add_argument("--only", nargs="*", default=[], help="parts of the scenarios' names")
    asked = parser.parse_args()
    # As in the server's processes: what nobody reads must not be measured.
    log.configure(level="ERROR")
    console = Console()
    chosen = [one for one in scenarios() if not asked.only or any(part in one.name for part in ["bare", *asked.only])]
    found = {scenario.name: Figures() for scenario in chosen}
    with Progress(console=console) as progress:
        task = progress.add_task("rounds", total=asked.rounds * len(chosen))
        for _ in range(asked.rounds):
            for scenario in chosen:
                progress.update(task, description=scenario.name)
                await measure(scenario, asked.requests, found[scenario.name])
                progress.advance(task)
    show(console, found)
    if not asked.only or "start" in asked.only:
        async for line in start_figures():
            console.print(line)
    if not asked.only:
        console.print(await outbox_rate())
        console.print(await connector_figures())
        console.print(await screen_figures())
        await archive_figures(asked.messages, console)


if __name__ == "__main__":
    asyncio.run(main())
