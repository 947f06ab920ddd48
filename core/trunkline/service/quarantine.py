"""The quarantine: requests that could not be read, kept for an operator, readable again after a fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from trunkline.clock import to_text
from trunkline.contract import TrustedBody, Unknown
from trunkline.errors import TrunklineError
from trunkline.log import get_logger, redact
from trunkline.model import Actor
from trunkline.service.arrivals import HANDLER_TRIES, AccountFacts, Arrival
from trunkline.service.restoring import Difference, repair
from trunkline.service.worker import Worker
from trunkline.store import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.contract import Item
    from trunkline.service.house import House

__all__ = ["NotInQuarantine", "QuarantineRetry", "StillUnknown", "list_quarantine", "reread", "retry", "skip"]

log = get_logger("quarantine")

_r = schema.raw_request.c
_PREVIEW = 2000
_PAUSE_MS = 1000


class StillUnknown(TrunklineError):
    """The request holds a kind of event that today's connector does not know either."""


class NotInQuarantine(TrunklineError):
    """There is no such request in the quarantine."""


async def list_quarantine(
    connection: AsyncConnection, cursor: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Return requests that wait, newest first; `cursor` is the id of the last one seen."""
    query = select(schema.raw_request).where(_r.state == "quarantined")
    if cursor is not None:
        query = query.where(_r.id < cursor)
    rows = (await connection.execute(query.order_by(_r.id.desc()).limit(limit))).fetchall()
    return [
        {
            "id": row.id,
            "account_id": row.account_id,
            "at": to_text(row.received_at),
            "reason": row.reason,
            "error": row.error,
            "body_preview": redact(row.body[:_PREVIEW].decode("utf-8", "replace")),
            "state": row.state,
            "attempts": row.attempts,
        }
        for row in rows
    ]


async def retry(house: House, raw_id: str, actor: Actor) -> list[Difference]:
    """Read a request again with today's code and store what it brings; what is known already stays as it is.

    Raises:
        NotInQuarantine: it is not (or no longer) there.
        TrunklineError: it still cannot be read; the message says why.
    """
    row = await _row(house, raw_id)
    if row is None or row.state != "quarantined":
        raise NotInQuarantine(f"There is no request {raw_id} in the quarantine.")
    arrival = reread(house, row)
    _refuse_unknown(arrival)
    try:
        differences = await house.store.writer.write(lambda tx: repair(tx, house.intake, arrival, house.clock.now_ms()))
    except TrunklineError as error:
        await _note_failure(house, raw_id, error)
        raise
    except Exception as error:
        await _note_failure(house, raw_id, error)
        raise TrunklineError(f"It still fails: {type(error).__name__}: {error}") from error
    await _close(house, raw_id, "processed", None, actor)
    return differences


async def skip(house: House, raw_id: str, reason: str, actor: Actor) -> None:
    """Take a request out of the quarantine for good, with a reason; its bytes are kept.

    Raises:
        NotInQuarantine: it is not there.
    """
    row = await _row(house, raw_id)
    if row is None or row.state != "quarantined":
        raise NotInQuarantine(f"There is no request {raw_id} in the quarantine.")
    await _close(house, raw_id, "skipped", reason, actor)


def _refuse_unknown(arrival: Arrival) -> None:
    """Leave a request where it is while it holds what its connector does not know."""
    kinds = sorted({item.platform_kind for item in arrival.items if isinstance(item, Unknown)})
    if kinds:
        words = f"It holds events that its connector does not know ({', '.join(kinds)}): update the connector."
        raise StillUnknown(words)


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
    values = {
        "error": f"{type(error).__name__}: {error}"[:500],
        "attempts": _r.attempts + 1,
        "updated_at": house.clock.now_ms(),
    }
    await house.store.writer.write(
        lambda tx: tx.execute(schema.raw_request.update().where(_r.id == raw_id).values(values)).rowcount
    )


async def _close(house: House, raw_id: str, state: str, reason: str | None, actor: Actor) -> None:
    now = house.clock.now_ms()

    def write(tx: Any) -> None:
        values = {"state": state, "reason": reason, "updated_at": now}
        tx.execute(schema.raw_request.update().where(_r.id == raw_id).values(values))
        payload = {"quarantine_id": raw_id, "state": state, "reason": reason}
        tx.append("quarantine_closed", actor=actor, at=now, payload=payload)

    await house.store.writer.write(write)


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
                    await retry(self._house, raw_id, self._actor)
                except TrunklineError as error:
                    log.info("event.retry_failed", raw_id=raw_id, error=type(error).__name__)
        return None
