"""Nothing behind our back: no socket, no file, no clock while a pure function runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from trunkline.testing.conformance.checks import Broken
from trunkline.testing.services import HandClock

__all__ = ["WatchedClock", "pure"]

#: Events of Python's own audit that are I/O.
_IO = ("open", "socket.", "subprocess.", "os.", "shutil.", "urllib.", "http.client.", "sqlite3.", "ftplib.", "pathlib.")
_seen: list[str] | None = None


class WatchedClock(HandClock):
    """A clock moved by hand that tells when it is read where nothing may read it."""

    def now_ms(self) -> int:
        if _seen is not None:
            _seen.append("the clock")
        return super().now_ms()


def _hear(event: str, _arguments: tuple[Any, ...]) -> None:
    if _seen is not None and event.startswith(_IO):
        _seen.append(event)


@cache
def _listen() -> None:
    """Listen for good: an audit hook cannot be taken away, and costs nothing while nobody watches."""
    sys.addaudithook(_hear)


@contextmanager
def pure(what: str) -> Iterator[None]:
    """Raise Broken if the block opens a file or a socket, starts a process or reads a clock."""
    global _seen  # noqa: PLW0603 - an audit hook is one for the process
    _listen()
    clocks = {name: getattr(time, name) for name in ("time", "time_ns")}
    seen = _seen = []
    for name, real in clocks.items():
        setattr(time, name, _told(seen, real))
    try:
        yield
    finally:
        _seen = None
        for name, real in clocks.items():
            setattr(time, name, real)
    if seen:
        raise Broken(f"{what} used {', '.join(sorted(set(seen)))}")


def _told(seen: list[str], real: Any) -> Any:
    def clock() -> Any:
        seen.append("the clock")
        return real()

    return clock
