"""The dispatcher: claims due deliveries, lets connectors send them, records what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import httpx2

from trunkline.contract import Accepted, Idempotency
from trunkline.errors import DeliveryError, StoreUnavailable, TryLater, Uncertain
from trunkline.log import get_logger
from trunkline.model import new_id
from trunkline.service.outbox.claims import AccountPlan, Claim, claim
from trunkline.service.outbox.leases import abandon_leases, release
from trunkline.service.outbox.rates import Allowance, Recipients
from trunkline.service.outbox.results import Result, record
from trunkline.service.outbox.schedule import UNCERTAIN_MS
from trunkline.service.planning import batch_size
from trunkline.service.platform_http import classify
from trunkline.service.worker import Worker

if TYPE_CHECKING:
    from trunkline.contract import Clock
    from trunkline.service.account import Account
    from trunkline.service.metrics import Metrics
    from trunkline.store import Store

__all__ = ["Outbox"]

log = get_logger("outbox")

_RECORD_TRIES = 5
#: Seconds that one attempt may take, whatever a connector declares: its result must come within the lease.
_LONGEST_S = 45.0


class Outbox(Worker):
    """Sends what is due. Several processes may run one each; leases keep them apart."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        accounts: Callable[[], Iterable[Account]],
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__("outbox", clock, poll_s=5.0)
        self._store, self._accounts, self._metrics = store, accounts, metrics
        self._worker = new_id()
        self._in_flight: dict[str, int] = {}
        self._allowances: dict[str, Allowance] = {}
        self._recipients: dict[str, Recipients] = {}
        self._known: dict[str, Account] = {}

    async def start(self) -> None:
        """Begin. A process that knows itself alone takes over at once what a crash left under way."""
        if self._store.dialect == "sqlite":
            await self._take_over()
        await super().start()

    async def _take_over(self) -> None:
        """End all leases. Without a key the platform first gets time to show what it has."""
        now = self.clock.now_ms()
        pauses = {
            account.id: 0 if _idempotency(account) is Idempotency.KEY else UNCERTAIN_MS for account in self._accounts()
        }
        due = {account_id: now + pause for account_id, pause in pauses.items()}
        await self._store.writer.write(lambda tx: abandon_leases(tx, due))

    async def step(self) -> int | None:
        """Claim and begin what fits now; say when to look again."""
        self._known = {account.id: account for account in self._accounts()}
        plans, due_at = self._plans()
        if not plans:
            return due_at
        now = self.clock.now_ms()
        taken = await self._store.writer.write(lambda tx: claim(tx, plans, self._worker, now))
        if self.stopping:
            await self._store.writer.write(lambda tx: release(tx, taken.claims, now))
            return None
        for one in taken.claims:
            self._count(one.account_id, 1)
            self._allowances[one.account_id].take(1)
            self._recipients[one.account_id].take(one.thread_id)
            self.spawn(self._send(one))
        taken.look_at(due_at)
        return taken.due_at

    def _plans(self) -> tuple[dict[str, AccountPlan], int | None]:
        """Return the accounts with room, those with the least under way first, and when another one has room."""
        plans: dict[str, AccountPlan] = {}
        waits: list[int] = []
        for account in sorted(self._known.values(), key=lambda one: self._in_flight.get(one.id, 0)):
            room = self._room(account)
            if room > 0:
                capabilities = account.capabilities
                sending = capabilities.sending
                plans[account.id] = AccountPlan(
                    room,
                    capabilities.windows,
                    sending.reply_credentials,
                    sending.cost.value == "quota",
                    self._recipients[account.id].held(),
                    batch_size(capabilities),
                )
            elif account.id in self._allowances:
                waits.append(self._allowances[account.id].wait_ms())
        pauses = [wait for wait in waits if wait]
        return plans, self.clock.now_ms() + min(pauses) if pauses else None

    def _room(self, account: Account) -> int:
        """Return how many requests this account may begin now."""
        if account.connector is None or account.state == "disabled":
            return 0
        sending = account.capabilities.sending
        if account.id not in self._allowances:
            self._allowances[account.id] = Allowance(sending.rates, self.clock)
            self._recipients[account.id] = Recipients(sending.rates, self.clock)
        free = sending.concurrency - self._in_flight.get(account.id, 0)
        available = self._allowances[account.id].available()
        return free if available is None else min(free, available)

    def _count(self, account_id: str, change: int) -> None:
        self._in_flight[account_id] = self._in_flight.get(account_id, 0) + change

    async def _send(self, taken: Claim) -> None:
        account, started_at = self._known.get(taken.account_id), self.clock.now_ms()
        try:
            accepted, error = await self._attempt(account, taken)
            await self._record(self._result(taken, account, started_at, accepted, error))
        except asyncio.CancelledError:
            words = "Trunkline was stopped while it waited for the platform."
            await self._record(self._result(taken, account, started_at, None, Uncertain(words)))
            raise

    def _result(
        self,
        taken: Claim,
        account: Account | None,
        started_at: int,
        accepted: Accepted | None,
        error: DeliveryError | None,
    ) -> Result:
        return Result(
            claim=taken,
            started_at=started_at,
            ended_at=self.clock.now_ms(),
            accepted=accepted,
            error=error,
            idempotency=_idempotency(account),
        )

    async def _attempt(self, account: Account | None, taken: Claim) -> tuple[Accepted | None, DeliveryError | None]:
        """Send, and make room as soon as the platform has answered: what is due next shares the commit that records."""
        try:
            return await self._deliver(account, taken)
        finally:
            self._count(taken.account_id, -1)
            self.wake()

    async def _deliver(self, account: Account | None, taken: Claim) -> tuple[Accepted | None, DeliveryError | None]:
        """Let the connector send; every way out is an answer or an error of our own tree."""
        if account is None or account.connector is None:
            return None, TryLater("The account is not configured now; it is tried again.", code="account_gone")
        timeout_s = min(account.capabilities.sending.timeout_s, _LONGEST_S)
        try:
            async with asyncio.timeout(timeout_s):
                return await account.connector.deliver(taken.message), None
        except DeliveryError as error:
            return None, error
        except TimeoutError:
            return None, Uncertain(f"The platform did not answer within {timeout_s:.0f} seconds.")
        except httpx2.TransportError as error:
            return None, classify(error)
        except Exception as error:
            log.exception("outbox.connector_failed", account=account.id, delivery=taken.message.delivery_id)
            words = f"The connector failed with {type(error).__name__}; it is tried again."
            return None, TryLater(words, code="connector_error")

    async def _record(self, result: Result) -> None:
        """Write the outcome down; if the store cannot take it now, the lease ends and the send counts as uncertain."""
        for number in range(_RECORD_TRIES):
            try:
                kept = await self._store.writer.write_together(record, result)
            except StoreUnavailable:
                await asyncio.sleep(min(2**number, 10))
            else:
                self._tell(result, kept=kept)
                return
        log.error("outbox.unrecorded", delivery=result.claim.message.delivery_id)

    def _tell(self, result: Result, *, kept: bool) -> None:
        """Log one attempt and count it, for each delivery that went in it."""
        outcome = "accepted" if result.error is None else result.error.code
        repeated = result.claim.message.after_uncertain and result.idempotency is not Idempotency.KEY
        for one in result.claim.all:
            if self._metrics is not None:
                self._metrics.attempt(one.account_id, outcome, (result.ended_at - one.created_at) / 1000)
                if repeated and result.error is None:
                    self._metrics.maybe_duplicate.inc()
            fields: dict[str, Any] = {
                "account": one.account_id,
                "delivery": one.message.delivery_id,
                "request_id": one.request_id,
                "attempt": one.attempts,
                "outcome": outcome,
                "duration_ms": result.ended_at - result.started_at,
            }
            if not kept:
                log.warning("outbox.lease_lost", **fields)
            elif result.error is not None:
                log.info("outbox.attempted", **fields)
            else:
                log.debug("outbox.attempted", **fields)


def _idempotency(account: Account | None) -> Idempotency:
    return Idempotency.NOTHING if account is None else account.capabilities.sending.idempotency
