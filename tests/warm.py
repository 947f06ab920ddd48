"""Commands from a process that has imported the program already: `run` and `start` are like those of subprocess.

A command of its own costs most of a second before it does anything. Here it is forked from a process without threads
that did nothing but import; it has its own folder, environment, files and exit code as any other.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any

from tests.house import ROOT

__all__ = ["Child", "run", "start"]

#: What most commands import.
_PROGRAM = (
    "aiosqlite",
    "alembic.autogenerate",
    "alembic.command",
    "rich.traceback",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "trunkline.cli",
    "trunkline.main",
    "typer.rich_utils",
    "uvloop",
)
_LONGEST = 200_000

Order = dict[str, Any]


class Child:
    """A command that runs."""

    def __init__(self, pid: int, stderr: IO[str] | None = None) -> None:
        self.pid, self.stderr = pid, stderr

    def wait(self, seconds: float) -> int:
        """Return the exit code, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        _nursery().settimeout(seconds)
        try:
            return _asked(wait=self.pid)
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            _nursery().settimeout(None)
            _answer()
            raise subprocess.TimeoutExpired("trunkline", seconds) from None
        finally:
            _nursery().settimeout(None)


def run(
    words: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `trunkline` with these words, and return how it ended and what it printed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = Child(_begun(words, cwd, env, out.fileno(), err.fileno())).wait(timeout)
        texts = [(file.seek(0), file.read())[1] for file in (out, err)]
    return subprocess.CompletedProcess(["trunkline", *words], code, *texts)


def start(words: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Child:
    """Start `trunkline` with these words; what it says on standard error can be read while it runs."""
    reading, writing = os.pipe()
    try:
        return Child(_begun(words, cwd, env, 1, writing), os.fdopen(reading))
    finally:
        os.close(writing)


def _begun(words: Sequence[str], cwd: Path | None, env: Mapping[str, str], *files: int) -> int:
    return _asked(files, argv=list(words), cwd=str(cwd or Path.cwd()), env=dict(env))


def _asked(files: Sequence[int] = (), **order: Any) -> int:
    socket.send_fds(_nursery(), [json.dumps(order).encode()], list(files))
    return _answer()


def _answer() -> int:
    return int(_nursery().recv(_LONGEST))


@functools.cache
def _nursery() -> socket.socket:
    """Return the line to the process that forks; it ends with the line."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        words = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
        process = subprocess.Popen(words, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    # In this order: the last that was registered is called first.
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


# ---------------------------------------------------------------- in the process that forks


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    # An interrupt is for pytest, which hangs up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in (*_PROGRAM, *(point.module for point in entry_points(group="trunkline"))):
        importlib.import_module(name)
    gc.freeze()
    order, files = _next_child(line)
    line.close()
    _become(order, files)
    from trunkline.cli import main as trunkline

    trunkline()


def _next_child(line: socket.socket) -> tuple[Order, list[int]]:
    """Answer orders; returns in each forked child, with what it is to do."""
    while True:
        data, files, _, _ = socket.recv_fds(line, _LONGEST, 4)
        if not data:
            sys.exit(0)
        order: Order = json.loads(data)
        if "wait" in order:
            found = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        elif not (found := os.fork()):
            return order, files
        for file in files:
            os.close(file)
        line.send(str(found).encode())


def _become(order: Order, files: list[int]) -> None:
    """Turn this child into the command that the order describes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    # As `python -m` begins: the folder, then what the environment names.
    sys.path[:1] = [order["cwd"], *filter(None, order["env"].get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["trunkline", *order["argv"]]


if __name__ == "__main__":
    main()
