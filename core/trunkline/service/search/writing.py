"""Writing the index. Plain functions of a transaction; what is indexed twice stands there once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, func, select, text

from trunkline.store import schema
from trunkline.store.schema.search import make_words

if TYPE_CHECKING:
    from sqlalchemy import Table

    from trunkline.store import Transaction

__all__ = ["IDENTITIES", "MESSAGES", "Entry", "Index", "empty", "write_entries"]


class Index(msgspec.Struct, frozen=True):
    """One index: the table of its rows, the column that names what they stand for, the table of their words."""

    rows: Any
    subject: str
    words: Any


MESSAGES = Index(schema.search_message, "message_id", schema.search_message_words)
IDENTITIES = Index(schema.search_identity, "identity_id", schema.search_identity_words)


class Entry(msgspec.Struct, frozen=True):
    """What shall stand in an index: the values of its row (the subject first) and its words; no words, no entry."""

    values: tuple[Any, ...]
    words: Sequence[str]

    @property
    def subject(self) -> str:
        """What it stands for."""
        return str(self.values[0])


def write_entries(tx: Transaction, index: Index, entries: Sequence[Entry]) -> None:
    """Bring the index up to date with `entries`; each takes the place of what was there of its subject."""
    known = _known(tx, index, [entry.subject for entry in entries])
    remove = [known[entry.subject] for entry in entries if entry.subject in known and not entry.words]
    again = {known[entry.subject]: entry for entry in entries if entry.subject in known and entry.words}
    new = [entry for entry in entries if entry.subject not in known and entry.words]
    if remove:
        tx.execute(delete(index.rows).where(index.rows.c.id.in_(remove)))
    if remove or again:
        tx.execute(delete(index.words).where(index.words.c.rowid.in_([*remove, *again])))
    numbered = dict(enumerate(new, _next(tx, index.rows))) if new else {}
    columns = tuple(column.name for column in index.rows.c)
    tx.insert(index.rows, [(number, *entry.values) for number, entry in numbered.items()], columns)
    _insert_words(tx, index, again | numbered)


def empty(tx: Transaction, index: Index) -> None:
    """Take everything out of an index."""
    tx.execute(delete(index.rows))
    for statement in make_words(tx.dialect.name, index.words.name):
        tx.execute(text(statement))


def _known(tx: Transaction, index: Index, subjects: Iterable[str]) -> dict[str, int]:
    column = index.rows.c[index.subject]
    rows = tx.execute(select(column.label("subject"), index.rows.c.id).where(column.in_(list(subjects))))
    return {row.subject: row.id for row in rows}


def _next(tx: Transaction, rows: Table) -> int:
    return int(tx.execute(select(func.coalesce(func.max(rows.c.id), 0))).scalar_one()) + 1


def _insert_words(tx: Transaction, index: Index, entries: Mapping[int, Entry]) -> None:
    encode = " ".join if tx.dialect.name == "sqlite" else _vector
    rows = [(number, encode(entry.words)) for number, entry in entries.items()]
    tx.insert(index.words, rows, ("rowid", "words"))


def _vector(words: Iterable[str]) -> str:
    """Return words as a `tsvector`, with their places; they hold nothing but letters, digits and marks."""
    return " ".join(f"'{word}':{place}" for place, word in enumerate(words, 1))
