"""How often somebody may do something: buckets that fill up again, by contact or by address of origin.

The counts live in this process; several processes allow as many times as much.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from trunkline.hosted.refusals import ClientRefused

if TYPE_CHECKING:
    from trunkline.contract import Clock

__all__ = ["LIMITS", "Limit", "Limiter", "is_public"]

_MOST_BUCKETS = 50_000


class Limit(msgspec.Struct, frozen=True):
    """At most `burst` at once, and `per_hour` in the long run."""

    per_hour: float
    burst: float


#: What is limited → how much; `.ip` counts by address, the others by contact.
LIMITS: Mapping[str, Limit] = {
    "tokens.ip": Limit(20, 5),
    "exchanges.ip": Limit(240, 30),
    "calls.ip": Limit(36_000, 600),
    "contact": Limit(30, 10),
    "messages": Limit(20 * 60, 10),
    "uploads": Limit(20, 10),
    "upload_bytes": Limit(100 * 2**20, 60 * 2**20),
    "submissions": Limit(5, 5),
    "submissions.ip": Limit(20, 20),
    "typing": Limit(1200, 1),
    "views": Limit(3600, 5),
    "frames": Limit(10 * 3600, 60),
}


def is_public(address: str) -> bool:
    """Whether an address is somebody's own: behind a private one stands our proxy, and with it everybody."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


class Limiter:
    """Buckets per limit and person; those that were not used for longest are forgotten first."""

    def __init__(self, clock: Clock, limits: Mapping[str, Limit] = LIMITS) -> None:
        self._clock, self._limits = clock, dict(limits)
        #: (limit, who) → what is left, and when that was.
        self._buckets: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """What is limited."""
        return tuple(self._limits)

    def change(self, name: str, limit: Limit) -> None:
        """Use another figure."""
        self._limits[name] = limit

    def figure(self, name: str, *, own: Limit | None = None) -> Limit:
        """Return what holds: an account's own figure, or the house's."""
        return own or self._limits[name]

    def take(self, name: str, who: str, amount: float = 1.0, *, own: Limit | None = None) -> None:
        """Use up some of a limit; `own` is an account's own figure, and then `who` must be nobody of another account.

        Raises:
            ClientRefused: 429 with the seconds until there is enough again.
        """
        limit = self.figure(name, own=own)
        missing = self._missing((name, who), limit, amount)
        if missing > 0:
            seconds = math.ceil(missing / limit.per_hour * 3600)
            raise ClientRefused("rate_limited", retry_after=max(1, seconds))

    def allows(self, name: str, who: str) -> bool:
        """Use up one if there is one; for what is dropped in silence."""
        return self._missing((name, who), self._limits[name], 1.0) <= 0

    def _missing(self, place: tuple[str, str], limit: Limit, amount: float) -> float:
        now = self._clock.now_ms()
        left, at = self._buckets.pop(place, (limit.burst, now))
        filled = min(limit.burst, left + max(0, now - at) / 3_600_000 * limit.per_hour)
        missing = amount - filled
        self._buckets[place] = (filled - amount if missing <= 0 else filled, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return missing
