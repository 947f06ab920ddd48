"""The watchdog of the event loop."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from structlog.testing import capture_logs

from trunkline.service.loop_watch import LoopWatch, _report


async def test_whoever_holds_the_loop_up_is_named() -> None:
    stacks: list[Sequence[str]] = []
    told = threading.Event()

    def tell(stack: Sequence[str]) -> None:
        stacks.append(stack)
        told.set()

    watch = LoopWatch(limit_s=0.01, report=tell)
    watch.start()
    _hold_the_loop(told)
    watch.stop()
    assert any("_hold_the_loop" in line for line in stacks[0])


def _hold_the_loop(until: threading.Event) -> None:
    assert until.wait(60), "nobody noticed that the loop stands still"


async def test_it_is_told_as_an_event_with_the_stack() -> None:
    with capture_logs() as lines:
        _report(["a.py:1 hold"])
    assert lines == [{"event": "loop.blocked", "room": "loop", "log_level": "warning", "stack": ["a.py:1 hold"]}]


async def test_a_watch_ends_with_its_thread() -> None:
    before = threading.active_count()
    watch = LoopWatch()
    watch.start()
    assert threading.active_count() == before + 1
    watch.stop()
    assert threading.active_count() == before
