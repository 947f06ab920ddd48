"""P1: between the receipt of a webhook and its 2xx lies a sync of the write-ahead log. Seen from outside, with strace.

Push run: 100 acks, about five seconds.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Rounds
from tests.promises.clients import Line, Wire, line_body, line_event
from tests.promises.conftest import Servers
from tests.promises.history import History

pytestmark = [pytest.mark.promise("P1"), pytest.mark.timeout(300)]

_CALLS = "trace=fdatasync,fsync,read,readv,recvfrom,recvmsg,sendto,sendmsg,write,writev,pwrite64"
_CALL = re.compile(r"^\d+\s+[\d.]+ (\w+)\((\d+)<([^>]*)>(.*)")
_DONE = re.compile(r"^(\d+)\s+[\d.]+ <\.\.\. (\w+) resumed>")


async def test_every_answer_waits_for_a_sync_of_the_log(
    servers: Servers, sqlite_url: str, history: History, rounds: Rounds, tmp_path: Path
) -> None:
    wanted = rounds(push=100, long=1_000)
    found = await _order(servers, sqlite_url, history, tmp_path, wanted=wanted, seeds={})
    assert found == {"synced": wanted}


async def test_a_server_that_answers_before_the_commit_is_seen(
    servers: Servers, sqlite_url: str, history: History, tmp_path: Path
) -> None:
    found = await _order(servers, sqlite_url, history, tmp_path, wanted=20, seeds={"ack_first": ""})
    assert found.get("unsynced", 0) > 0


async def _order(
    servers: Servers, url: str, history: History, folder: Path, *, wanted: int, seeds: dict[str, str]
) -> dict[str, int]:
    assert shutil.which("strace"), "This promise is proved with strace: apt-get install strace (make system does it)."
    trace = folder / "trace"
    under = ["strace", "-D", "-f", "-yy", "-ttt", "-s", "64", "-o", str(trace), "-e", _CALLS, "-e", "signal=none"]
    server = await servers(url, under=under, seeds=seeds)
    line, wire = Line(history), Wire(server.port)
    for number in range(wanted):
        status, _ = await line.post(wire, [f"s{number}"], line_body([line_event(f"s{number}")]))
        assert status == 200
    wire.close()
    await server.stop()
    return _judged(trace.read_text("utf-8", "replace").splitlines())


def _judged(lines: list[str]) -> dict[str, int]:
    """Count answers to webhooks by whether the log was synced since the request came in."""
    found: dict[str, int] = {}
    state = "idle"
    for step in _steps(lines):
        if step == "request":
            state = "unsynced"
        elif step == "sync" and state == "unsynced":
            state = "synced"
        elif step == "answer" and state != "idle":
            found[state] = found.get(state, 0) + 1
            state = "idle"
    return found


def _steps(lines: list[str]) -> Iterator[str]:
    """Yield "request", "sync" (when it has ended) and "answer" in the order of the trace."""
    syncing: set[str] = set()
    for line in lines:
        thread = line.split(None, 1)[0]
        if done := _DONE.match(line):
            if "sync" in done[2] and thread in syncing:
                syncing.discard(thread)
                yield "sync"
            elif "POST /webhooks" in line:
                yield "request"
        elif call := _CALL.match(line):
            if "sync" in call[1] and "unfinished" in call[4]:
                syncing |= {thread} if call[3].endswith("-wal") else set()
            else:
                yield _step(call[1], call[3], call[4])


def _step(name: str, target: str, rest: str) -> str:
    if "sync" in name:
        return "sync" if target.endswith("-wal") else "other"
    if "TCP" not in target:
        return "other"
    return "request" if "POST /webhooks" in rest else "answer" if "HTTP/1.1 200" in rest else "other"
