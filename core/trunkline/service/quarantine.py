"""The quarantine: requests that could not be read, kept for an operator, readable again after a fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from trunkline.contract import TrustedBody, Unknown
from trunkline.errors import StoreUnavailable, TrunklineError
from trunkline.log import get_logger
from trunkline.service.arrivals import HANDLER_TRIES, AccountFacts, Arrival
from trunkline.service.dead_letters import NotDead, line_of
from trunkline.service.restoring import repair
from trunkline.service.worker import Worker
from trunkline.store import schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from trunkline.contract import Item
    from trunkline.model import Actor
    from trunkline.service.house import House
    from trunkline.store import Transaction

__all__ = ["QuarantineRetry", "StillUnknown", "close", "reread", "retry", "take", "understood"]

log = get_logger("quarantine")

_r = schema.raw_request.c
_PAUSE_MS = 1000


class StillUnknown(TrunklineError):
    """The request holds a kind of event that today's connector does not know either."""


async def retry(
    house: House, raw_id: str, actor: Actor, *, commit: Callable[[Callable[[Transaction], Any]], Awaitable[Any]]
) -> Any:
    """Read a request again with today's code and store what it brings; what is known already stays as it is.

    `commit` runs the one write of it, and its answer is returned: the line of the request as it is then.

    Raises:
        NotDead: it is not (or no longer) there.
        TrunklineError: it still cannot be read; the message says why.
    """
    row = await _row(house, raw_id)
    if row is None:
        raise NotDead(raw_id)
    try:
        arrival = understood(house, row) if row.state == "quarantined" else None
        return await commit(lambda tx: _store(tx, house, raw_id, arrival, actor))
    except (NotDead, StoreUnavailable):
        raise
    except TrunklineError as error:
        await _note_failure(house, raw_id, error)
        raise
    except Exception as error:
        await _note_failure(house, raw_id, error)
        raise TrunklineError(f"It still fails: {type(error).__name__}: {error}") from error


def _store(tx: Transaction, house: House, raw_id: str, arrival: Arrival | None, actor: Actor) -> dict[str, Any]:
    """Take a request out and store what it brings, in one transaction: of two operators one comes too late."""
    now = house.clock.now_ms()
    row = take(tx, raw_id)
    if arrival is None:
        raise NotDead(raw_id)
    repair(tx, house.intake, arrival, now)
    return close(tx, row, "processed", None, actor=actor, now=now)


def take(tx: Transaction, raw_id: str) -> Any:
    """Return the row of a request that waits, locked to the end.

    Raises:
        NotDead: it is not (or no longer) there.
    """
    query = select(schema.raw_request).where(_r.id == raw_id, _r.state == "quarantined").with_for_update()
    row = tx.execute(query).one_or_none()
    if row is None:
        raise NotDead(raw_id)
    return row


def close(tx: Transaction, row: Any, state: str, reason: str | None, *, actor: Actor, now: int) -> dict[str, Any]:
    """Take a request out of the quarantine; of one that is deleted its bytes go, and the row stays as its tombstone."""
    values: dict[str, Any] = {"state": state, "reason": reason, "updated_at": now}
    if state == "deleted":
        values |= {"body": b"", "query": "{}", "headers": "{}", "error": None}
    tx.execute(schema.raw_request.update().where(_r.id == row.id).values(values))
    payload = {"quarantine_id": row.id, "account_id": row.account_id, "state": state, "reason": reason}
    tx.append("quarantine_closed", actor=actor, at=now, payload=payload)
    return line_of(tx.execute(select(schema.raw_request).where(_r.id == row.id)).one())


def _refuse_unknown(arrival: Arrival) -> None:
    """Leave a request where it is while it holds what its connector does not know."""
    kinds = sorted({item.platform_kind for item in arrival.items if isinstance(item, Unknown)})
    if kinds:
        words = f"It holds events that its connector does not know ({', '.join(kinds)}): update the connector."
        raise StillUnknown(words)


def understood(house: House, row: Any) -> Arrival:
    """Parse a stored request with today's connector, and insist that it knows all that is in it.

    Raises:
        TrunklineError: it still cannot be read; the message says why.
    """
    arrival = reread(house, row)
    _refuse_unknown(arrival)
    return arrival


def reread(house: House, row: Any) -> Arrival:
    """Parse a stored request with today's connector.

    Raises:
        TrunklineError: the account is gone or the body is still unreadable.
    """
    account = house.accounts.get(row.account_id)
    if account is None or account.connector is None or account.channel_spec is None:
        raise TrunklineError(f"The account {row.account_id} is not configured.")
    items = _items(account.connector, row)
    return Arrival(
        raw_id=row.id,
        account=AccountFacts(account.id, account.channel_spec),
        received_at=row.received_at,
        request_id=row.request_id,
        items=items,
        keep_raw=False,
    )


def _items(connector: Any, row: Any) -> Sequence[Item]:
    """Only what was proved is stored, and as `parse` read it: secrets and keys may have changed since then."""
    items: Sequence[Item] = connector.parse(TrustedBody(row.body))
    return items


async def _row(house: House, raw_id: str) -> Any:
    async with house.store.read() as connection:
        return (await connection.execute(select(schema.raw_request).where(_r.id == raw_id))).one_or_none()


async def _note_failure(house: House, raw_id: str, error: Exception) -> None:
    words = str(error) if isinstance(error, TrunklineError) else f"{type(error).__name__}: {error}"
    values = {
        "error": words[:500],
        "attempts": _r.attempts + 1,
        "updated_at": house.clock.now_ms(),
    }
    waiting = (_r.id == raw_id, _r.state == "quarantined")
    await house.store.writer.write(
        lambda tx: tx.execute(schema.raw_request.update().where(*waiting).values(values)).rowcount
    )


class QuarantineRetry(Worker):
    """Tries requests again whose handling failed; five times, then they wait for a person."""

    def __init__(self, house: House, actor: Actor) -> None:
        super().__init__("quarantine", house.clock, poll_s=10.0)
        self._house, self._actor = house, actor

    async def step(self) -> int | None:
        """Try what is due; the pause grows with the attempts."""
        now = self.clock.now_ms()
        query = select(_r.id, _r.attempts, _r.updated_at).where(
            _r.state == "quarantined", _r.reason == "handler_error", _r.attempts < HANDLER_TRIES
        )
        async with self._house.store.read() as connection:
            rows = (await connection.execute(query.order_by(_r.id).limit(50))).fetchall()
        for raw_id, attempts, updated_at in rows:
            if updated_at + _PAUSE_MS * 4**attempts <= now:
                try:
                    await retry(self._house, raw_id, self._actor, commit=self._house.store.writer.write)
                except TrunklineError as error:
                    log.info("event.retry_failed", raw_id=raw_id, error=type(error).__name__)
        return None
