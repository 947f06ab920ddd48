"""Why a whole account waits: too many faults in a row, or the platform's own wish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.log import get_logger
from trunkline.service.account_rows import note_state
from trunkline.service.outbox.schedule import PROBE_EVERY_MS
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.service.outbox.rulings import Ruling
    from trunkline.store import Transaction

__all__ = ["Brakes"]

log = get_logger("outbox")

#: Failures in a row that open the breaker.
_LIMIT = 5
_b = schema.breaker.c


class _Brake(msgspec.Struct):
    """One account's row, as it is changed by a group of results."""

    account_id: str
    state: str = "closed"
    failures: int = 0
    opened_at: int | None = None
    blocked_until: int | None = None
    quota_blocked_until: int | None = None
    reason: str | None = None


_COLUMNS = tuple(column.name for column in schema.breaker.c)


class Brakes:
    """The brakes of the accounts that a group of results belongs to; `save` writes those that moved."""

    def __init__(self, tx: Transaction, accounts: set[str]) -> None:
        self._tx = tx
        rows = tx.select(schema.breaker, (_b.account_id,), [(account,) for account in accounts], _COLUMNS)
        self._known: dict[str, _Brake] = {row[0]: _Brake(*row) for row in rows}
        self._moved: dict[str, _Brake] = {}

    def heal(self, account_id: str, now: int) -> None:
        """A yes closes the breaker. What the platform asked to wait for is still waited for."""
        brake = self._known.get(account_id)
        if brake is None or (brake.state == "closed" and brake.failures == 0):
            return
        if brake.state != "closed":
            brake.blocked_until = brake.opened_at = brake.reason = None
            log.info("breaker.closed", account_id=account_id)
            note_state(self._tx, account_id, state="connected", reason=None, now=now)
        brake.state, brake.failures = "closed", 0
        self._moved[account_id] = brake

    def trip(self, account_id: str, ruling: Ruling, now: int) -> None:
        """Count a fault, and make the whole account wait where the platform asks for it."""
        if not (ruling.is_fault or ruling.blocked_until or ruling.quota_blocked_until):
            return
        brake = self._moved[account_id] = self._known.setdefault(account_id, _Brake(account_id))
        brake.failures += ruling.is_fault
        brake.reason = ruling.text
        brake.blocked_until = _later(brake.blocked_until, ruling.blocked_until)
        brake.quota_blocked_until = _later(brake.quota_blocked_until, ruling.quota_blocked_until)
        if ruling.account_state is not None or (ruling.is_fault and brake.failures >= _LIMIT):
            self._open(brake, ruling, now)

    def _open(self, brake: _Brake, ruling: Ruling, now: int) -> None:
        brake.blocked_until = _later(brake.blocked_until, now + PROBE_EVERY_MS)
        if brake.state != "open" or ruling.account_state is not None:
            state = ruling.account_state or "failing"
            note_state(self._tx, brake.account_id, state=state, reason=ruling.text, now=now)
        if brake.state != "open":
            brake.state, brake.opened_at = "open", now
            log.warning("breaker.opened", account_id=brake.account_id, failures=brake.failures, code=ruling.code)

    def save(self) -> None:
        """Write what moved."""
        for account_id, brake in sorted(self._moved.items()):
            values: dict[str, Any] = msgspec.structs.asdict(brake)
            self._tx.insert_new(schema.breaker, [tuple(values.values())], _COLUMNS, ("account_id",))
            self._tx.execute(schema.breaker.update().where(_b.account_id == account_id).values(values))


def _later(one: int | None, other: int | None) -> int | None:
    return max(one, other) if one is not None and other is not None else one if other is None else other
