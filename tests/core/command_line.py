"""Running the real `trunkline` command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests import warm


@dataclass
class Command:
    """The command in a folder of its own, with the plugins of a shelf."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, code: int = 0, **variables: str) -> Done:
        done = warm.run(words, cwd=self.folder, env=self._environment(variables))
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Done(done.stdout, done.stderr)

    def from_cold(self, *words: str) -> str:
        """Run it as a shell does, with everything still to be imported, and return what it printed."""
        command = [sys.executable, "-m", "trunkline.cli", *words]
        environment = self._environment({})
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=True
        ).stdout

    @contextmanager
    def serving(self, *words: str, **variables: str) -> Iterator[Served]:
        """Run `trunkline serve` until the block ends; it must then leave with 0."""
        process = warm.start(
            ["serve", "--listen", "127.0.0.1:0", *words], cwd=self.folder, env=self._environment(variables)
        )
        assert process.stderr is not None
        with process.stderr:
            try:
                yield Served(_address(process.stderr), process.pid)
            finally:
                os.kill(process.pid, signal.SIGTERM)
                rest = process.stderr.read()
                assert process.wait(60) == 0, rest

    def write(self, text: str, name: str = "trunkline.toml") -> Path:
        file = self.folder / name
        file.write_text(text, encoding="utf-8")
        return file

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
        # Two tests at once must not want one port for metrics.
        return {**kept, "TRUNKLINE_SERVER__METRICS_LISTEN": "off", **self.variables, **variables}


@dataclass(frozen=True)
class Done:
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one sentence that a failure prints, last."""
        assert "Traceback" not in self.err
        (line,) = [line for line in self.err.splitlines() if line.startswith("trunkline: ")]
        assert self.err.endswith(f"{line}\n")
        return line.removeprefix("trunkline: ")

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Served:
    address: str
    pid: int


def _address(stream: IO[str]) -> str:
    seen = []
    for line in stream:
        seen.append(line)
        if line.startswith("{") and (entry := json.loads(line)).get("event") == "service.ready":
            address: str = entry["address"]
            return address
    raise AssertionError("it did not start:\n" + "".join(seen))
