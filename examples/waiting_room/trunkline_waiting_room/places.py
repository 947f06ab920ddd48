"""Telling those who wait how far they have come: in passing, for a place is worth nothing when it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.clock import monotonic
from trunkline.hosted.telling import tell_customer
from trunkline.service.worker import Worker

from trunkline_waiting_room.line import place_object, queued, waits

if TYPE_CHECKING:
    from trunkline.service.house import House

    from trunkline_waiting_room.rules import Rules

__all__ = ["Places"]


class Places(Worker):
    """Looks at the line after it moved, and tells everybody whose place is another one."""

    def __init__(self, house: House, rules: Rules) -> None:
        super().__init__("waiting_room:places", house.clock)
        self._house, self._rules = house, rules
        self._moved = False
        self._looked_at = -rules.pause_s
        #: Thread → the place that was told last.
        self._told: dict[str, dict[str, Any]] = {}

    def moved(self) -> None:
        """Look soon. Only the process that reads the log for us calls this: nobody is told twice."""
        self._moved = True
        self.wake()

    async def step(self) -> int | None:
        """Tell what is new, not more often than the rules say."""
        wait_s = self._looked_at + self._rules.pause_s - monotonic()
        if not self._moved or wait_s > 0:
            return self.clock.now_ms() + round(wait_s * 1000) + 1 if self._moved else None
        self._moved, self._looked_at = False, monotonic()
        places = await self._places()
        for thread_id, place in places.items():
            if self._told.get(thread_id) != place:
                tell_customer(self._house.moments, thread_id, {"t": "queue", **place})
        self._told = places
        return None

    async def _places(self) -> dict[str, dict[str, Any]]:
        positions: dict[str, int] = {}
        waited: dict[str, Any] = {}
        places = {}
        async with self._house.store.read() as connection:
            for row in (await connection.execute(queued())).fetchall():
                positions[row.line] = positions.get(row.line, 0) + 1
                if row.line not in waited:
                    waited[row.line] = (await connection.execute(waits(row.line))).scalars().all()
                places[row.thread_id] = place_object(positions[row.line], waited[row.line])
        return places
