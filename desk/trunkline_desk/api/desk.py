"""What every handler of the desk needs: the house, and the desk's own parts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from trunkline.log import get_logger
from trunkline.service.templates import Templates
from trunkline_desk.api.presence import Presences
from trunkline_desk.api.sockets import Sockets
from trunkline_desk.people.passwords import Passwords
from trunkline_desk.people.throttle import Throttle

if TYPE_CHECKING:
    from trunkline.service.house import House

__all__ = ["Desk"]

log = get_logger("desk")


class Desk:
    """The desk of one house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.passwords = Passwords()
        self.throttle = Throttle(house.clock)
        self.sockets = Sockets(house)
        self.presences = Presences(house.moments)
        self.templates = Templates(house.clock)
        self._background: set[asyncio.Task[None]] = set()

    @property
    def public_url(self) -> str:
        """How agents reach the inbox."""
        server = self.house.settings.server
        return server.public_url or f"http://{server.listen}"

    @property
    def https(self) -> bool:
        """Whether the world reaches us through TLS only."""
        return self.public_url.startswith("https://")

    def now(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return self.house.clock.now_ms()

    def later(self, work: Coroutine[Any, Any, object], name: str) -> None:
        """Do something that no request waits for and whose failure nobody but the log hears of."""
        task = asyncio.create_task(_guarded(work, name), name=f"desk-{name}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def settle(self) -> None:
        """Wait until everything that was begun in the background is done."""
        while self._background:
            await asyncio.wait(set(self._background))

    async def stop(self, grace_s: float = 5.0) -> None:
        """Let background work finish for a while, then cut it off."""
        tasks = set(self._background)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _guarded(work: Coroutine[Any, Any, object], name: str) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - isolation point: background work never fails a request
        log.warning("desk.background_failed", work=name, error=type(error).__name__)
