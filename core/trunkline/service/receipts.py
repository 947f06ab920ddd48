"""What platforms tell about our messages afterwards: by id, by our own correlation, or for all up to a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, select

from trunkline.errors import PlatformAnswer
from trunkline.model import Actor, ActorKind, DeliveryState, Reason, is_further, new_id
from trunkline.service.snapshots import ACTIVE, delivery_snapshot, furthest, is_retryable
from trunkline.service.windows import correct
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.contract import EchoReceived, ReceiptReceived
    from trunkline.store import Transaction

__all__ = [
    "ACTIVE",
    "LateAnswer",
    "announce",
    "announce_rows",
    "apply_receipt",
    "confirm",
    "late_failure",
    "reconcile_echo",
]

_d = schema.delivery.c
_m = schema.message.c
_at_platform = schema.delivery_id_at_platform
#: A platform's watermark and our clock may differ by this much.
_SLACK_MS = 2000

_encode = msgspec.json.Encoder().encode


def apply_receipt(tx: Transaction, account_id: str, item: ReceiptReceived, now: int) -> None:
    """Move the deliveries that a receipt is about forward; keep it for later if we do not know them yet."""
    rows = _concerned(tx, account_id, item)
    if not rows and item.external_id is not None:
        tx.execute(
            schema.early_receipt.insert().values(
                id=new_id(),
                account_id=account_id,
                external_id=item.external_id,
                state=item.state.value,
                answer=_encode_late(item),
                at=item.at_ms or now,
            )
        )
    for row in rows:
        _advance(tx, row, item, now)


def _concerned(tx: Transaction, account_id: str, item: ReceiptReceived) -> list[Any]:
    query = select(schema.delivery).where(_d.account_id == account_id).with_for_update()
    if item.correlation is not None:
        return list(tx.execute(query.where(_d.id == item.correlation)).fetchall())
    if item.external_id is not None:
        known = select(_at_platform.c.delivery_id).where(
            _at_platform.c.account_id == account_id, _at_platform.c.external_id == item.external_id
        )
        return list(tx.execute(query.where(_d.id.in_(known))).fetchall())
    if item.watermark_ms is not None and item.thread_key is not None:
        thread = select(schema.thread.c.id).where(
            schema.thread.c.account_id == account_id, schema.thread.c.key == item.thread_key
        )
        ours = query.where(_d.thread_id.in_(thread), _d.sent_at <= item.watermark_ms + _SLACK_MS)
        return list(tx.execute(ours.where(_d.state.in_(("sent", "delivered")))).fetchall())
    return []


def _advance(tx: Transaction, row: Any, item: ReceiptReceived, now: int) -> None:
    if not is_further(item.state, DeliveryState(row.state)):
        return
    reason = late_failure(item.state, item.answer)
    values = {"state": item.state.value, "reason": reason, "updated_at": now, "sent_at": row.sent_at or now}
    tx.execute(schema.delivery.update().where(_d.id == row.id).values(values))
    if item.correlation is not None and item.external_id is not None:
        _name(tx, row, item.external_id)
    if item.window_code is not None and row.window is not None:
        correct(tx, row.thread_id, row.window, item.window_code, now, sent_at=row.sent_at)
    announce(tx, row.id, now, actor=Actor(ActorKind.CONNECTOR, row.account_id))
    if row.state in ACTIVE:
        tx.wake("outbox")  # later replies of the thread waited for this one


def _name(tx: Transaction, row: Any, external_id: str) -> None:
    """Keep the platform's id of a delivery whose answer we missed: quotes and later receipts refer to it."""
    columns = ("account_id", "external_id", "delivery_id", "message_id")
    tx.insert_new(_at_platform, [(row.account_id, external_id, row.id, row.message_id)], columns, ("external_id",))
    unnamed = (_m.id == row.message_id, _m.external_id.is_(None))
    tx.execute(schema.message.update().where(*unnamed).values(external_id=external_id))


class LateAnswer(PlatformAnswer, frozen=True, kw_only=True):
    """What a receipt that came before our own answer said: kept as one value until the answer is there."""

    window_code: str | None = None


def _encode_late(item: ReceiptReceived) -> str | None:
    if item.answer is None and item.window_code is None:
        return None
    answer = item.answer or PlatformAnswer()
    return _encode(LateAnswer(**msgspec.structs.asdict(answer), window_code=item.window_code)).decode()


def late_failure(state: DeliveryState, answer: PlatformAnswer | None) -> str | None:
    """Return the encoded reason of a failure that came after the platform's yes, None for other states."""
    if state is not DeliveryState.FAILED:
        return None
    words = (answer.text if answer else None) or "The platform reported a failure after accepting it."
    return _encode(Reason(code="failed_late", text=words, whose="platform", answer=answer)).decode()


_ROW = tuple(str(column.name) for column in schema.delivery.c)
_Row: Any = msgspec.defstruct("_Row", [(name, Any) for name in _ROW], frozen=True)
_ONE = Prepared(select(schema.delivery).where(_d.id == bindparam("delivery")))
_STATES = Prepared(select(_d.state).where(_d.message_id == bindparam("message")))
_KINDS = {"failed": "delivery_failed", "suppressed": "delivery_suppressed"}


def announce(tx: Transaction, delivery_id: str, now: int, *, actor: Actor) -> None:
    """Tell of a delivery's present state, and of its message's."""
    announce_rows(tx, [_Row(*tx.run(_ONE, {"delivery": delivery_id})[0])], now, actor=actor)


def announce_rows(tx: Transaction, rows: Sequence[Any], now: int, *, actor: Actor) -> None:
    """Tell of deliveries whose rows, as they are stored by now, are at hand."""
    for row in rows:
        alone = row.parts == 1
        states = [row.state] if alone else [state for (state,) in tx.run(_STATES, {"message": row.message_id})]
        payload = {
            "message_id": row.message_id,
            "thread_id": row.thread_id,
            "delivery": delivery_snapshot(row),
            "delivery_state": furthest(states),
            "retryable": is_retryable(states),
        }
        kind = _KINDS.get(row.state, "delivery_changed")
        tx.append(kind, actor=actor, at=now, payload=payload, thread_id=row.thread_id)


def confirm(tx: Transaction, account_id: str, delivery_id: str, external_id: str, now: int) -> bool:
    """Settle a delivery whose answer we missed: the platform shows that it has it. False if it is not ours."""
    found = select(schema.delivery).where(_d.id == delivery_id, _d.account_id == account_id).with_for_update()
    row = tx.execute(found).one_or_none()
    if row is None:
        return False
    _name(tx, row, external_id)
    if row.state == "failed" or is_further(DeliveryState.SENT, DeliveryState(row.state)):
        values = {"state": "sent", "reason": None, "updated_at": now, "sent_at": row.sent_at or now}
        tx.execute(schema.delivery.update().where(_d.id == row.id).values(values))
        announce(tx, row.id, now, actor=Actor(ActorKind.CONNECTOR, account_id))
        tx.wake("outbox")
    return True


def reconcile_echo(tx: Transaction, account_id: str, item: EchoReceived, now: int) -> bool:
    """Recognise an echo of our own message; True when it is no news."""
    if item.correlation is not None and confirm(tx, account_id, item.correlation, item.external_id, now):
        return True
    known = select(_at_platform.c.delivery_id).where(
        _at_platform.c.account_id == account_id, _at_platform.c.external_id == item.external_id
    )
    return tx.execute(known).scalar() is not None
