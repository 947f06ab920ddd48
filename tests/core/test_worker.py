"""The base of all background workers: woken, on time, hard to kill and quick to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from tests.core.conftest import HandClock
from trunkline.errors import StoreUnavailable
from trunkline.service import worker as module
from trunkline.service.worker import Worker


class Recorder(Worker):
    """Runs `body` at every step and tells when a step has been taken."""

    def __init__(self, clock: HandClock, body: Callable[[int], Awaitable[int | None]]) -> None:
        super().__init__("recorder", clock)
        self.body = body
        self.steps = 0
        self.taken: asyncio.Queue[int] = asyncio.Queue()

    async def step(self) -> int | None:
        self.steps += 1
        try:
            return await self.body(self.steps)
        finally:
            self.taken.put_nowait(self.steps)


async def nothing(_: int) -> int | None:
    return None


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(module, "_LONGEST_PAUSE_S", 0.002)


async def test_the_first_step_is_taken_at_once_and_the_next_when_woken(clock: HandClock) -> None:
    worker = Recorder(clock, nothing)
    await worker.start()
    assert await worker.taken.get() == 1
    worker.wake()
    worker.wake()
    assert await worker.taken.get() == 2
    await worker.stop()
    assert worker.taken.empty()


async def test_a_wake_up_during_a_step_is_not_lost(clock: HandClock) -> None:
    async def wake_self(step: int) -> int | None:
        if step == 1:
            worker.wake()
        return None

    worker = Recorder(clock, wake_self)
    await worker.start()
    assert [await worker.taken.get() for _ in range(2)] == [1, 2]
    await worker.stop()


async def test_what_is_due_is_done_without_a_wake_up(clock: HandClock) -> None:
    async def due(step: int) -> int | None:
        return clock.now_ms() + (5 if step == 1 else 0) if step < 3 else None

    worker = Recorder(clock, due)
    await worker.start()
    assert [await worker.taken.get() for _ in range(3)] == [1, 2, 3]
    await worker.stop()


async def test_a_worker_outlives_whatever_a_step_raises(clock: HandClock) -> None:
    async def fail(step: int) -> int | None:
        if step < 4:
            raise (KeyError("bug") if step % 2 else StoreUnavailable())
        return None

    worker = Recorder(clock, fail)
    with capture_logs() as logs:
        await worker.start()
        assert [await worker.taken.get() for _ in range(4)] == [1, 2, 3, 4]
        await worker.stop()
    assert [entry["event"] for entry in logs] == ["worker.failed", "worker.delayed", "worker.failed"]


async def test_a_piece_of_work_that_fails_stops_nobody_and_wakes_the_worker(clock: HandClock) -> None:
    async def bug() -> None:
        raise KeyError("bug")

    async def begin(step: int) -> int | None:
        if step == 1:
            worker.spawn(bug())
        return None

    worker = Recorder(clock, begin)
    with capture_logs() as logs:
        await worker.start()
        assert [await worker.taken.get() for _ in range(2)] == [1, 2]
        await worker.stop()
    assert [entry["event"] for entry in logs] == ["worker.failed"]


async def test_a_stop_lets_work_finish(clock: HandClock) -> None:
    finished: list[str] = []
    begun, gate = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await gate.wait()
        finished.append("done")

    worker = Recorder(clock, nothing)
    await worker.start()
    worker.spawn(work())
    await begun.wait()
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)
    assert worker.stopping
    gate.set()
    await stopping
    assert finished == ["done"]
    assert worker.busy == 0


async def test_a_stop_cuts_off_what_does_not_finish(clock: HandClock) -> None:
    async def hang(_: int) -> int | None:
        await asyncio.Event().wait()
        return None

    async def hang_too() -> None:
        await asyncio.Event().wait()

    worker = Recorder(clock, hang)
    await worker.start()
    worker.spawn(hang_too())
    await worker.stop(grace_s=0.01)
    assert worker.busy == 0


async def test_a_stop_ends_the_pause_after_a_failure(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: int) -> int | None:
        raise KeyError("bug")

    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 3600)
    monkeypatch.setattr(module, "_LONGEST_PAUSE_S", 3600)
    worker = Recorder(clock, fail)
    await worker.start()
    await worker.taken.get()
    await worker.stop(grace_s=60)


async def test_a_worker_can_be_started_again(clock: HandClock) -> None:
    worker = Recorder(clock, nothing)
    for step in (1, 2):
        await worker.start()
        assert await worker.taken.get() == step
        await worker.stop()
    await worker.stop()
