"""Running checks: one at a time, each on a stage of its own."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from trunkline.clock import monotonic
from trunkline.testing.conformance.checks import Broken, Check, NotHere, Outcome, State, Subject
from trunkline.testing.conformance.stage import Stage

__all__ = ["run_check"]

#: Seconds that one check may take, on a busy machine too.
_LONGEST_S = 60.0


async def run_check(check: Check, subject: Subject) -> Outcome:
    """Run one check. Never raises for what the connector does."""
    began = monotonic()
    state, words = await _ended(check, subject)
    return Outcome(
        channel=subject.channel.code,
        id=check.id,
        sentence=check.sentence,
        state=state,
        words=words,
        seconds=round(monotonic() - began, 3),
    )


async def _ended(check: Check, subject: Subject) -> tuple[State, str]:
    if not check.applies(subject):
        return State.NOT_HERE, "not claimed"
    try:
        async with asyncio.timeout(_LONGEST_S):
            await _performed(check, subject)
    except NotHere as nothing:
        return State.NOT_HERE, str(nothing)
    except Broken as broken:
        return State.FAILED, str(broken)
    except TimeoutError:
        return State.FAILED, f"was not done within {_LONGEST_S:.0f} seconds"
    except Exception as error:  # noqa: BLE001 - isolation point: a connector may fail in any way, and is told so
        return State.FAILED, f"{type(error).__name__} got out{_place(error)}: {error}"[:600]
    return State.PASSED, ""


async def _performed(check: Check, subject: Subject) -> None:
    run: Any = check.run
    if not inspect.iscoroutinefunction(getattr(run, "func", run)):
        run(subject)
        return
    async with Stage.opened(subject) as stage:
        await run(stage)


def _place(error: BaseException) -> str:
    """Return the file and the line that raised: what the author of a connector looks for first."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
