"""Starting and ending the demo: simulators, a house of its own in a temporary folder, the page."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trunkline.demo.company import play
from trunkline.demo.page import Phone, add_demo_page
from trunkline.errors import StartRefused
from trunkline.log import configure, get_logger
from trunkline.main import open_house, serve_house
from trunkline.plugins import Registry, load_registry
from trunkline.settings import load_settings

if TYPE_CHECKING:
    from trunkline.service.house import House
    from trunkline.testing.simulator import Simulator

__all__ = ["Demo", "demo", "run_demo"]

log = get_logger("demo")

_USUAL = "127.0.0.1:8080"


class Demo:
    """A running demo: its address, its house and its simulators by connector name."""

    def __init__(
        self, address: str, house: House, simulators: dict[str, Simulator], doors: list[tuple[str, str]]
    ) -> None:
        self.address, self.house, self.simulators = address, house, simulators
        #: (name, one-time address) of the invented agents.
        self.doors = doors


async def demo(listen: str | None = None, *, say: Callable[[str], object] = print) -> None:
    """Run the demo until Ctrl-C."""
    configure(level="WARNING")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with run_demo(listen) as running:
        say(f"\nThe demo runs. Open this address:\n\n  {running.address}/\n")
        say("Customers write at the left, each in their place; answer them in the inbox at the right.")
        say("Press Ctrl-C to end it; nothing is kept.\n")
        await stopping.wait()


@contextlib.asynccontextmanager
async def run_demo(listen: str | None = None, *, script: bool = True) -> AsyncIterator[Demo]:
    """Start everything; yields when the page can be opened."""
    registry = load_registry(())
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-demo-")))
        simulators = await _simulators(registry, stack)
        file = folder / "trunkline.toml"
        address = listen if listen and not listen.endswith(":0") else _free_address(listen or _USUAL)
        file.write_text(_configuration(folder, simulators, address), encoding="utf-8")
        house = await stack.enter_async_context(open_house(load_settings(file), registry=registry))
        house.is_demo = True
        doors = [door for one in house.applications.values() for door in await one.demonstrate()]
        phones = [Phone(simulator.title, f"{simulator.url}/") for simulator in simulators.values()]
        inbox = doors[0][1] if doors else "/inbox/"
        add_page = functools.partial(add_demo_page, phones=phones, inbox=inbox)
        address = await stack.enter_async_context(serve_house(house, address, add_routes=add_page))
        for scene, (name, simulator) in enumerate(simulators.items()):
            simulator.webhook_url = f"{address}/webhooks/demo-{name}"
            if script:
                task = asyncio.create_task(play(simulator, scene), name=f"demo-{name}")
                stack.push_async_callback(_end, task)
        yield Demo(address, house, simulators, doors)


def _free_address(wanted: str) -> str:
    """Return the wanted address with the port it gets, or a free one if it is taken."""
    for listen in (wanted, "127.0.0.1:0"):
        host, _, port = listen.rpartition(":")
        with contextlib.suppress(OSError), socket.create_server((host, int(port))) as found:
            return f"{host}:{found.getsockname()[1]}"
    raise StartRefused("No address of this machine can be opened: choose one with --listen.")


async def _simulators(registry: Registry, stack: contextlib.AsyncExitStack) -> dict[str, Simulator]:
    found: dict[str, Simulator] = {}
    for name, spec in registry.connectors.items():
        if spec.simulator is not None:
            module, _, kind = spec.simulator.partition(":")
            found[name] = await stack.enter_async_context(getattr(import_module(module), kind)())
    return found


def _configuration(folder: Path, simulators: dict[str, Simulator], address: str) -> str:
    """Return the demo's trunkline.toml."""
    hosts = [simulator.url.partition("//")[2] for simulator in simulators.values()]
    lines = [
        "[server]",
        f"public_url = {json.dumps(f'http://{address}')}",
        f"allow_hosts = {json.dumps(hosts)}",
        'metrics_listen = ""',
        "[database]",
        f"url = {json.dumps(f'sqlite:///{folder}/demo.db')}",
        "[log]",
        'level = "WARNING"',
    ]
    for name, simulator in simulators.items():
        lines += ["[[accounts]]", f'id = "demo-{name}"', f'connector = "{name}"', "[accounts.settings]"]
        lines += [f"{key} = {_toml(value)}" for key, value in simulator.settings().items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Return a value as TOML writes it; JSON's strings, numbers and words are TOML's too."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
