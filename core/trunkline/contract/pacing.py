"""What should not be said again at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trunkline.contract.ports import Clock

__all__ = ["Seldom"]


class Seldom:
    """Lets the same thing through once in a while: "somebody types", which platforms show for some seconds."""

    def __init__(self, clock: Clock, *, every_s: float) -> None:
        self._clock, self._every_ms = clock, every_s * 1000
        #: What was let through lately → when, ms since the epoch.
        self._lately: dict[str, int] = {}

    def lets(self, key: str) -> bool:
        """Whether this is due again; if so, it counts as done."""
        now = self._clock.now_ms()
        self._lately = {one: at for one, at in self._lately.items() if now - at < self._every_ms}
        return key not in self._lately and self._lately.setdefault(key, now) == now
