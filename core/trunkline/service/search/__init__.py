"""Finding messages and people: words, an index that follows the log, and questions to it."""

from __future__ import annotations

from trunkline.service.search.finding import Wanted, find_identities, find_messages, indexed_upto
from trunkline.service.search.indexer import CURSOR, Indexer
from trunkline.service.search.texts import message_text
from trunkline.service.search.words import Query, marks_of, normal, read_query, tokens

__all__ = [
    "CURSOR",
    "Indexer",
    "Query",
    "Wanted",
    "find_identities",
    "find_messages",
    "indexed_upto",
    "marks_of",
    "message_text",
    "normal",
    "read_query",
    "tokens",
]
