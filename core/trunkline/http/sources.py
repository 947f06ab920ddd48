"""How many unproved requests came from where: guessing is stopped before it costs a check or fills the log."""

from __future__ import annotations

import ipaddress

from trunkline.clock import monotonic

__all__ = ["FewLines", "WrongProofs"]

_LIMIT = 30
_WINDOW_S = 60.0
_MOST_SOURCES = 10_000
#: So many refusals of a minute have a log line each, then one of so many.
_LINES, _SAMPLE = 100, 100


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


class FewLines:
    """Thins out the log of one kind of line, so that whoever knocks cannot fill the disk."""

    def __init__(self) -> None:
        self._began, self._seen, self._withheld = 0.0, 0, 0

    def ask(self) -> int | None:
        """Return how many lines were withheld before this one; None if this one is withheld too."""
        now = monotonic()
        if now - self._began >= _WINDOW_S:
            self._began, self._seen = now, 0
        self._seen += 1
        if self._seen > _LINES and self._seen % _SAMPLE:
            self._withheld += 1
            return None
        withheld, self._withheld = self._withheld, 0
        return withheld


def _is_public(source: str) -> bool:
    try:
        return ipaddress.ip_address(source).is_global
    except ValueError:
        return False
