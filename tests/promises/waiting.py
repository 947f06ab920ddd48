"""Waiting for something to become true, with a generous bound: no test looks at the clock to judge."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

__all__ = ["PATIENCE_S", "until"]

#: How long anything may take before a test gives up.
PATIENCE_S = 60.0


async def until(
    condition: Callable[[], bool | Awaitable[bool]],
    words: str | Callable[[], str] = "It did not come true.",
    *,
    seconds: float = PATIENCE_S,
    every_s: float = 0.005,
) -> None:
    """Return as soon as the condition holds.

    Raises:
        AssertionError: it did not in time; with `words`.
    """
    try:
        async with asyncio.timeout(seconds):
            # What is waited for happens in other processes: there is no event to wait on.
            while not await _holds(condition):  # noqa: ASYNC110 - see above
                await asyncio.sleep(every_s)
    except TimeoutError:
        raise AssertionError(words if isinstance(words, str) else words()) from None


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    found = condition()
    return await found if inspect.isawaitable(found) else bool(found)
