"""How many requests an account may make now, within one process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trunkline.contract import Rate

if TYPE_CHECKING:
    from trunkline.contract import Clock

__all__ = ["Allowance"]


class Allowance:
    """Token buckets of one account, one for each of its declared rates; starts full."""

    def __init__(self, rates: Sequence[Rate], clock: Clock) -> None:
        self._rates = tuple(rate for rate in rates if rate.scope == "account")
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
