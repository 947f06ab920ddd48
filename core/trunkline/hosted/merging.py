"""When somebody proves who they are: their anonymous history becomes theirs, once, and nobody else's.

Nobody yet by that name: the visitor is them from now on, history, thread and cursor included. Somebody known: what was
written anonymously moves to them. The conversation that was going on stays the live one, because customer and agent are
in the midst of it; the thread that was live before becomes an older one, which is read but not written to. So a contact
has one live thread per account at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select, update

from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.visitors import (
    Grant,
    NewToken,
    address_of,
    give_token,
    keep_facts,
    new_visitor,
    revoke,
    visitor_of,
)
from trunkline.model import Actor, ActorKind
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.hosted.connector import Client
    from trunkline.hosted.identity import Proved
    from trunkline.hosted.visitors import Holder
    from trunkline.store import Transaction

__all__ = ["Exchange", "exchange"]

visitor, token, device = schema.visitor, schema.visitor_token, schema.visitor_device
identity, contact, thread, message = schema.identity, schema.contact, schema.thread, schema.message


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A token that is to become another one."""

    holder: Holder
    proved: Proved
    client: Client
    #: True when the user on this device changes.
    switch: bool
    now: int


def exchange(tx: Transaction, wish: Exchange) -> tuple[NewToken, list[str]]:
    """Return the new token and the ids of those that died.

    Raises:
        ClientRefused: token_invalid when another exchange was faster, identity_conflict.
    """
    holder, account_id = wish.holder, wish.holder.account_id
    live = select(token.c.id).where(token.c.id == holder.token_id, token.c.revoked_at.is_(None)).with_for_update()
    if tx.execute(live).one_or_none() is None:
        raise ClientRefused("token_invalid")
    same = holder.subject == wish.proved.subject
    if holder.subject is not None and not same and not wish.switch:
        raise ClientRefused("identity_conflict")
    ended, merged = [holder.token_id], False
    if holder.subject is None:
        ended = _anonymous_tokens(tx, holder.visitor_id)
        visitor_id, merged = _become(tx, wish)
    else:
        visitor_id = new_visitor(tx, account_id, address_of(wish.proved), wish.proved, wish.now)
    keep_facts(tx, visitor_id, proved=wish.proved)
    _sign_identity(tx, account_id, wish.proved)
    # What this app has shown it has shown; to somebody else it has shown nothing.
    shown = holder.shown_seq if same or holder.subject is None else 0
    grant = Grant(account_id, visitor_id, holder.key, wish.client, holder.device_id, shown)
    given = give_token(tx, grant, wish.now)
    tx.execute(update(device).where(device.c.token_id == holder.token_id).values(token_id=given.holder.token_id))
    revoke(tx, ended, wish.now)
    return NewToken(given.token, given.holder, merged), ended


def _anonymous_tokens(tx: Transaction, visitor_id: str) -> list[str]:
    """Return every token that was given before the visitor was anybody: none of them opens the user's history."""
    mine = (token.c.visitor_id == visitor_id, token.c.subject.is_(None), token.c.revoked_at.is_(None))
    return list(tx.execute(select(token.c.id).where(*mine)).scalars())


def _become(tx: Transaction, wish: Exchange) -> tuple[str, bool]:
    """Make an anonymous visitor the one who was proved; returns that visitor and whether two became one."""
    holder, address = wish.holder, address_of(wish.proved)
    known = visitor_of(tx, holder.account_id, address)
    if known is None:
        values = {"external_id": address, "subject": wish.proved.subject}
        tx.execute(update(visitor).where(visitor.c.id == holder.visitor_id).values(values))
        _rename(tx, wish, address)
        return holder.visitor_id, False
    values = {"merged_into": known.id}
    tx.execute(update(visitor).where(visitor.c.id == holder.visitor_id).values(values))
    tx.execute(update(visitor).where(visitor.c.id == known.id).values(epoch=known.epoch + 1))
    _move(tx, wish, address)
    return str(known.id), True


def _move(tx: Transaction, wish: Exchange, address: str) -> None:
    """Give what an anonymous visitor wrote to the contact of a known one."""
    mine, theirs = (_identity(tx, wish, one) for one in (wish.holder.address, address))
    if mine is None:
        return
    if theirs is None:
        _rename(tx, wish, address)
        return
    tx.execute(update(identity).where(identity.c.id == mine.id).values(contact_id=theirs.contact_id))
    tx.execute(update(contact).where(contact.c.id == mine.contact_id).values(merged_into=theirs.contact_id))
    account_id = wish.holder.account_id
    for row in tx.execute(select(thread).where(thread.c.identity_id == mine.id).with_for_update()).fetchall():
        if row.key == wish.holder.address:
            _retire(tx, wish, account_id, address)
        key = address if row.key == wish.holder.address else f"{address}#{row.id}"
        values = {"key": key, "contact_id": theirs.contact_id, "identity_id": theirs.id}
        tx.execute(update(thread).where(thread.c.id == row.id).values(values))
        authored = (message.c.thread_id == row.id, message.c.author_id == mine.contact_id)
        tx.execute(update(message).where(*authored).values(author_id=theirs.contact_id))
        _tell(tx, wish, row.id, address, theirs)


def _retire(tx: Transaction, wish: Exchange, account_id: str, address: str) -> None:
    """Let the thread that was live until now become an older one."""
    mine = (thread.c.account_id == account_id, thread.c.key == address)
    row = tx.execute(select(thread).where(*mine).with_for_update()).one_or_none()
    if row is not None:
        tx.execute(update(thread).where(thread.c.id == row.id).values(key=f"{address}#{row.id}"))
        _tell(tx, wish, row.id, address, None)


def _rename(tx: Transaction, wish: Exchange, address: str) -> None:
    """The visitor is the first by this name: their identity and their threads carry it from now on."""
    row = _identity(tx, wish, wish.holder.address)
    if row is None:
        return
    tx.execute(update(identity).where(identity.c.id == row.id).values(external_id=address))
    for one in tx.execute(select(thread).where(thread.c.identity_id == row.id).with_for_update()).fetchall():
        key = address if one.key == wish.holder.address else f"{address}#{one.id}"
        tx.execute(update(thread).where(thread.c.id == one.id).values(key=key))
        _tell(tx, wish, one.id, address, row)


def _identity(tx: Transaction, wish: Exchange, address: str) -> Any:
    mine = (identity.c.account_id == wish.holder.account_id, identity.c.external_id == address)
    return tx.execute(select(identity).where(*mine).with_for_update()).one_or_none()


def _sign_identity(tx: Transaction, account_id: str, proved: Proved) -> None:
    """Write what was signed to the identity and the contact that agents see, if they are there yet."""
    mine = (identity.c.account_id == account_id, identity.c.external_id == address_of(proved))
    row = tx.execute(select(identity).where(*mine)).one_or_none()
    if row is None:
        return
    name = proved.facts.get("name")
    tx.execute(
        update(identity).where(identity.c.id == row.id).values(verified_as=proved.subject, name=name or row.name)
    )
    if name:
        tx.execute(update(contact).where(contact.c.id == row.contact_id).values(name=name))


def _tell(tx: Transaction, wish: Exchange, thread_id: str, address: str, to: Any) -> None:
    """Log it on the thread: who was who, and whose thread it is now."""
    actor = Actor(ActorKind.CONTACT, None if to is None else to.contact_id, wish.proved.facts.get("name"))
    payload = {
        "account_id": wish.holder.account_id,
        "contact": wish.holder.address,
        "other": address,
        "verified_as": wish.proved.subject,
        "contact_id": None if to is None else to.contact_id,
    }
    tx.append("identity_linked", actor=actor, at=wish.now, payload=payload, thread_id=thread_id)
    if to is not None:
        shown = {"id": to.contact_id, "name": wish.proved.facts.get("name") or to.name, "avatar": None}
        tx.append("contact_changed", actor=actor, at=wish.now, payload={"contact": shown}, thread_id=thread_id)
