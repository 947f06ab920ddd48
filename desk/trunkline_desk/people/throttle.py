"""How often somebody may try to come in: a moving window of `limits` on our clock.

Each process counts for itself: with several the allowance is that many times as large, which still guesses nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

from trunkline.contract import Clock
from trunkline.http.problems import Problem

__all__ = ["PER_ACCOUNT", "PER_ADDRESS", "Throttle"]

PER_ACCOUNT = RateLimitItemPerMinute(5, namespace="account")
PER_ADDRESS = RateLimitItemPerMinute(20, namespace="address")
#: Keys remembered at most; the ones used longest ago go first. Bounds what a flood of addresses costs.
_MAX_KEYS = 20_000


class Throttle:
    """Counts tries per key."""

    def __init__(self, clock: Clock) -> None:
        self._limiter = MovingWindowRateLimiter(_ClockStorage(clock))

    def count(self, *tries: tuple[RateLimitItem, str]) -> None:
        """Count one try against each (limit, key).

        Raises:
            Problem: 429 when one of them is used up.
        """
        # All are counted, whichever refuses: the answer must not tell which one did.
        allowed = [self._limiter.hit(limit, key) for limit, key in tries]
        if not all(allowed):
            wait_s = max(limit.get_expiry() for limit, _ in tries)
            raise Problem(
                429,
                "too_many_attempts",
                "Too many attempts. Wait a minute and try again.",
                headers={"Retry-After": str(wait_s)},
            )


class _ClockStorage(Storage, MovingWindowSupport):
    """Times of the last tries per key, in this process, by our clock (limits' own storage reads the machine's)."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Note `amount` tries unless that makes more than `limit` in `expiry` seconds."""
        recent = self._recent(key, expiry)
        if len(recent) + amount > limit:
            return False
        recent.extend([self._now()] * amount)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the window began and how many tries it holds."""
        recent = self._recent(key, expiry)
        return (recent[0] if recent else self._now()), len(recent)

    def _recent(self, key: str, expiry: int) -> list[float]:
        tries = self._tries.setdefault(key, [])
        self._tries.move_to_end(key)
        del tries[: bisect_right(tries, self._now() - expiry)]
        if len(self._tries) > _MAX_KEYS:
            self._tries.popitem(last=False)
        return tries

    def _now(self) -> float:
        return self._clock.now_ms() / 1000

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may fail: nothing but a wrong key."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Fixed windows are not used here."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Fixed windows are not used here."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Fixed windows are not used here."""
        raise NotImplementedError

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int:
        """Forget everything and return how many keys that were."""
        keys = len(self._tries)
        self._tries.clear()
        return keys

    def clear(self, key: str) -> None:
        """Forget one key."""
        self._tries.pop(key, None)
