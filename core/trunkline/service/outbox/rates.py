"""How many requests an account may make now, in all and to one recipient, within one process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trunkline.contract import Rate

if TYPE_CHECKING:
    from trunkline.contract import Clock

__all__ = ["Allowance", "Recipients"]


class Allowance:
    """Token buckets, one for each declared rate of a scope; starts full."""

    def __init__(self, rates: Sequence[Rate], clock: Clock, *, scope: str = "account") -> None:
        self._rates = tuple(rate for rate in rates if rate.scope == scope)
        self._left = [float(rate.limit) for rate in self._rates]
        self._clock, self._at_ms = clock, clock.now_ms()

    def available(self) -> int | None:
        """Return how many requests may be made at once, None for any number."""
        now = self._clock.now_ms()
        passed_s, self._at_ms = max(0, now - self._at_ms) / 1000, now
        for index, rate in enumerate(self._rates):
            self._left[index] = min(rate.limit, self._left[index] + passed_s * rate.limit / rate.per_s)
        return int(min(self._left)) if self._left else None

    def wait_ms(self) -> int:
        """Return in how many milliseconds the next request may be made, 0 for now."""
        waits = [(1 - left) * rate.per_s / rate.limit for left, rate in zip(self._left, self._rates, strict=True)]
        return max(0, math.ceil(1000 * max(waits, default=0)))

    def take(self, count: int) -> None:
        """Count requests that are about to be made."""
        self._left = [left - count for left in self._left]

    @property
    def is_full(self) -> bool:
        """Whether nothing was taken lately."""
        return all(left >= rate.limit for left, rate in zip(self._left, self._rates, strict=True))


class Recipients:
    """The allowances of an account's recipients, by thread; those who got nothing lately are forgotten."""

    def __init__(self, rates: Sequence[Rate], clock: Clock) -> None:
        self._rates = tuple(rate for rate in rates if rate.scope == "recipient")
        self._clock = clock
        self._known: dict[str, Allowance] = {}

    def take(self, thread_id: str) -> None:
        """Count a request that is about to be made."""
        if self._rates:
            if thread_id not in self._known:
                self._known[thread_id] = Allowance(self._rates, self._clock, scope="recipient")
            self._known[thread_id].take(1)

    def held(self) -> dict[str, int]:
        """Return the threads that have to wait: until when, ms since the epoch."""
        now, waiting = self._clock.now_ms(), dict[str, int]()
        for thread_id, allowance in list(self._known.items()):
            if (allowance.available() or 0) < 1:
                waiting[thread_id] = now + max(1, allowance.wait_ms())
            elif allowance.is_full:
                del self._known[thread_id]
        return waiting
