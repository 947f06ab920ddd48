"""The deliberate breaks of the outbox, and `hurry`, which is none. See `seeds.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import bindparam

__all__ = ["SEEDS"]


def _hurry(value: str) -> None:
    """No fault: every pause and every lease of the outbox is so many times shorter."""
    from trunkline.service.outbox import brakes, claims, dispatcher, rulings, schedule

    times = float(value)
    schedule._PAUSES_S = tuple(pause / times for pause in schedule._PAUSES_S)  # type: ignore[assignment]  # tests only
    shorter = {name: round(getattr(schedule, name) / times) for name in ("UNCERTAIN_MS", "HOLD_MS", "PROBE_EVERY_MS")}
    shorter["LEASE_MS"] = round(claims.LEASE_MS / times)
    for module in (schedule, rulings, brakes, claims, dispatcher):
        for name in shorter.keys() & vars(module).keys():
            setattr(module, name, shorter[name])


def _no_order(_value: str) -> None:
    """Claim without looking at what lies before in the thread."""
    from trunkline.service.outbox import claims, pending
    from trunkline.store import Prepared, schema

    d = claims._d
    query = pending.READ.where(
        d.account_id == bindparam("account"), claims.IS_ACTIVE, d.due_at <= bindparam("now"), claims._FREE
    )
    newest = query.order_by(d.due_at, d.position.desc(), d.part).limit(bindparam("room"))
    claims._DUE = Prepared(newest.with_for_update(skip_locked=True, of=schema.delivery))


def _sent_first(_value: str) -> None:
    """Mark as sent, then send."""
    from trunkline.service.outbox import claims
    from trunkline.store import Transaction

    rewrite = Transaction.rewrite

    def early(self: Transaction, what: Any, rows: Any) -> None:
        if what is claims._TAKE:
            rows = [tuple("sent" if value == "sending" else value for value in row) for row in rows]
        rewrite(self, what, rows)

    Transaction.rewrite = early  # type: ignore[method-assign,assignment]  # that is the fault


def _new_key(_value: str) -> None:
    """Give every attempt a key of its own."""
    from trunkline.service.outbox import pending

    outbound = pending._outbound

    def renamed(*given: Any, **more: Any) -> Any:
        return msgspec.structs.replace(outbound(*given, **more), key=str(uuid4()))

    pending._outbound = renamed


def _reset_only(_value: str) -> None:
    """Let "retry" show that it sends, and send nothing."""
    from trunkline.service import replies
    from trunkline.store import schema

    def reset(tx: Any, row: Any, _verdict: Any, now: int) -> None:
        values = {"state": "sending", "reason": None, "lease_until": now + 10**9, "due_at": now + 10**9}
        tx.execute(schema.delivery.update().where(schema.delivery.c.id == row.id).values(values))

    replies._requeue = reset  # type: ignore[assignment]  # that is the fault


def _claim_all(_value: str) -> None:
    """Take everything that is due at once."""
    from trunkline.service.outbox import claims
    from trunkline.service.outbox.dispatcher import Outbox

    claims.PAGE = 10**9
    Outbox._room = lambda self, account: 10**6 if _known(self, account) else 0  # type: ignore[method-assign]  # the fault


def _known(outbox: Any, account: Any) -> bool:
    from trunkline.service.outbox.rates import Allowance, Recipients

    outbox._allowances.setdefault(account.id, Allowance((), outbox.clock))
    outbox._recipients.setdefault(account.id, Recipients((), outbox.clock))
    return account.connector is not None


#: Name → what it breaks.
SEEDS: dict[str, Callable[[str], None]] = {
    "claim_all": _claim_all,
    "hurry": _hurry,
    "new_key": _new_key,
    "no_order": _no_order,
    "reset_only": _reset_only,
    "sent_first": _sent_first,
}
