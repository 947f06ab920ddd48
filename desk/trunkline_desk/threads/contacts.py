"""One customer, read from everything that knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, or_, select, update

from trunkline.clock import to_text
from trunkline.service.reading import thread_query
from trunkline.store import schema
from trunkline_desk.threads.rows import Database, not_found
from trunkline_desk.threads.summaries import channel_of, contact_summaries, summaries

if TYPE_CHECKING:
    from trunkline.service.house import House
    from trunkline.store import Transaction
    from trunkline_desk.threads.states import Change

__all__ = ["read_contact", "rename_contact"]

_contact, _identity, _thread, _visitor = schema.contact, schema.identity, schema.thread, schema.visitor
_THREADS, _VISITS = 50, 20


def read_contact(database: Database, house: House, contact_id: str, now: int) -> dict[str, Any]:
    """Return a contact as the API shows them; one that turned out to be another is that other one.

    Raises:
        Problem: 404 when there is none.
    """
    row = _find(database, contact_id)
    identities = database.execute(
        select(_identity).where(_identity.c.contact_id == row.id).order_by(_identity.c.id)
    ).all()
    visitors = _visitors(database, identities)
    return {
        **contact_summaries(database, [row.id])[row.id],
        "language": row.language,
        "created_at": to_text(row.created_at),
        "identities": [_shown(house, identity) for identity in identities],
        "threads": _threads(database, house, row.id, now),
        "visits": _visits(visitors),
        "origin": _origin(visitors),
        "attributes": {"stated": _merged(visitors, "stated"), "verified": _merged(visitors, "verified")},
    }


def rename_contact(tx: Transaction, contact_id: str, name: str, change: Change) -> str:
    """Give a contact the name that agents call them by, and tell every thread of theirs. Returns the contact's id.

    Raises:
        Problem: 404 when there is none.
    """
    row = _find(tx, contact_id)
    if row.name == name:
        return str(row.id)
    tx.execute(update(_contact).where(_contact.c.id == row.id).values(name=name))
    shown = contact_summaries(tx, [row.id])[row.id]
    threads = tx.execute(select(_thread.c.id).where(_thread.c.contact_id == row.id)).scalars().all()
    for thread_id in threads or [None]:
        payload = {"contact": shown, "previous": row.name}
        tx.append("contact_changed", actor=change.actor, at=change.now, payload=payload, thread_id=thread_id)
    return str(row.id)


def _find(database: Database, contact_id: str) -> Any:
    row = database.execute(select(_contact).where(_contact.c.id == contact_id)).one_or_none()
    if row is None:
        raise not_found("contact")
    return row if row.merged_into is None else _find(database, row.merged_into)


def _shown(house: House, identity: Any) -> dict[str, Any]:
    account = house.accounts.find(identity.account_id)
    channel = channel_of(house, identity.account_id)
    return {
        "id": identity.id,
        "account_id": identity.account_id,
        "account_title": account.title if account else identity.account_id,
        "channel": channel.code,
        "channel_title": channel.title["en"],
        "external_id": identity.external_id,
        "kind": identity.kind,
        "name": identity.name,
        "reachable": bool(identity.reachable),
        "verified": identity.verified_as is not None,
    }


def _threads(database: Database, house: House, contact_id: str, now: int) -> list[Any]:
    newest = (_thread.c.last_message_at.desc(), _thread.c.id.desc())
    mine = thread_query().where(_thread.c.contact_id == contact_id)
    return summaries(database, house, database.execute(mine.order_by(*newest).limit(_THREADS)).all(), now)


def _visitors(database: Database, identities: Sequence[Any]) -> list[Any]:
    """Return what hosted channels know of these people, those too who turned out to be one of them."""
    who = [
        and_(_visitor.c.account_id == one.account_id, _visitor.c.external_id == one.external_id) for one in identities
    ]
    if not who:
        return []
    known = database.execute(select(_visitor).where(or_(*who)).order_by(_visitor.c.seen_at)).all()
    earlier = select(_visitor).where(_visitor.c.merged_into.in_([row.id for row in known]))
    return [*database.execute(earlier.order_by(_visitor.c.seen_at)), *known]


def _visits(visitors: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the last pages, newest first; of those that were told together, the one that was seen last."""
    pages = [_visit(page) for visitor in visitors for page in msgspec.json.decode(visitor.visits)][::-1]
    return sorted(pages, key=lambda page: page["at"] or "", reverse=True)[:_VISITS]


def _visit(page: dict[str, Any]) -> dict[str, Any]:
    at = page.get("at")
    shown = to_text(at) if isinstance(at, int) else at
    return {"url": page.get("url") or page.get("screen"), "title": page.get("title"), "at": shown}


def _merged(visitors: Sequence[Any], column: str) -> dict[str, Any]:
    """Return the facts of all, the newest over older ones."""
    merged: dict[str, Any] = {}
    for visitor in visitors:
        facts = msgspec.json.decode(getattr(visitor, column))
        own = {**merged.get("attributes", {}), **facts.get("attributes", {})}
        merged |= {**facts, "attributes": own} if own else facts
    return merged


def _origin(visitors: Sequence[Any]) -> dict[str, Any] | None:
    """Return where they came from when they first came."""
    told = [one for one in visitors if one.origin]
    if not told:
        return None
    first = msgspec.json.decode(min(told, key=lambda one: one.created_at).origin)
    return {"referrer": first.get("referrer"), "campaign": first.get("utm") or {}}
