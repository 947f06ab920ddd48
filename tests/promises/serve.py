"""The servers of the promise tests: the real command line, with the breaks that TRUNKLINE_SEED names.

`python -m tests.promises.serve serve --config FILE` runs one command. With `--nursery` alone it imports the program
once and then forks a server for every order on its standard input (one JSON object a line), because a start costs a
tenth of a second that way and hundreds of rounds need hundreds of starts.

Orders: {"do": "start", "argv": […], "environment": {…}, "journal": path} → {"pid": n};
{"do": "poll", "pid": n} → {"code": n or null} (negative: the signal that ended it).
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any

from tests.promises.seeds import plant

#: What a server imports by the time it is ready.
_PROGRAM = (
    "alembic.autogenerate",
    "alembic.command",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "trunkline.cli",
    "trunkline.cli.serving",
    "trunkline.main",
    "trunkline_desk.application",
    "trunkline_line.connector",
    "uvloop",
)

Order = dict[str, Any]


def main() -> None:
    if sys.argv[1:] == ["--nursery"]:
        sys.argv = ["trunkline", *_become(_nurse())]
    from trunkline.cli import main as trunkline

    plant(os.environ.get("TRUNKLINE_SEED", ""))
    trunkline()


def _nurse() -> Order:
    """Answer orders; returns in each forked child with the order that it is to carry out."""
    for name in _PROGRAM:
        importlib.import_module(name)
    while line := sys.stdin.buffer.readline():
        order: Order = json.loads(line)
        if order["do"] == "poll":
            _answer(code=_ended(order["pid"]))
            continue
        if not (pid := os.fork()):
            return order
        _answer(pid=pid)
    sys.exit(0)


def _become(order: Order) -> list[str]:
    """Turn this child into the process that the order describes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.update(order["environment"])
    journal = os.open(order["journal"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (journal, 1), (journal, 2)):
        os.dup2(ours, theirs)
    argv: list[str] = order["argv"]
    return argv


def _ended(pid: int) -> int | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if found else None


def _answer(**values: int | None) -> None:
    sys.stdout.buffer.write(json.dumps(values).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
