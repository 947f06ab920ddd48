"""Background workers: a task that waits for a wake-up or a due time, takes a step, and outlives its failures.

A wake-up carries no work: what is to be done stands in the database, so a lost one costs at most one poll.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from trunkline.contract import Clock
from trunkline.errors import StoreUnavailable
from trunkline.log import get_logger

__all__ = ["Worker"]

log = get_logger("service")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Worker(ABC):
    """Base of everything that works in the background.

    `name` is what `tx.wake(name)` calls. A subclass writes `step`; long work goes through `spawn`, so that
    one slow platform does not hold up the others.
    """

    def __init__(self, name: str, clock: Clock, *, poll_s: float = 30.0) -> None:
        self.name = name
        self.clock = clock
        self._poll_s = poll_s
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stepping = asyncio.Lock()
        self._main: asyncio.Task[None] | None = None
        self._children: set[asyncio.Task[None]] = set()
        self._failures = 0

    @abstractmethod
    async def step(self) -> int | None:
        """Do what is due now and say when to be called again.

        Returns milliseconds since the epoch (now or earlier: at once), None to wait for a wake-up. Called by
        one task at a time. What it raises is logged and tried again after a pause.
        """

    @property
    def stopping(self) -> bool:
        """Whether no new work may be begun."""
        return self._stopping.is_set()

    @property
    def busy(self) -> int:
        """How many spawned pieces of work are under way."""
        return len(self._children)

    def wake(self) -> None:
        """Take a step soon. Call it on the event loop; waking a worker that is awake costs nothing."""
        self._woken.set()

    async def start(self) -> None:
        """Begin; the first step is taken at once."""
        if self._main is None:
            self._stopping.clear()
            self._woken.set()
            self._main = asyncio.create_task(self._run(), name=f"worker-{self.name}")

    async def stop(self, grace_s: float = 5.0) -> None:
        """Begin nothing new, let what is under way finish for `grace_s` seconds, then cut it off."""
        self._stopping.set()
        self._woken.set()
        tasks = {task for task in (self._main, *self._children) if task is not None}
        self._main = None
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def settle(self) -> None:
        """Take steps until nothing is due and nothing is under way; for tests and for runs on demand."""
        while True:
            self._woken.clear()
            due = await self._step()
            if self._children:
                await asyncio.wait(set(self._children))
            elif not self._woken.is_set() and (due is None or due > self.clock.now_ms()):
                return

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run `work` beside the steps; the worker is woken when it ends."""
        task = asyncio.create_task(self._guard(work), name=f"worker-{self.name}-work")
        self._children.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._children.discard(task)
        self.wake()

    async def _run(self) -> None:
        while not self.stopping:
            self._woken.clear()
            try:
                due = await self._step()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - isolation point: a worker outlives any failure of a step
                await self._pause(error)
            else:
                await self._rest(due)

    async def _step(self) -> int | None:
        # `settle` may be called beside the task that runs: what that one took, but has not spawned yet, counts.
        async with self._stepping:
            return await self.step()

    async def _guard(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - isolation point: one piece of work does not stop the others
            self._report(error)

    async def _rest(self, due: int | None) -> None:
        """Wait for a wake-up, the due time, or the poll, whichever comes first."""
        wait_s = self._poll_s if due is None else min(self._poll_s, (due - self.clock.now_ms()) / 1000)
        if wait_s <= 0:
            await asyncio.sleep(0)
            return
        # A timer that wakes is cheaper than a time-out that cancels, and every commit may wake a few workers.
        alarm = asyncio.get_running_loop().call_later(wait_s, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            alarm.cancel()

    async def _pause(self, error: Exception) -> None:
        """Wait after a failure, longer each time; only a stop ends the wait early."""
        self._report(error)
        self._failures += 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10))
        await _within(self._stopping, pause_s)

    def _report(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            log.warning("worker.delayed", worker=self.name, error_code=error.code)
        else:
            log.error("worker.failed", worker=self.name, error=type(error).__name__, exc_info=error)


async def _within(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
