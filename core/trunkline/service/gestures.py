"""What an agent does to a message that is there: reacting to the customer's, taking one of ours back.

The platform is asked first; only what it took is written down. Its refusals are told to the agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select, update

from trunkline.contract import Extra, Transport
from trunkline.model import Actor, Unsupported
from trunkline.service import signals
from trunkline.service.refusals import ReplyRefused
from trunkline.service.replies import account_of, capabilities_of
from trunkline.service.snapshots import ACTIVE, message_snapshot
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.service.house import House
    from trunkline.store import Transaction

__all__ = ["react", "recall"]

_m, _t, _sent, _d = schema.message.c, schema.thread.c, schema.delivery_id_at_platform.c, schema.delivery.c
_GONE = msgspec.json.encode(Unsupported(platform_kind="recalled")).decode()
#: States in which the customer has the message, or may have it.
_ARRIVED = ("sent", "delivered", "read")


async def react(house: House, message_id: str, emoji: str | None, actor: Actor, now: int) -> None:
    """Put our reaction to a customer's message; None takes it away.

    Raises:
        ReplyRefused: the channel has no reactions, or the platform did not take it.
    """
    row = await _find(house, message_id, Extra.REACTIONS_OUT, "This channel takes no reactions of ours.")
    if row.direction != "in" or row.external_id is None or row.recalled_at is not None:
        words = "Only a message that the customer wrote can be reacted to."
        raise ReplyRefused(words, code="not_reactable", status=409)
    await signals.insist(house, row.thread_id, "reaction", external_id=row.external_id, emoji=emoji)
    payload = {"message_id": message_id, "external_id": row.external_id, "emoji": emoji}
    await house.store.writer.write(
        lambda tx: tx.append("reacted", actor=actor, at=now, payload=payload, thread_id=row.thread_id)
    )


async def recall(house: House, message_id: str, actor: Actor, now: int) -> None:
    """Take a message of ours back, all its parts.

    Raises:
        ReplyRefused: the channel cannot, it is no message of ours that arrived, or the platform did not take it.
    """
    row = await _find(house, message_id, Extra.RECALL, "On this channel nothing can be taken back.")
    if row.direction != "out" or row.recalled_at is not None:
        raise ReplyRefused("Only a message of ours can be taken back, once.", code="not_recallable", status=409)
    for external_id in await _parts(house, row):
        await signals.insist(house, row.thread_id, "recall", external_id=external_id)
    await house.store.writer.write(lambda tx: _note_recall(tx, row, actor, now))


async def _find(house: House, message_id: str, extra: Extra, words: str) -> Any:
    query = select(schema.message, _t.channel).join(schema.thread, _t.id == _m.thread_id).where(_m.id == message_id)
    async with house.store.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise ReplyRefused("There is no such message.", code="unknown_message", status=404)
    if extra not in capabilities_of(account_of(house, row.account_id), row.channel, house.clock.now_ms()).extras:
        raise ReplyRefused(words, code="not_supported", status=409)
    return row


async def _parts(house: House, row: Any) -> Sequence[str]:
    """Return what the platform calls the parts of a message; nothing where we are the platform.

    Raises:
        ReplyRefused: it is still on its way, or never arrived.
    """
    async with house.store.read() as connection:
        states = (await connection.execute(select(_d.state).where(_d.message_id == row.id))).scalars().all()
        named = select(_sent.external_id).where(_sent.message_id == row.id).order_by(_sent.external_id)
        found = (await connection.execute(named)).scalars().all()
    if any(state in ACTIVE for state in states):
        words = "The message is still on its way; try again when it is sent."
        raise ReplyRefused(words, code="still_sending", status=409)
    if not any(state in _ARRIVED for state in states):
        raise ReplyRefused("The customer never got this message.", code="not_recallable", status=409)
    account = account_of(house, row.account_id)
    if account.capabilities.receiving.transport is Transport.HOSTED:
        return ()
    if not found:
        words = "The platform told no id of this message, so it cannot be taken back."
        raise ReplyRefused(words, code="not_recallable", status=409)
    return list(found)


def _note_recall(tx: Transaction, row: Any, actor: Actor, now: int) -> None:
    """Forget what was said, as for a message that its author took back, and tell of it."""
    values = {"content": _GONE, "previous": None, "quick_replies": None, "recalled_at": now}
    tx.execute(update(schema.message).where(_m.id == row.id).values(values))
    removed = {"state": "removed", "reason": "recalled", "due_at": None}
    tx.execute(update(schema.media).where(schema.media.c.message_id == row.id).values(removed))
    tx.wake("media")
    changed = tx.execute(select(schema.message).where(_m.id == row.id)).one()
    deliveries = tx.execute(select(schema.delivery).where(_d.message_id == row.id).order_by(_d.part)).fetchall()
    payload = {"message": message_snapshot(changed, list(deliveries))}
    tx.append("message_recalled", actor=actor, at=now, payload=payload, thread_id=row.thread_id)
