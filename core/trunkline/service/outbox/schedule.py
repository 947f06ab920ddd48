"""When a delivery is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["HOLD_MS", "PROBE_EVERY_MS", "UNCERTAIN_MS", "next_try"]

#: Seconds before the second, third, … attempt; the last one repeats until the delivery is given up.
_PAUSES_S = (2, 10, 30, 120, 300, 900, 1800, 3600, 7200, 14400, 28800)
_JITTER = 0.2
#: How long a channel with receipts or echoes is given to show that it has an unanswered message.
UNCERTAIN_MS = 20_000
#: What waits for quota is looked at this often: a reply credential, which costs nothing, may have come.
HOLD_MS = 20_000
#: While a breaker is open one message is tried this often.
PROBE_EVERY_MS = 30_000


def next_try(
    now: int, attempts: int, after_s: float | None = None, *, roll: Callable[[], float] = random.random
) -> int:
    """Return when to try again after `attempts` attempts, ms since the epoch; the platform's own wish wins."""
    if after_s is not None:
        return now + round(after_s * 1000)
    pause = _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]
    return now + round(pause * 1000 * (1 - _JITTER + 2 * _JITTER * roll()))
