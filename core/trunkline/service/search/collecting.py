"""Reading what shall be indexed: messages and identities as they are now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, select

from trunkline.service.search.texts import identity_words, message_words
from trunkline.service.search.writing import Entry
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = ["by_address", "identity_entries", "identity_query", "message_entries", "message_query", "of_contacts"]

_m, _i, _c, _v = schema.message.c, schema.identity.c, schema.contact.c, schema.visitor.c
#: What a visitor tells of themselves, or the site of them, that a search may find.
_TOLD = ("name", "email", "phone")


def message_query() -> Select[Any]:
    """Return messages with what is indexed of them."""
    return select(_m.id, _m.at, _m.content, _m.recalled_at)


def identity_query() -> Select[Any]:
    """Return identities with the names that they are known by."""
    visitor = and_(_v.account_id == _i.account_id, _v.external_id == _i.external_id)
    return (
        select(_i.id, _i.external_id, _i.name, _c.name.label("contact_name"), _v.stated, _v.verified)
        .join_from(schema.identity, schema.contact, _c.id == _i.contact_id)
        .join(schema.visitor, visitor, isouter=True)
    )


def message_entries(rows: Iterable[Row[Any]]) -> list[Entry]:
    """Return the entries of rows of `message_query`; what was recalled has none."""
    return [Entry((row.id, row.at), () if row.recalled_at is not None else message_words(row.content)) for row in rows]


def identity_entries(rows: Iterable[Row[Any]]) -> list[Entry]:
    """Return the entries of rows of `identity_query`."""
    return [Entry((row.id,), identity_words(_texts(row))) for row in rows]


def _texts(row: Row[Any]) -> list[str | None]:
    told = [msgspec.json.decode(one) for one in (row.verified, row.stated) if one]
    return [row.contact_name, row.name, row.external_id, *(_text(one.get(key)) for one in told for key in _TOLD)]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def of_contacts(contacts: Collection[str]) -> ColumnElement[bool]:
    """Return the condition for the identities of contacts."""
    return _i.contact_id.in_(contacts)


def by_address(addresses: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    """Return the condition for identities by (account, external id)."""
    accounts = {account for account, _ in addresses}
    return _i.account_id.in_(accounts) & _i.external_id.in_({external_id for _, external_id in addresses})
