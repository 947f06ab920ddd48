"""The index of the search: which row stands for which message or identity, and the tables of their words.

The tables of words are no part of the metadata, which cannot say what they are: FTS5 on SQLite, `tsvector` with GIN on
PostgreSQL. They hold folded words (`service/search/words.py`), so neither database needs to know any language.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from trunkline.store.schema.columns import metadata, ms_column

__all__ = [
    "make_words",
    "search_identity",
    "search_identity_words",
    "search_message",
    "search_message_words",
]

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

#: Numbers grow in the order of messages, so that the newest are found first.
search_message = Table(
    "search_message",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=False),
    Column("message_id", Text, nullable=False, unique=True),
    ms_column("at", nullable=False),
    Index("ix_search_message_at", "at"),
)

search_identity = Table(
    "search_identity",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=False),
    Column("identity_id", Text, nullable=False, unique=True),
)

_apart = MetaData()


def _words(name: str) -> Table:
    """Describe a table of words; `rowid` is the `id` of the row that they belong to."""
    return Table(
        name,
        _apart,
        Column("rowid", _NUMBER, primary_key=True, autoincrement=False),
        Column("words", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
    )


search_message_words = _words("search_message_words")
search_identity_words = _words("search_identity_words")

#: Our words are folded already; marks count as letters, for scripts in which a mark stands alone.
_FTS5 = "tokenize=\"unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'\", prefix='2 3'"


def make_words(dialect: str, name: str) -> tuple[str, ...]:
    """Return the statements that make a table of words anew, empty. `name` is one of ours."""
    if dialect == "sqlite":
        return (f"DROP TABLE IF EXISTS {name}", f"CREATE VIRTUAL TABLE {name} USING fts5(words, {_FTS5})")
    return (
        f"DROP TABLE IF EXISTS {name}",
        f"CREATE TABLE {name} (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
        f"CREATE INDEX ix_{name} ON {name} USING gin (words)",
    )
