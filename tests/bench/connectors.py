"""Every connector alone: how fast it proves and reads a text, and what one send costs beside a bare client.

Both ends run in one process: the rate of sending is a floor, the CPU that of both. python -m tests.bench.connectors
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table

from trunkline.contract import (
    Connector,
    ConnectorSpec,
    MessageReceived,
    OutboundMessage,
    PullRequest,
    PullRequested,
    Transport,
    TrustedBody,
    WebhookRequest,
)
from trunkline.model import Address, Author, AuthorKind, Text
from trunkline.plugins import load_registry
from trunkline.testing.phones import Action
from trunkline.testing.services import FakeServices, HandClock
from trunkline.testing.simulator import Simulator

__all__ = ["connector_figures"]

_READS, _PEOPLE, _AT_ONCE = 3000, 300, 16


def _pairs() -> list[tuple[ConnectorSpec, str, type[Simulator]]]:
    """Return every channel that platforms push to, with its simulator."""
    found = []
    for spec in load_registry(()).connectors.values():
        if spec.simulator is None or spec.pages is not None:
            continue
        module, _, name = spec.simulator.partition(":")
        kind = getattr(import_module(module), name)
        found += [(spec, channel.code, kind) for channel in spec.channels if _is_pushed(channel)]
    return found


def _is_pushed(channel: Any) -> bool:
    return channel.capabilities.receiving.transport is not Transport.HOSTED


async def _measure(spec: ConnectorSpec, channel: str, kind: type[Simulator]) -> tuple[float, float, float, float]:
    """Return texts read per second, CPU µs of one, sends per second, CPU µs of one."""
    clock = HandClock(round(time.time() * 1000))
    options = {"channel": channel} if kind.channels else {}
    async with kind(clock=clock, **options) as simulator:
        services = FakeServices(spec.config(**simulator.settings()), channel=channel, clock=clock)
        async with services:
            connector = spec.build(services)
            # One answer to each, for many platforms count what one customer may get.
            heard = [await _heard(simulator, simulator.add_customer(f"Mei {number}")) for number in range(_PEOPLE)]
            reads = _timed(_READS, lambda: _read(connector, heard[0]))
            sends = await _sent(connector, await _people(connector, heard))
            await connector.aclose()
    return *reads, *sends


async def _heard(simulator: Simulator, customer: str) -> WebhookRequest:
    """Let a customer write and return the request that the platform sends."""
    kept: list[bytes] = []
    original = simulator.webhook

    def webhook(body: bytes) -> WebhookRequest:
        kept.append(body)
        return original(body)

    simulator.webhook = webhook  # type: ignore[method-assign]  # to see what goes through it
    await simulator.act(customer, Action(kind="text", text="Hello, is the red bicycle still there? 你好"))
    return original(kept[-1])


async def _people(connector: Connector, heard: list[WebhookRequest]) -> list[MessageReceived]:
    """Return a message of everybody, pulled where the request only asks us to."""
    items = [item for request in heard for item in connector.parse(connector.authenticate(request))]
    asked = next((item for item in items if isinstance(item, PullRequested)), None)
    if asked is not None:
        page = await connector.pull(PullRequest(scope=asked.scope, token=asked.token))
        items = list(connector.parse(TrustedBody(page.raw)))
    people = {item.thread_key: item for item in items if isinstance(item, MessageReceived)}
    return list(people.values())


def _read(connector: Connector, request: WebhookRequest) -> None:
    connector.parse(connector.authenticate(request))


def _timed(count: int, work: Callable[[], None]) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        work()
    return count / (time.perf_counter() - began), (time.process_time() - cpu) / count * 1e6


async def _sent(connector: Connector, people: list[MessageReceived]) -> tuple[float, float]:
    """Send everybody a text."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def send(item: MessageReceived) -> None:
        async with turns:
            await connector.deliver(_message(item))

    await send(people[0])
    rest = people[1:]
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(send(item) for item in rest))
    return len(rest) / (time.perf_counter() - began), (time.process_time() - cpu) / len(rest) * 1e6


def _message(item: MessageReceived) -> OutboundMessage:
    key = str(uuid.uuid4())
    return OutboundMessage(
        delivery_id=key,
        thread_key=item.thread_key,
        to=Address(external_id=item.contact.external_id, aliases=item.contact.aliases),
        author=Author(kind=AuthorKind.AGENT, id="a"),
        parts=(Text(text="It is."),),
        key=key,
        window=None,
    )


async def connector_figures() -> Table:
    """Measure every channel."""
    table = Table(title="Connectors alone: prove and read one text; send one text to the simulator in the same process")
    for heading in ("channel", "read/s", "CPU µs", "sent/s", "CPU µs (both ends)"):
        table.add_column(heading, justify="left" if heading == "channel" else "right")
    for spec, channel, kind in _pairs():
        read, read_cpu, sent, sent_cpu = await _measure(spec, channel, kind)
        table.add_row(channel, f"{read:,.0f}", f"{read_cpu:.0f}", f"{sent:,.0f}", f"{sent_cpu:,.0f}")
    return table


if __name__ == "__main__":
    Console().print(asyncio.run(connector_figures()))
