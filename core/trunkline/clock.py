"""The one place that reads the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["SystemClock", "from_ms", "monotonic", "to_ms", "to_text"]


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Return seconds on a clock that never jumps; for durations and leases inside one process."""
    return time.monotonic()


def from_ms(ms: int) -> datetime:
    """Return an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_ms(moment: datetime) -> int:
    """Return milliseconds since the epoch of an aware datetime."""
    return round(moment.timestamp() * 1000)


@lru_cache(maxsize=4096)
def to_text(ms: int) -> str:
    """Return RFC 3339 with milliseconds and Z, the form of every time in the API."""
    return from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
