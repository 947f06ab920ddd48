"""A visitor begins a conversation without a word: for calls of applications that come before the first message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from trunkline.contract import Act
from trunkline.hosted.envelope import Envelope
from trunkline.hosted.front import facts_of
from trunkline.hosted.reading import live_thread
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.sending import sending_of
from trunkline.model import Text

if TYPE_CHECKING:
    from trunkline.hosted.call import Call

__all__ = ["enter"]


async def enter(call: Call) -> Any:
    """Return the row of the caller's live thread; it comes into being with this if they have not written yet.

    None for a visitor who is blocked: answer them as anybody, and let it reach nobody.

    Raises:
        ClientRefused: token_invalid, unavailable.
    """
    house = call.front.house
    if call.holder.blocked:
        return None
    async with house.store.read() as connection:
        row = await live_thread(connection, call.holder)
    if row is not None:
        return row
    await _come_in(call)
    async with house.store.read() as connection:
        row = await live_thread(connection, call.holder)
    if row is None:
        raise ClientRefused("unavailable", retry_after=1)
    return row


async def _come_in(call: Call) -> None:
    """Store that they came, as everything is stored that a customer does."""
    envelope = Envelope(
        visitor=call.holder.visitor_id,
        address=call.holder.address,
        client_id=str(uuid4()),
        at=call.now,
        content=Text(text=""),
        name=call.holder.name,
        channel=call.inbox.channel(call.client).code,
        act=Act.ENTER,
    )
    request_id = call.front.request_id_of(call.request)
    sending = sending_of(call.holder, facts_of(call.inbox.account), envelope, request_id)
    taken = await asyncio.shield(call.front.house.store.writer.write_together(call.front.take, sending))
    if taken.refused is not None:
        raise ClientRefused(taken.refused)
