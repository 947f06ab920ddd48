"""A visitor's message on its way into the store: an envelope, checked and taken in one transaction with its token.

The commit decides: whether the token is still good, whether this client id is new, whether the file is theirs. So two
sends at the same time, a sign-in between them, or a repeated one never make two messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select, update

from trunkline.contract import Ignored
from trunkline.errors import StoreUnavailable
from trunkline.hosted.envelope import Envelope, dedupe_key, external_id, items_of
from trunkline.hosted.visitors import family_of
from trunkline.model import media_of, new_id
from trunkline.service.arrivals import Arrival
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.hosted.visitors import Holder
    from trunkline.service.arrivals import AccountFacts
    from trunkline.service.intake import Intake
    from trunkline.store import Transaction

__all__ = ["Sending", "Taken", "owner_of", "sending_of", "take"]

_token, _item, _media = schema.visitor_token.c, schema.inbound_item.c, schema.media.c
_encode = msgspec.json.Encoder().encode


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One message about to be stored."""

    holder: Holder
    envelope: Envelope
    arrival: Arrival


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a sending: stored now or before under `external_id`, or refused with a code."""

    external_id: str | None = None
    replayed: bool = False
    refused: str | None = None
    #: True when it looks stored to its sender and reaches nobody.
    swallowed: bool = False


def owner_of(visitor_id: str) -> str:
    """Return whom an upload of a visitor belongs to (`media.owner_id`)."""
    return f"visitor:{visitor_id}"


def sending_of(holder: Holder, facts: AccountFacts, envelope: Envelope, request_id: str) -> Sending:
    """Return an envelope ready to be stored; what is stored is what `parse` reads in a replay."""
    body = _encode(envelope)
    raw_id = new_id()
    items = (Ignored(dedupe_key=raw_id, reason="blocked"),) if holder.blocked else items_of(body)
    arrival = Arrival(
        raw_id=raw_id,
        account=facts,
        received_at=envelope.at,
        request_id=request_id,
        body=body,
        items=items,
    )
    return Sending(holder=holder, envelope=envelope, arrival=arrival)


def take(tx: Transaction, sendings: list[Sending], intake: Intake) -> list[Taken]:
    """Store what is new and may be stored; one answer per sending, in order."""
    alive = _alive(tx, {sending.holder.token_id for sending in sendings})
    answers: list[Taken | None] = []
    new: list[Sending] = []
    claimed: set[tuple[str, str]] = set()
    for sending in sendings:
        answer = _judge(tx, sending, claimed, alive=sending.holder.token_id in alive)
        if answer is None:
            new.append(sending)
            claimed |= {(sending.arrival.account.id, key) for key in (_message_key(sending), _event_key(sending))}
        answers.append(answer)
    stored = iter(_store(tx, new, intake))
    return [answer if answer is not None else next(stored) for answer in answers]


def _store(tx: Transaction, new: Sequence[Sending], intake: Intake) -> list[Taken]:
    """Store what is new.

    Raises:
        StoreUnavailable: another process stored a copy since we looked. Nothing of ours may stay then, not even a key;
            the writer asks again, and then the copy is seen.
    """
    if not new:
        return []
    if any(outcome.duplicates for outcome in intake.apply(tx, [sending.arrival for sending in new])):
        raise StoreUnavailable("Another process took a copy at the same time.", code="taken_elsewhere", after_s=1)
    for sending in new:
        _sign(tx, sending)
    return [
        Taken(
            external_id=external_id(sending.envelope.visitor, sending.envelope.client_id),
            swallowed=sending.holder.blocked,
        )
        for sending in new
    ]


def _alive(tx: Transaction, token_ids: set[str]) -> set[str]:
    query = select(_token.id).where(_token.id.in_(token_ids), _token.revoked_at.is_(None))
    return set(tx.execute(query).scalars())


def _judge(tx: Transaction, sending: Sending, claimed: set[tuple[str, str]], *, alive: bool) -> Taken | None:
    """Return the answer that needs no storing, None for a message that is to be stored.

    `claimed` are the keys of those that are stored with it in this transaction.
    """
    if not alive:
        return Taken(refused="token_invalid")
    family = [sending.envelope.visitor]
    if sending.holder.subject is not None:
        family = family_of(tx, sending.envelope.visitor)
    for visitor_id in family:
        known = _known(tx, sending, claimed, visitor_id)
        if known is not None:
            return known
    return _check_files(tx, sending, family)


def _known(tx: Transaction, sending: Sending, claimed: set[tuple[str, str]], visitor_id: str) -> Taken | None:
    """Return what became of it before, had this visitor sent it; None if it is new."""
    account_id = sending.arrival.account.id
    said, content = _message_key(sending, visitor_id), _event_key(sending, visitor_id)
    query = select(_item.dedupe_key).where(_item.account_id == account_id, _item.dedupe_key.in_((said, content)))
    seen = set(tx.execute(query).scalars()) | {key for key in (said, content) if (account_id, key) in claimed}
    if said not in seen:
        # Only the answer to a card has a key that others' client ids may have taken.
        return Taken(refused="card_answered") if content in seen else None
    if content not in seen:
        return Taken(refused="client_id_conflict")
    return Taken(external_id=external_id(visitor_id, sending.envelope.client_id), replayed=True)


def _message_key(sending: Sending, visitor_id: str | None = None) -> str:
    return f"m:{external_id(visitor_id or sending.envelope.visitor, sending.envelope.client_id)}"


def _event_key(sending: Sending, visitor_id: str | None = None) -> str:
    envelope = sending.envelope
    if visitor_id is not None and visitor_id != envelope.visitor:
        envelope = msgspec.structs.replace(envelope, visitor=visitor_id)
    return f"e:{dedupe_key(envelope)}"


def _check_files(tx: Transaction, sending: Sending, family: Sequence[str]) -> Taken | None:
    """Refuse files that are not the sender's own, are sent already, or were never there: all look alike."""
    wanted = [medium.id for medium in media_of(sending.envelope.content) if medium.id]
    if not wanted:
        return None
    query = select(_media.id).where(
        _media.id.in_(wanted),
        _media.account_id == sending.arrival.account.id,
        _media.owner_id.in_([owner_of(visitor_id) for visitor_id in family]),
        _media.message_id.is_(None),
        _media.state == "stored",
    )
    found = set(tx.execute(query.with_for_update()).scalars())
    return None if found >= set(wanted) else Taken(refused="unknown_upload")


def _sign(tx: Transaction, sending: Sending) -> None:
    """Say on the identity who was proved; it may have come into being with this very message."""
    if sending.holder.subject is None:
        return
    identity = schema.identity
    mine = (
        identity.c.account_id == sending.holder.account_id,
        identity.c.external_id == sending.envelope.address,
        identity.c.verified_as.is_(None),
    )
    tx.execute(update(identity).where(*mine).values(verified_as=sending.holder.subject))
