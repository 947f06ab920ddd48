"""How often somebody may try to come in: a moving window on our clock.

Each process counts for itself: with several the allowance is that many times as large, which still guesses nothing.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from trunkline.contract import Clock
from trunkline.http.problems import Problem

__all__ = ["PER_ACCOUNT", "PER_ADDRESS", "Allowance", "Throttle"]

_WINDOW_S = 60
#: Keys remembered at most; the ones used longest ago go first. Bounds what a flood of addresses costs.
_MAX_KEYS = 20_000


class Allowance(msgspec.Struct, frozen=True):
    """Tries in any minute."""

    name: str
    tries: int


PER_ACCOUNT = Allowance("account", 5)
PER_ADDRESS = Allowance("address", 20)


class Throttle:
    """Counts tries per key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: (allowance, key) → when the last tries were, oldest first.
        self._tries: OrderedDict[tuple[str, str], list[int]] = OrderedDict()

    def count(self, *tries: tuple[Allowance, str]) -> None:
        """Count one try against each (allowance, key).

        Raises:
            Problem: 429 when one of them is used up.
        """
        # All are counted, whichever refuses: the answer must not tell which one did.
        allowed = [self._count(allowance, key) for allowance, key in tries]
        if not all(allowed):
            raise Problem(
                429,
                "too_many_attempts",
                "Too many attempts. Wait a minute and try again.",
                headers={"Retry-After": str(_WINDOW_S)},
            )

    def _count(self, allowance: Allowance, key: str) -> bool:
        now = self._clock.now_ms()
        place = (allowance.name, key)
        recent = [at for at in self._tries.get(place, ()) if at > now - _WINDOW_S * 1000]
        is_free = len(recent) < allowance.tries
        self._tries[place] = [*recent, now] if is_free else recent
        self._tries.move_to_end(place)
        if len(self._tries) > _MAX_KEYS:
            self._tries.popitem(last=False)
        return is_free
