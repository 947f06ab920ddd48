"""How many unproved requests came from where: guessing is stopped before it costs a signature check."""

from __future__ import annotations

import ipaddress

from trunkline.clock import monotonic

__all__ = ["WrongProofs"]

_LIMIT = 30
_WINDOW_S = 60.0
_MOST_SOURCES = 10_000


class WrongProofs:
    """Counts per address and minute.

    Private addresses are not limited: behind them stands our own proxy, and with it the platform itself.
    """

    def __init__(self) -> None:
        self._counts: dict[str, tuple[float, int]] = {}

    def too_many(self, source: str) -> bool:
        """Whether this source has used up its wrong proofs of the minute."""
        counted = self._counts.get(source)
        return counted is not None and counted[1] >= _LIMIT and monotonic() - counted[0] < _WINDOW_S

    def count(self, source: str) -> None:
        """Note one wrong proof."""
        if not _is_public(source):
            return
        now = monotonic()
        began, number = self._counts.get(source, (now, 0))
        if now - began >= _WINDOW_S:
            began, number = now, 0
        if len(self._counts) >= _MOST_SOURCES:
            self._counts.clear()
        self._counts[source] = (began, number + 1)


def _is_public(source: str) -> bool:
    try:
        return ipaddress.ip_address(source).is_global
    except ValueError:
        return False
