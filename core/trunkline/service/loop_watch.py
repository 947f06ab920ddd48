"""A watchdog beside the event loop: while the loop stands still nothing on it can tell, so a thread does."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Sequence

from trunkline.log import get_logger

__all__ = ["LoopWatch"]

log = get_logger("loop")

#: The innermost calls are those that tell.
_FRAMES = 12


def _report(stack: Sequence[str]) -> None:
    log.warning("loop.blocked", stack=stack)


class LoopWatch:
    """Tells where the loop stands when it has not run for `limit_s` seconds; once each time."""

    def __init__(self, limit_s: float = 2.0, report: Callable[[Sequence[str]], object] = _report) -> None:
        #: `report` is called on the watching thread, with "file:line function", outermost first.
        self._limit_s, self._report = limit_s, report
        self._ran, self._stopped = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch the running loop."""
        self._beat(asyncio.get_running_loop())
        watched = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, args=(watched,), name="loop-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped = True
        self._ran.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ran.set()
        self._timer = loop.call_later(self._limit_s / 4, self._beat, loop)

    def _watch(self, watched: int) -> None:
        told = False
        while not self._stopped:
            if self._ran.wait(self._limit_s):
                self._ran.clear()
                told = False
            elif not told:
                told = True
                self._report(_stack(watched))


def _stack(thread: int) -> list[str]:
    """Return where a thread is; nothing if it has just ended."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way to another thread's stack
    frames = [] if frame is None else traceback.extract_stack(frame)[-_FRAMES:]
    return [f"{one.filename}:{one.lineno} {one.name}" for one in frames]
