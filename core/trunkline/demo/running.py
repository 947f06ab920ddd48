"""Starting and ending the demo: simulators, a house of its own in a temporary folder, the page."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trunkline.demo.company import play
from trunkline.demo.page import Phone, add_demo_page
from trunkline.errors import StartRefused
from trunkline.log import configure, get_logger
from trunkline.main import open_house, serve_house
from trunkline.plugins import Registry, load_registry
from trunkline.service.submissions.settings import SubmissionSetting, save_setting
from trunkline.settings import load_settings
from trunkline.testing.services import MovableClock

if TYPE_CHECKING:
    from trunkline.service.house import House
    from trunkline.testing.simulator import Simulator

__all__ = ["Demo", "configuration", "demo", "run_demo", "start_simulators"]

log = get_logger("demo")

_USUAL = "127.0.0.1:8080"


class Demo:
    """A running demo: its address, its house and its simulators by the name of connector or channel."""

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
        clock = MovableClock()
        platforms = await start_simulators(registry, clock, stack)
        simulators = {name: simulator for name, (_, simulator) in platforms.items()}
        file = folder / "trunkline.toml"
        address = listen if listen and not listen.endswith(":0") else _free_address(listen or _USUAL)
        file.write_text(configuration(folder, platforms, address), encoding="utf-8")
        house = await stack.enter_async_context(open_house(load_settings(file), clock=clock, registry=registry))
        house.is_demo = True
        # Everybody may leave a message, where the channel has forms.
        forms = SubmissionSetting(enabled=True)
        await house.store.writer.write(lambda tx: save_setting(tx, "deployment", "", forms, clock.now_ms()))
        clock.listeners.append(functools.partial(_jumped, house, stack.enter_context(_Tasks())))
        doors = [door for one in house.applications.values() for door in await one.demonstrate()]
        phones = [Phone(_title(registry, name, one), f"{one.url}/") for name, one in simulators.items()]
        inbox = doors[0][1] if doors else "/inbox/"
        add_page = functools.partial(add_demo_page, phones=phones, inbox=inbox)
        address = await stack.enter_async_context(serve_house(house, address, add_routes=add_page))
        for scene, (name, simulator) in enumerate(simulators.items()):
            simulator.webhook_url = f"{address}/webhooks/demo-{name}"
            if script:
                task = asyncio.create_task(play(simulator, scene), name=f"demo-{name}")
                stack.push_async_callback(_end, task)
        yield Demo(address, house, simulators, doors)


def _title(registry: Registry, name: str, simulator: Simulator) -> str:
    """Return the channel's title where one class simulates several, else the platform's."""
    _, channel = registry.channels.get(name, (None, None))
    return channel.title["en"] if channel is not None and simulator.channels else simulator.title


def _free_address(wanted: str) -> str:
    """Return the wanted address with the port it gets, or a free one if it is taken."""
    for listen in (wanted, "127.0.0.1:0"):
        host, _, port = listen.rpartition(":")
        with contextlib.suppress(OSError), socket.create_server((host, int(port))) as found:
            return f"{host}:{found.getsockname()[1]}"
    raise StartRefused("No address of this machine can be opened: choose one with --listen.")


class _Tasks(contextlib.AbstractContextManager["_Tasks"]):
    """Keeps short work alive until it is done."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="demo-jump")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def __exit__(self, *_: object) -> None:
        for task in self._open:
            task.cancel()


def _jumped(house: House, tasks: _Tasks, seconds: float) -> None:
    """Somebody moved the clock: what is due now is done now, and nobody is signed out by it."""

    async def catch_up() -> None:
        for application in house.applications.values():
            await application.jumped(round(seconds * 1000))
        house.wake({"*"})

    tasks.begin(catch_up())


async def start_simulators(
    registry: Registry, clock: MovableClock, stack: contextlib.AsyncExitStack
) -> dict[str, tuple[str, Simulator]]:
    """Start a platform for every channel that has one: (connector, simulator), by the name of connector or channel."""
    found: dict[str, tuple[str, Simulator]] = {}
    for name, spec in registry.connectors.items():
        if spec.simulator is None:
            continue
        module, _, attribute = spec.simulator.partition(":")
        kind = getattr(import_module(module), attribute)
        for channel in kind.channels or (None,):
            options = {} if channel is None else {"channel": channel}
            simulator = await stack.enter_async_context(kind(clock=clock, **options))
            found[channel or name] = (name, simulator)
    return found


def configuration(folder: Path, platforms: dict[str, tuple[str, Simulator]], address: str) -> str:
    """Return the demo's trunkline.toml."""
    hosts = [simulator.url.partition("//")[2] for _, simulator in platforms.values()]
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
    for name, (connector, simulator) in platforms.items():
        lines += ["[[accounts]]", f'id = "demo-{name}"', f'connector = "{connector}"', "[accounts.settings]"]
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
