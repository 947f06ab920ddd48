"""Transient signs to customers: typing, and that their messages were read. They may fail without consequence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
from sqlalchemy import select

from trunkline.contract import Extra, Signal, Transport
from trunkline.errors import DeliveryError
from trunkline.log import get_logger
from trunkline.model import Address, AddressKind
from trunkline.service.moments import Moment
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.service.house import House

__all__ = ["SHOWN", "mark_read", "typing"]

log = get_logger("signals")

_TIMEOUT_S = 10.0
#: Kind of the moment that is a signal to a customer of a hosted account: their sockets may be in any process.
SHOWN = "shown"
_m, _t, _i = schema.message.c, schema.thread.c, schema.identity.c
_EXTRAS = {"typing": Extra.TYPING, "read": Extra.MARK_READ}


async def typing(house: House, thread_id: str) -> bool:
    """Show the customer that an agent types; False where the channel cannot."""
    return await _signal(house, thread_id, "typing", None)


async def mark_read(house: House, thread_id: str, position: int) -> bool:
    """Tell the platform that everything up to `position` was read; False where the channel cannot."""
    newest = (
        select(_m.read_token, _m.external_id)
        .where(_m.thread_id == thread_id, _m.position <= position, _m.direction == "in")
        .where(_m.external_id.is_not(None))
        .order_by(_m.position.desc())
        .limit(1)
    )
    async with house.store.read() as connection:
        row = (await connection.execute(newest)).one_or_none()
    return row is not None and await _signal(house, thread_id, "read", row)


async def _signal(house: House, thread_id: str, kind: str, newest: Any) -> bool:
    query = (
        select(_t.account_id, _t.key, _i.external_id, _i.kind)
        .join(schema.identity, _i.id == _t.identity_id)
        .where(_t.id == thread_id)
    )
    async with house.store.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    account = None if row is None else house.accounts.get(row.account_id)
    if row is None or account is None or account.connector is None or account.channel_spec is None:
        return False
    if _EXTRAS[kind] not in account.channel_spec.capabilities.extras:
        return False
    if account.channel_spec.capabilities.receiving.transport is Transport.HOSTED:
        _show(house, thread_id, kind)
        return True
    signal = Signal(
        kind=kind,
        to=Address(external_id=row.external_id, kind=AddressKind(row.kind)),
        thread_key=row.key,
        token=None if newest is None else newest.read_token,
        external_id=None if newest is None else newest.external_id,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await account.connector.signal(signal)
    except (DeliveryError, httpx2.TransportError, TimeoutError) as error:
        log.info("signal.failed", account=account.id, kind=kind, error=type(error).__name__)
    return True


def _show(house: House, thread_id: str, kind: str) -> None:
    moment = Moment(
        kind=SHOWN, thread_id=thread_id, actor_kind="agent", actor_id=None, actor_name=None, details={"signal": kind}
    )
    house.moments.tell(moment)
