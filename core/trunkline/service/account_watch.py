"""Keeps the state of every account true: asked at the start, then now and then, sooner where something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline.service.worker import Worker

if TYPE_CHECKING:
    from trunkline.contract import Clock
    from trunkline.service.accounts import Accounts
    from trunkline.service.house import House

__all__ = ["AccountRefresh", "AccountWatch"]

_WELL_MS = 3600 * 1000
_ILL_MS = 5 * 60 * 1000


class AccountWatch(Worker):
    """Probes accounts, one after the other."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        super().__init__("account-watch", clock, poll_s=60.0)
        self._accounts = accounts
        self._due: dict[str, int] = {}

    async def step(self) -> int | None:
        """Probe what is due and say when the next is."""
        for account in self._accounts.all():
            if self.stopping:
                break
            if account.connector is None or account.state == "disabled":
                continue
            if self._due.get(account.id, 0) <= self.clock.now_ms():
                health = await self._accounts.probe(account.id)
                pause = _WELL_MS if health.state == "connected" else _ILL_MS
                self._due[account.id] = self.clock.now_ms() + pause
        return min(self._due.values(), default=None)


class AccountRefresh(Worker):
    """Takes over what was changed in the table; woken by every process that changes an account."""

    def __init__(self, house: House) -> None:
        super().__init__("accounts", house.clock)
        self._house = house

    async def step(self) -> int | None:
        """Look at the table."""
        await self._house.accounts.refresh()
        self._house.metrics.know(self._house.accounts.all())
        return None
