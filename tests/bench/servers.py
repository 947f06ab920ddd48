"""The servers under load, each a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import aiohttp
import psutil

from tests.bench.payloads import SECRET
from trunkline.demo.running import configuration
from trunkline.testing.simulator import Simulator

__all__ = ["Everything", "Peer", "Server", "Trunkline"]

_ROOT = Path(__file__).parents[2]
_READY_S = 60.0


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Server:
    """A process that answers on a port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = tempfile.TemporaryDirectory(prefix="trunkline-bench-")
        self.log = Path(self.folder.name) / "log"

    def command(self) -> list[str]:
        """Return what to run."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        with self.log.open("wb") as log:
            environment = {**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONWARNINGS": "ignore"}
            self.process = subprocess.Popen(self.command(), cwd=_ROOT, stdout=log, stderr=log, env=environment)
        await self._answers()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, 20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.folder.cleanup()

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time used so far."""
        assert self.process is not None
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        assert self.process is not None
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    async def _answers(self) -> None:
        async with asyncio.timeout(_READY_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self.process is not None
                    if self.process.poll() is not None:
                        raise RuntimeError(self.log.read_text()[-2000:]) from None
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    return


class Peer(Server):
    """A module of `tests.bench.peers`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def command(self) -> list[str]:
        return [sys.executable, "-m", f"tests.bench.peers.{self._name}", str(self.port)]


class Everything(Server):
    """`trunkline serve` with an account of every channel that is installed, as the demo has them."""

    def __init__(self, folder: Path, platforms: Mapping[str, tuple[str, Simulator]]) -> None:
        super().__init__()
        self._folder, self._platforms = folder, dict(platforms)

    def command(self) -> list[str]:
        address = f"127.0.0.1:{self.port}"
        file = self._folder / "trunkline.toml"
        file.write_text(configuration(self._folder, self._platforms, address))
        return [sys.executable, "-m", "trunkline.cli", "serve", "--config", str(file), "--listen", address]


class Trunkline(Server):
    """`trunkline serve` with one LINE account, and `more` in its configuration."""

    def __init__(self, database: str | None = None, api_base: str = "http://127.0.0.1:9", more: str = "") -> None:
        super().__init__()
        self._more = more
        self._database = database or f"sqlite:///{self.folder.name}/bench.db"
        self._api_base = api_base

    def command(self) -> list[str]:
        file = Path(self.folder.name) / "trunkline.toml"
        host = json.dumps(self._api_base.partition("//")[2])
        base = json.dumps(self._api_base)
        settings = f'channel_id = "1", channel_secret = "{SECRET}", access_token = "invented-token"'
        file.write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\nallow_hosts = [{host}]\nmetrics_listen = "off"\n'
            f'[log]\nlevel = "ERROR"\n[database]\nurl = {json.dumps(self._database)}\n'
            f'[[accounts]]\nid = "shop"\nconnector = "line"\n'
            f"settings = {{ {settings}, api_base = {base}, data_base = {base} }}\n{self._more}"
        )
        return [sys.executable, "-m", "trunkline.cli", "serve", "--config", str(file)]

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def sign_in(self, session: aiohttp.ClientSession) -> str:
        """Make the first admin with the one-time link and return a token."""
        found = None
        async with asyncio.timeout(_READY_S):
            while found is None:
                found = re.search(r"token=(\S+)", self.log.read_text())
                await asyncio.sleep(0.05)
        person = {"name": "Ada", "email": "ada@bench.example", "password": "plum kettle orbit lantern"}
        async with session.post(f"{self.address}/api/v1/setup", json={"token": found[1], **person}) as answer:
            answer.raise_for_status()
            return str((await answer.json())["token"])
