"""Real `trunkline serve` processes: started, watched, stopped and killed by their number."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.house import ROOT
from tests.ports import free_port
from tests.promises.clients import SECRET, ask
from tests.promises.waiting import PATIENCE_S, until

__all__ = ["Nursery", "Server", "line_account"]

_COMMANDS = itertools.count(1)


def line_account(
    name: str = "shop", *, api: str = "http://127.0.0.1:1", settings: Mapping[str, Any] | None = None, **more: Any
) -> str:
    """Return the TOML of one LINE account; by default its platform is out of reach.

    `settings` are all of them, such as those of a simulator; `more` are added.
    """
    given = (
        dict(settings)
        if settings is not None
        else {
            "channel_id": "1234567890",
            "channel_secret": SECRET,
            "access_token": "invented-token",
            "api_base": api,
            "data_base": api,
        }
    )
    given |= more
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in given.items())
    return f'[[accounts]]\nid = "{name}"\nconnector = "line"\n[accounts.settings]\n{lines}\n'


class Nursery:
    """The process that forks servers; one for the whole run."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.promises.serve", "--nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, **order: Any) -> dict[str, Any]:
        """Send one order and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End it. Its servers were ended by the tests."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(30)


class Server:
    """One `trunkline serve` with its own folder; may be started again after it ended."""

    def __init__(
        self,
        nursery: Nursery,
        folder: Path,
        database_url: str,
        *,
        config: str = "",
        accounts: str | None = None,
        seeds: Mapping[str, object] | None = None,
        under: Sequence[str] = (),
    ) -> None:
        self._nursery, self._folder = nursery, folder
        self.database_url, self.port = database_url, free_port()
        self.seeds: dict[str, object] = dict(seeds or {})
        self._under = list(under)
        #: More environment, such as what a seed looks at.
        self.environment: dict[str, str] = {}
        self.pid = 0
        self._own: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "trunkline.toml"
        self.config.write_text(self._text(config, line_account() if accounts is None else accounts))

    def _text(self, config: str, accounts: str) -> str:
        sections = {
            "server": f'listen = "127.0.0.1:{self.port}"\nmetrics_listen = "off"\n'
            f'public_url = "{self.address}"\nallow_hosts = {json.dumps(_hosts(accounts))}\n',
            "database": f"url = {json.dumps(self.database_url)}\n",
            "log": 'level = "WARNING"\nformat = "json"\n',
            "media": "free_space_floor = 0\n",
        }
        written = "".join(f"[{name}]\n{text}" for name, text in sections.items() if f"[{name}]" not in config)
        return f"{written}{config}\n{accounts}"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        seeds = ",".join(f"{name}={value}" for name, value in self.seeds.items())
        # The key is given, so that two processes on one PostgreSQL have the same.
        key = "bm90LWEtc2VjcmV0LWp1c3QtZm9yLXRlc3RzLTMyYiE="
        return {"TRUNKLINE_SECRET_KEY": key, "TRUNKLINE_SEED": seeds, **self.environment}

    async def start(self, *, wait: bool = True) -> None:
        """Start it and wait until it is ready; `wait=False` returns at once."""
        self.launch()
        if wait:
            await self.until_ready()

    def launch(self, *argv: str) -> None:
        """Start a process of our own with any command line, `serve` by default."""
        given = list(argv) or ["serve", "--config", str(self.config)]
        journal = self.log_file
        if self._under:
            with journal.open("ab") as stream:
                self._own = subprocess.Popen(
                    [*self._under, sys.executable, "-m", "tests.promises.serve", *given],
                    cwd=ROOT,
                    env={**os.environ, **self.environ},
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                )
            self.pid = self._own.pid
            return
        self.pid = self._fork(given, journal)

    def _fork(self, argv: Sequence[str], journal: Path) -> int:
        order = {"argv": list(argv), "environment": self.environ, "journal": str(journal)}
        pid: int = self._nursery.ask(do="start", **order)["pid"]
        return pid

    async def command(self, *words: str) -> tuple[int, str]:
        """Run another command with this server's configuration and seeds; returns its exit code and what it said."""
        said = self._folder / f"command-{next(_COMMANDS)}.log"
        pid = self._fork([*words, "--config", str(self.config)], said)
        code = await self._outcome(lambda: self._ended(pid), lambda: f"`trunkline {' '.join(words)}` does not end.")
        return code, said.read_text("utf-8", "replace")

    async def until_ready(self) -> None:
        """Wait for /health/ready to say yes.

        Raises:
            AssertionError: it ended, or was not ready in time; with its last words.
        """

        async def up() -> bool:
            if (code := self.poll()) is not None:
                raise AssertionError(f"The server ended with {code}: {self._last()}")
            return await self.ready()

        await until(up, lambda: f"The server is not ready: {self._last()}", every_s=0.01)

    async def ready(self) -> bool:
        """Whether it says that it can do its work."""
        return await self.ask("/health/ready") == 200

    async def ask(self, path: str) -> int:
        """Return the status of one GET; 0 when there is no answer."""
        return await ask(self.port, path)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """Kill -9, and gone."""
        if self.pid:
            self.signal(signal.SIGKILL)
            await self.wait()

    async def stop(self, *, seconds: float = PATIENCE_S) -> int:
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return await self.wait(seconds=seconds)

    async def wait(self, *, seconds: float = PATIENCE_S) -> int:
        """Wait until it ends; returns the exit code, negative for a signal.

        Raises:
            AssertionError: it did not end in time.
        """
        code = await self._outcome(self.poll, lambda: f"The server does not end: {self._last()}", seconds)
        self.pid = 0
        return code

    async def _outcome(
        self, ended: Callable[[], int | None], words: Callable[[], str], seconds: float = PATIENCE_S
    ) -> int:
        codes: list[int] = []

        def look() -> bool:
            code = ended()
            codes.extend([] if code is None else [code])
            return bool(codes)

        await until(look, words, seconds=seconds)
        return codes[0]

    def _last(self) -> str:
        return self.journal()[-2000:]

    def poll(self) -> int | None:
        """Return the exit code, None while it lives."""
        return self._own.poll() if self._own is not None else self._ended(self.pid)

    def _ended(self, pid: int) -> int | None:
        code: int | None = self._nursery.ask(do="poll", pid=pid)["code"]
        return code

    def journal(self) -> str:
        """Return what it wrote to standard output and error, over all starts."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    @property
    def log_file(self) -> Path:
        return self._folder / "stderr.log"

    def limit_files(self, size: int | None) -> None:
        """Let none of its files grow beyond `size` bytes from now on, as on a full disk; None lifts that."""
        limit = psutil.RLIM_INFINITY if size is None else size
        psutil.Process(self.pid).rlimit(psutil.RLIMIT_FSIZE, (limit, psutil.RLIM_INFINITY))

    def rss(self) -> int:
        """Return the resident memory in bytes."""
        return int(psutil.Process(self.pid).memory_info().rss)


def _hosts(accounts: str) -> list[str]:
    """Return the loopback platforms that the accounts name: a connector may speak to no other."""
    return sorted(set(re.findall(r"http://(127\.0\.0\.1:\d+)", accounts)))
