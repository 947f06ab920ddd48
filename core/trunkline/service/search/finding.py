"""Asking the index: messages and contacts, newest first, page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import cast, func, literal, select
from sqlalchemy.dialects.postgresql import TSQUERY

from trunkline.service.search.indexer import CURSOR
from trunkline.service.search.words import Phrase, Query
from trunkline.service.search.writing import IDENTITIES, MESSAGES, Index
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

__all__ = ["Wanted", "find_identities", "find_messages", "indexed_upto"]

_m, _i, _t = schema.message.c, schema.identity.c, schema.thread.c


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched, and which part of it."""

    query: Query
    #: "sqlite", "postgresql"
    dialect: str
    #: Numbers below this one; None for the newest.
    below: int | None = None
    #: Nothing older than this (ms); None for everything.
    since: int | None = None
    #: Only these accounts; None for all.
    accounts: Sequence[str] | None = None
    limit: int = 50


def find_messages(wanted: Wanted) -> Select[Any]:
    """Return the statement for (number, columns of message), newest first."""
    statement = (
        select(MESSAGES.words.c.rowid.label("number"), schema.message)
        .join_from(MESSAGES.words, MESSAGES.rows, MESSAGES.rows.c.id == MESSAGES.words.c.rowid)
        .join(schema.message, _m.id == MESSAGES.rows.c.message_id)
    )
    if wanted.since is not None:
        # Numbers follow time, so the index need not be read below the first one of that time.
        first = select(MESSAGES.rows.c.id).where(MESSAGES.rows.c.at >= wanted.since).order_by(MESSAGES.rows.c.at)
        statement = statement.where(MESSAGES.words.c.rowid >= func.coalesce(first.limit(1).scalar_subquery(), 2**62))
    if wanted.accounts is not None:
        statement = statement.where(_m.account_id.in_(wanted.accounts))
    return _page(statement, MESSAGES, wanted)


def find_identities(wanted: Wanted) -> Select[Any]:
    """Return the statement for (number, contact_id), the newest identities first. A contact may come twice."""
    statement = (
        select(IDENTITIES.words.c.rowid.label("number"), _i.contact_id)
        .join_from(IDENTITIES.words, IDENTITIES.rows, IDENTITIES.rows.c.id == IDENTITIES.words.c.rowid)
        .join(schema.identity, _i.id == IDENTITIES.rows.c.identity_id)
    )
    if wanted.since is not None:
        recent = (_t.contact_id == _i.contact_id, _t.last_message_at >= wanted.since)
        statement = statement.where(select(_t.id).where(*recent).exists())
    if wanted.accounts is not None:
        statement = statement.where(_i.account_id.in_(wanted.accounts))
    return _page(statement, IDENTITIES, wanted)


def indexed_upto() -> Select[Any]:
    """Return the statement for the number of the last event that is in the index, as text."""
    return select(schema.cursor.c.position).where(schema.cursor.c.name == CURSOR)


def _page(statement: Select[Any], index: Index, wanted: Wanted) -> Select[Any]:
    number = index.words.c.rowid
    statement = statement.where(_MATCHES[wanted.dialect](index.words.c.words, wanted.query))
    if wanted.below is not None:
        statement = statement.where(number < wanted.below)
    return statement.order_by(number.desc()).limit(wanted.limit)


def _fts5(words: ColumnElement[str], query: Query) -> ColumnElement[bool]:
    """FTS5: strings of words side by side, all of them. Our words hold no quote, so a string cannot end early."""

    def string(phrase: Phrase) -> str:
        return f'"{" ".join(phrase.words)}"{"*" if phrase.prefix else ""}'

    matches: ColumnElement[bool] = words.op("MATCH")(" AND ".join(map(string, query)))
    return matches


def _tsquery(words: ColumnElement[str], query: Query) -> ColumnElement[bool]:
    """The same for PostgreSQL: quoted lexemes in a row."""

    def row(phrase: Phrase) -> str:
        lexemes = [f"'{word}'" for word in phrase.words]
        return f"({' <-> '.join(lexemes)}{':*' if phrase.prefix else ''})"

    matches: ColumnElement[bool] = words.op("@@")(cast(literal(" & ".join(map(row, query))), TSQUERY))
    return matches


_MATCHES: dict[str, Callable[[Any, Query], ColumnElement[bool]]] = {"sqlite": _fts5, "postgresql": _tsquery}
