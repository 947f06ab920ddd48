"""What a visitor's client tells of our messages: it has them (a cursor), they were read (a position).

Both go the way of every platform's receipts, so that agents see states as on any channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select, update

from trunkline.contract import ReceiptReceived
from trunkline.model import Actor, ActorKind, DeliveryState
from trunkline.service.receipts import ACTIVE, apply_receipt
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.hosted.visitors import Holder
    from trunkline.store import Transaction

__all__ = ["acknowledge", "read_upto"]

_t, _m, _e, _d, _i = schema.thread.c, schema.message.c, schema.event.c, schema.delivery.c, schema.identity.c
#: States that a receipt of this kind moves on.
_BEFORE = {DeliveryState.DELIVERED: (*ACTIVE, "sent"), DeliveryState.READ: (*ACTIVE, "sent", "delivered")}


def acknowledge(tx: Transaction, holder: Holder, seq: int, now: int, *, shown: bool = True) -> int:
    """Mark as delivered what a client has applied up to an event; returns how many deliveries moved.

    `shown` is False for an app in the background: it has the message, its user does not see it.
    """
    if shown:
        token = schema.visitor_token
        behind = (token.c.id == holder.token_id, token.c.acked_seq < seq)
        tx.execute(update(token).where(*behind).values(acked_seq=seq))
    row = tx.execute(
        select(schema.visitor.c.acked_seq).where(schema.visitor.c.id == holder.visitor_id).with_for_update()
    ).one_or_none()
    if row is None or seq <= row.acked_seq:
        return 0
    tx.execute(update(schema.visitor).where(schema.visitor.c.id == holder.visitor_id).values(acked_seq=seq))
    mine = select(_t.id).join(schema.identity, _i.id == _t.identity_id)
    threads = tx.execute(mine.where(_i.account_id == holder.account_id, _i.external_id == holder.address)).scalars()
    return sum(
        _advance(tx, thread_id, _newest(tx, thread_id, row.acked_seq, seq), DeliveryState.DELIVERED, now)
        for thread_id in list(threads)
    )


def _newest(tx: Transaction, thread_id: str, after: int, upto: int) -> int:
    """Return the position of the newest message of ours that these events told of, 0 if there is none."""
    query = select(_e.payload).where(_e.thread_id == thread_id, _e.kind == "reply_sent", _e.seq > after, _e.seq <= upto)
    payload = tx.execute(query.order_by(_e.seq.desc()).limit(1)).scalar_one_or_none()
    return 0 if payload is None else int(msgspec.json.decode(payload)["message"]["position"])


def read_upto(tx: Transaction, holder: Holder, thread_id: str, position: int, now: int) -> tuple[int, int]:
    """Mark as read up to a position and return (position read, messages unread); a lower one changes nothing."""
    row = tx.execute(select(schema.thread).where(_t.id == thread_id).with_for_update()).one()
    wanted = min(position, row.last_position)
    if wanted <= row.contact_read:
        return row.contact_read, _unread(tx, thread_id, row.contact_read)
    tx.execute(update(schema.thread).where(_t.id == thread_id).values(contact_read=wanted))
    _advance(tx, thread_id, wanted, DeliveryState.READ, now)
    unread = _unread(tx, thread_id, wanted)
    payload = {"thread_id": thread_id, "position": wanted, "unread": unread}
    actor = Actor(ActorKind.CONTACT, row.contact_id, holder.name)
    tx.append("contact_read", actor=actor, at=now, payload=payload, thread_id=thread_id)
    return wanted, unread


def _unread(tx: Transaction, thread_id: str, position: int) -> int:
    query = select(func.count()).where(
        _m.thread_id == thread_id, _m.position > position, _m.direction == "out", _m.recalled_at.is_(None)
    )
    return int(tx.execute(query).scalar_one())


def _advance(tx: Transaction, thread_id: str, position: int, state: DeliveryState, now: int) -> int:
    """Give the deliveries of a thread up to a position a receipt each; returns how many there were."""
    query = select(_d.id, _d.account_id).where(
        _d.thread_id == thread_id, _d.position <= position, _d.state.in_(_BEFORE[state])
    )
    rows: list[Any] = list(tx.execute(query.order_by(_d.position, _d.part)).fetchall())
    for row in rows:
        item = ReceiptReceived(dedupe_key=f"{state.value}:{row.id}", at_ms=now, state=state, correlation=row.id)
        apply_receipt(tx, row.account_id, item, now)
    return len(rows)
