"""Signs to customers: typing and reading, which may fail without consequence; reactions and recalls, which may not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
from sqlalchemy import select

from trunkline.contract import Extra, Signal, Transport
from trunkline.errors import DeliveryError, RateLimited, SignInNeeded, TryLater, Uncertain
from trunkline.log import get_logger, redact
from trunkline.model import Address, AddressKind
from trunkline.service.moments import Moment
from trunkline.service.refusals import ReplyRefused
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.service.house import House

__all__ = ["SHOWN", "insist", "mark_read", "typing"]

log = get_logger("signals")

_TIMEOUT_S = 10.0
#: Kind of the moment that is a signal to a customer of a hosted account: their sockets may be in any process.
SHOWN = "shown"
_m, _t, _i = schema.message.c, schema.thread.c, schema.identity.c
_EXTRAS = {"typing": Extra.TYPING, "read": Extra.MARK_READ}


async def typing(house: House, thread_id: str) -> bool:
    """Show the customer that an agent types; False where the channel cannot.

    Some platforms show it only as an answer to a message: the newest one goes along.
    """
    return await _signal(house, thread_id, "typing", await _newest_in(house, thread_id))


async def mark_read(house: House, thread_id: str, position: int) -> bool:
    """Tell the platform that everything up to `position` was read; False where the channel cannot."""
    row = await _newest_in(house, thread_id, _m.position <= position)
    return row is not None and await _signal(house, thread_id, "read", row)


async def _newest_in(house: House, thread_id: str, *more: Any) -> Any:
    """Return the customer's newest message, None if there is none."""
    newest = (
        select(_m.read_token, _m.external_id)
        .where(_m.thread_id == thread_id, _m.direction == "in", _m.external_id.is_not(None), *more)
        .order_by(_m.position.desc())
        .limit(1)
    )
    async with house.store.read() as connection:
        return (await connection.execute(newest)).one_or_none()


async def insist(
    house: House, thread_id: str, kind: str, *, external_id: str | None = None, emoji: str | None = None
) -> None:
    """Give the platform a sign that counts, and hear what it says.

    Raises:
        ReplyRefused: in the words of the platform where it has any.
    """
    row = await _addressee(house, thread_id)
    account = None if row is None else house.accounts.get(row.account_id)
    if row is None or account is None or account.connector is None:
        raise ReplyRefused("The account cannot be used now.", code="account_not_ready", status=409)
    to = Address(external_id=row.external_id, kind=AddressKind(row.kind))
    signal = Signal(kind=kind, to=to, thread_key=row.key, external_id=external_id, emoji=emoji)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await account.connector.signal(signal)
    except (DeliveryError, httpx2.TransportError, TimeoutError) as error:
        log.info("signal.refused", account=account.id, kind=kind, error=type(error).__name__)
        raise _refusal(error) from error


#: Error → code, status and words for the agent; the first that fits.
_REFUSALS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, int, str], ...] = (
    (SignInNeeded, "sign_in_needed_at_platform", 409, "The platform refuses the account's credentials."),
    (RateLimited, "platform_busy", 503, "The platform asks us to wait; try again in a moment."),
    (
        (TryLater, Uncertain, httpx2.TransportError, TimeoutError),
        "platform_unreachable",
        502,
        "The platform gave no answer; try again in a moment.",
    ),
    (DeliveryError, "refused_by_platform", 409, "The platform did not take it."),
)


def _refusal(error: Exception) -> ReplyRefused:
    code, status, words = next(
        (code, status, words) for kinds, code, status, words in _REFUSALS if isinstance(error, kinds)
    )
    answer = error.answer if isinstance(error, DeliveryError) else None
    said = (answer.text if answer else None) or (str(error) if isinstance(error, DeliveryError) else "")
    return ReplyRefused(f"{words} It says: {redact(said)}" if said else words, code=code, status=status)


async def _addressee(house: House, thread_id: str) -> Any:
    query = (
        select(_t.account_id, _t.key, _i.external_id, _i.kind)
        .join(schema.identity, _i.id == _t.identity_id)
        .where(_t.id == thread_id)
    )
    async with house.store.read() as connection:
        return (await connection.execute(query)).one_or_none()


async def _signal(house: House, thread_id: str, kind: str, newest: Any) -> bool:
    row = await _addressee(house, thread_id)
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
