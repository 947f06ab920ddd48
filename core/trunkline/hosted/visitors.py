"""Visitors and the tokens they hold: rows, and the plain write functions that change them.

A token is 256 random bits, kept as its hash; after a day of use another follows it. The visitor's row comes with the
first token; the identity and the contact that agents see come with the first message.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Select, func, or_, select, update

from trunkline.hosted.connector import Client
from trunkline.model import new_id
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.hosted.identity import Proved
    from trunkline.store import Transaction

__all__ = [
    "PREFIX",
    "Generations",
    "Grant",
    "Holder",
    "NewToken",
    "address_of",
    "family_of",
    "find_holder",
    "fingerprint",
    "generations_of",
    "give_token",
    "holder_query",
    "keep_client",
    "keep_facts",
    "merged_facts",
    "new_visitor",
    "note_visits",
    "revoke",
    "visitor_of",
]

#: How every token begins.
PREFIX = "vt_"
_DAY_MS = 24 * 3600 * 1000
#: How long a token is good: an anonymous one is all that its holder has, a proved one is renewed by the site.
ANONYMOUS_MS, VERIFIED_MS = 180 * _DAY_MS, _DAY_MS // 2
_MOST_VISITS = 20

visitor, token, device = schema.visitor, schema.visitor_token, schema.visitor_device
_encode = msgspec.json.Encoder().encode
_client = msgspec.json.Decoder(Client).decode


class Generations(msgspec.Struct, frozen=True):
    """The tokens that one holder may show, as what is kept of them; see `trunkline.hosted.rotating`."""

    current: str
    #: Offered, and not used yet.
    following: str | None
    #: Good until then.
    before: str | None
    before_until: int
    #: When the current one was given, or took over.
    since: int


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A good token and the visitor behind it."""

    #: Stays when the token is followed by another: device, sockets and pushes belong to it.
    token_id: str
    tokens: Generations
    account_id: str
    #: The public key with which it was given.
    key: str
    #: Who was proved when the token was given; None for an anonymous one.
    subject: str | None
    expires_at: int
    revoked_at: int | None
    device_id: str | None
    visitor_id: str
    #: `identity.external_id`, and the key of the live thread.
    address: str
    epoch: int
    stated: dict[str, Any]
    verified: dict[str, Any]
    #: Up to which event any client of theirs has everything.
    acked_seq: int
    #: Up to which event the app with this token has shown everything.
    shown_seq: int
    #: What the client last said of itself.
    client: Client
    blocked: bool

    @property
    def name(self) -> str | None:
        """What agents call them."""
        return self.verified.get("name") or self.stated.get("name")


class Grant(msgspec.Struct, frozen=True):
    """A token about to be given: to which visitor, by which public key, to which client."""

    account_id: str
    visitor_id: str
    key: str
    client: Client
    device_id: str | None = None
    #: Up to which event its app has shown everything: what the token before it had.
    shown_seq: int = 0


class NewToken(msgspec.Struct, frozen=True):
    """A token as it is given once, and what it opens."""

    token: str
    holder: Holder
    merged: bool = False


def fingerprint(text: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def address_of(proved: Proved | None) -> str:
    """Return the address of a visitor: for ever the same for somebody who is proved, else random."""
    return f"u:{proved.subject}" if proved is not None else f"v:{secrets.token_hex(16)}"


_HOLDER: Select[Any] = (
    select(
        token.c.id.label("token_id"),
        token.c.account_id,
        token.c.key,
        token.c.subject,
        token.c.expires_at,
        token.c.revoked_at,
        token.c.device_id,
        token.c.acked_seq.label("shown_seq"),
        token.c.client,
        token.c.token_hash.label("current"),
        token.c.next_hash.label("following"),
        token.c.previous_hash.label("before"),
        func.coalesce(token.c.previous_until, 0).label("before_until"),
        func.coalesce(token.c.rotated_at, token.c.created_at).label("since"),
        visitor.c.id.label("visitor_id"),
        visitor.c.external_id.label("address"),
        visitor.c.epoch,
        visitor.c.stated,
        visitor.c.verified,
        visitor.c.acked_seq,
        visitor.c.blocked,
    )
    .join(visitor, visitor.c.id == token.c.visitor_id)
    .select_from(token)
)


def holder_query() -> Select[Any]:
    """Return the statement whose rows `holder_of` reads."""
    return _HOLDER


def generations_of(row: Any) -> Generations:
    """Return the tokens in a row of `holder_query`."""
    return Generations(*(getattr(row, name) for name in Generations.__struct_fields__))


def holder_of(row: Any) -> Holder:
    """Return a row of `holder_query`."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to the names of a row
    opened = {name: msgspec.json.decode(values[name]) for name in ("stated", "verified")}
    opened["client"] = _client(values["client"])
    opened["tokens"] = generations_of(row)
    known = {name: values[name] for name in Holder.__struct_fields__ if name in values}
    return Holder(**{**known, **opened, "blocked": bool(values["blocked"])})


async def find_holder(connection: AsyncConnection, text: str) -> Holder | None:
    """Return whose token this is, revoked and expired ones too; None if it was never given."""
    mark = fingerprint(text)
    known = or_(token.c.token_hash == mark, token.c.next_hash == mark, token.c.previous_hash == mark)
    row = (await connection.execute(_HOLDER.where(known))).one_or_none()
    return None if row is None else holder_of(row)


def visitor_of(tx: Transaction, account_id: str, address: str) -> Any:
    """Return a visitor's row, locked; None if there is none."""
    mine = (visitor.c.account_id == account_id, visitor.c.external_id == address)
    return tx.execute(select(visitor).where(*mine).with_for_update()).one_or_none()


def new_visitor(tx: Transaction, account_id: str, address: str, proved: Proved | None, now: int) -> str:
    """Make a visitor's row and return its id; one that came into being meanwhile is taken instead."""
    row = (new_id(), account_id, address, proved and proved.subject, 1, "{}", "{}", "[]", False, now, now)
    columns = (
        "id",
        "account_id",
        "external_id",
        "subject",
        "epoch",
        "stated",
        "verified",
        "visits",
        "blocked",
        "seen_at",
        "created_at",
    )
    if tx.insert_new(visitor, [row], columns, ("id",)):
        return str(row[0])
    return str(visitor_of(tx, account_id, address).id)


def keep_facts(
    tx: Transaction, visitor_id: str, *, stated: Mapping[str, Any] | None = None, proved: Proved | None = None
) -> None:
    """Remember what a visitor says of themselves (None takes a value back), and what was signed of them."""
    row = tx.execute(select(visitor).where(visitor.c.id == visitor_id).with_for_update()).one()
    values = {}
    if stated:
        values["stated"] = _encode(merged_facts(msgspec.json.decode(row.stated), stated)).decode()
    if proved is not None:
        signed = {**proved.facts, **({"attributes": proved.attributes} if proved.attributes else {})}
        values["verified"] = _encode(merged_facts(msgspec.json.decode(row.verified), signed)).decode()
        values["subject"] = proved.subject
    if values:
        tx.execute(update(visitor).where(visitor.c.id == visitor_id).values(values))


def merged_facts(known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known after something was told; None takes a value back, attributes one by one."""
    after = {**known, **told}
    if "attributes" in known or "attributes" in told:
        after["attributes"] = _present({**(known.get("attributes") or {}), **(told.get("attributes") or {})})
    return _present(after)


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def give_token(tx: Transaction, grant: Grant, now: int) -> NewToken:
    """Make a token for a visitor; it is verified if the visitor is."""
    row = tx.execute(select(visitor).where(visitor.c.id == grant.visitor_id)).one()
    text = PREFIX + secrets.token_urlsafe(32)
    values = {
        "id": new_id(),
        "token_hash": fingerprint(text),
        "account_id": grant.account_id,
        "visitor_id": grant.visitor_id,
        "key": grant.key,
        "subject": row.subject,
        "client": _encode(grant.client).decode(),
        "device_id": grant.device_id,
        "acked_seq": grant.shown_seq,
        "expires_at": now + (ANONYMOUS_MS if row.subject is None else VERIFIED_MS),
        "created_at": now,
    }
    tx.execute(token.insert().values(values))
    tx.execute(update(visitor).where(visitor.c.id == grant.visitor_id).values(seen_at=now))
    found = tx.execute(_HOLDER.where(token.c.id == values["id"])).one()
    return NewToken(text, holder_of(found))


def keep_client(tx: Transaction, holder: Holder, client: Client) -> None:
    """Remember what the client says of itself now: apps are updated while they hold a token."""
    tx.execute(update(token).where(token.c.id == holder.token_id).values(client=_encode(client).decode()))


def revoke(tx: Transaction, token_ids: Sequence[str], now: int) -> None:
    """End tokens and let go of their devices, for good and at once."""
    tx.execute(update(token).where(token.c.id.in_(token_ids), token.c.revoked_at.is_(None)).values(revoked_at=now))
    tx.execute(device.delete().where(device.c.token_id.in_(token_ids)))


def family_of(tx: Transaction, visitor_id: str) -> list[str]:
    """Return the ids of a visitor and of all who turned out to be the same."""
    found, wanted = [visitor_id], [visitor_id]
    while wanted:
        wanted = list(tx.execute(select(visitor.c.id).where(visitor.c.merged_into.in_(wanted))).scalars())
        found += wanted
    return found


def note_visits(tx: Transaction, visitor_id: str, views: Sequence[Mapping[str, Any]], origin: Any, *, now: int) -> None:
    """Keep the last pages that a visitor saw, and where they came from first."""
    row = tx.execute(select(visitor).where(visitor.c.id == visitor_id).with_for_update()).one()
    kept = [*msgspec.json.decode(row.visits), *views][-_MOST_VISITS:]
    values: dict[str, Any] = {"visits": _encode(kept).decode(), "seen_at": now}
    if origin and row.origin is None:
        values["origin"] = _encode(origin).decode()
    tx.execute(update(visitor).where(visitor.c.id == visitor_id).values(values))
