"""Forgetting: answers kept for repeats, tokens, links and tickets whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from trunkline.errors import StoreUnavailable
from trunkline.log import get_logger
from trunkline.store import schema
from trunkline_desk.api.idempotency import KEPT_MS
from trunkline_desk.people.tokens import IDLE_MS
from trunkline_desk.schema import agent_token, setup_link, stream_ticket

if TYPE_CHECKING:
    from trunkline.store import Store, Transaction

__all__ = ["forget_old"]

log = get_logger("desk")


async def forget_old(store: Store, now: int) -> None:
    """Delete what is over; when the store is busy there is another hour."""
    try:
        await store.writer.write(lambda tx: _forget(tx, now))
    except StoreUnavailable as error:
        log.warning("desk.housekeeping_delayed", error_code=error.code)


def _forget(tx: Transaction, now: int) -> None:
    tx.execute(delete(schema.idempotency).where(schema.idempotency.c.at <= now - KEPT_MS))
    idle = agent_token.c.last_used_at <= now - IDLE_MS
    tx.execute(delete(agent_token).where((agent_token.c.expires_at <= now) | idle))
    tx.execute(delete(setup_link).where(setup_link.c.expires_at <= now))
    tx.execute(delete(stream_ticket).where(stream_ticket.c.expires_at <= now))
