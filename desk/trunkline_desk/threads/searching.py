"""The search as agents see it: found messages with the words around the place, found people with their threads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from trunkline.clock import from_ms, to_ms, to_text
from trunkline.service.reading import thread_query
from trunkline.service.search import (
    Query,
    Wanted,
    find_identities,
    find_messages,
    indexed_upto,
    marks_of,
    message_text,
    normal,
    read_query,
    tokens,
)
from trunkline.service.snapshots import ThreadSnapshot
from trunkline.store import schema
from trunkline_desk.threads.rows import Database, Place, cursor_of, read_cursor
from trunkline_desk.threads.summaries import contact_summaries, summaries

if TYPE_CHECKING:
    from sqlalchemy import Row

    from trunkline.service.house import House

__all__ = ["Search", "months_before", "search"]

_thread = schema.thread
_MONTHS = 6
#: People beside messages; a search for people alone has pages.
_PEOPLE = 5
#: How much of a message is shown, and how much of it before the first place; in characters.
_SNIPPET, _BEFORE = 160, 40


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent asks for."""

    text: str
    #: all, contacts, messages
    scope: str = "all"
    #: Nothing older than six months.
    recent: bool = True
    cursor: str | None = None
    limit: int = 20


def search(database: Database, house: House, asked: Search, now: int) -> dict[str, Any]:
    """Return one page of what was found."""
    below = None if asked.cursor is None else read_cursor(asked.cursor, tuple[Place])[0]
    since = months_before(now, _MONTHS) if asked.recent else None
    people: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    place: int | None = None
    if asked.scope == "contacts" or (asked.scope == "all" and below is None):
        limit = asked.limit if asked.scope == "contacts" else _PEOPLE
        query = read_query(asked.text, everywhere=True)
        wanted = Wanted(query=query, dialect=house.store.dialect, below=below, since=since, limit=limit + 1)
        people, place = _people(database, house, wanted, now)
    if asked.scope != "contacts":
        query = read_query(asked.text)
        wanted = Wanted(query=query, dialect=house.store.dialect, below=below, since=since, limit=asked.limit + 1)
        messages, place = _messages(database, house, wanted, now)
    return {
        "contacts": people,
        "messages": messages,
        "next_cursor": None if place is None else cursor_of(place),
        "indexed_upto": int(database.execute(indexed_upto()).scalar() or 0),
    }


def months_before(now: int, months: int) -> int:
    """Return the time so many calendar months ago, the day clamped to the end of its month."""
    at = from_ms(now)
    month = at.year * 12 + at.month - 1 - months
    first = at.replace(year=month // 12, month=month % 12 + 1, day=1)
    return to_ms(first.replace(day=min(at.day, _days(first))))


def _days(first: datetime) -> int:
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return (following - first).days


def _messages(database: Database, house: House, wanted: Wanted, now: int) -> tuple[list[dict[str, Any]], int | None]:
    # A query without a word finds nothing.
    rows = database.execute(find_messages(wanted)).all() if wanted.query else []
    shown = rows[: wanted.limit - 1]
    threads = _threads(database, house, [row.thread_id for row in shown], now)
    place = shown[-1].number if len(rows) == wanted.limit else None
    return [_message(row, threads[row.thread_id], wanted.query) for row in shown], place


def _message(row: Row[Any], thread: ThreadSnapshot, query: Query) -> dict[str, Any]:
    snippet, marks = _snippet(message_text(row.content), query)
    return {
        "message_id": row.id,
        "position": row.position,
        "at": to_text(row.at),
        "direction": row.direction,
        "author": {"kind": row.author_kind, "id": row.author_id, "name": row.author_name},
        "snippet": snippet,
        "marks": marks,
        "thread": thread,
    }


def _snippet(text: str, query: Query) -> tuple[str, list[tuple[int, int]]]:
    """Return the part of a text around the first found place, and the places in it."""
    marks = marks_of(tokens(text), query)
    start = max(0, marks[0][0] - _BEFORE) if marks and len(text) > _SNIPPET else 0
    start = 0 if start < _BEFORE // 2 else start
    end = min(len(text), start + _SNIPPET)
    head, tail = "…" if start else "", "…" if end < len(text) else ""
    shift = len(head) - start
    inside = [(first + shift, min(last, end) + shift) for first, last in marks if start <= first < end]
    return f"{head}{text[start:end]}{tail}", inside


def _people(database: Database, house: House, wanted: Wanted, now: int) -> tuple[list[dict[str, Any]], int | None]:
    rows = database.execute(find_identities(wanted)).all() if wanted.query else []
    shown = rows[: wanted.limit - 1]
    contacts = list(dict.fromkeys(row.contact_id for row in shown))
    newest, counts = _newest_threads(database, contacts), _thread_counts(database, contacts)
    threads = _threads(database, house, newest.values(), now)
    people = contact_summaries(database, contacts)
    place = shown[-1].number if len(rows) == wanted.limit else None
    return [
        {
            "contact": people[one],
            "threads": counts.get(one, 0),
            "thread": threads.get(newest.get(one, "")),
            "marks": _name_marks(people[one]["name"], wanted.query),
        }
        for one in contacts
    ], place


def _name_marks(name: str | None, query: Query) -> list[tuple[int, int]]:
    """Return the places in a name as it is shown; one that is written decomposed has none."""
    if name is None or normal(name) != name:
        return []
    return marks_of(tokens(name), query, inside=True)


def _newest_threads(database: Database, contacts: Sequence[str]) -> dict[str, str]:
    """Return contact → id of the thread in which something was said last."""
    order = (_thread.c.last_message_at, _thread.c.id)
    statement = select(_thread.c.contact_id, _thread.c.id).where(_thread.c.contact_id.in_(contacts)).order_by(*order)
    return {row.contact_id: row.id for row in database.execute(statement)}


def _thread_counts(database: Database, contacts: Sequence[str]) -> dict[str, int]:
    statement = select(_thread.c.contact_id, func.count().label("threads")).where(_thread.c.contact_id.in_(contacts))
    return {row.contact_id: row.threads for row in database.execute(statement.group_by(_thread.c.contact_id))}


def _threads(database: Database, house: House, ids: Any, now: int) -> dict[str, ThreadSnapshot]:
    rows = database.execute(thread_query().where(_thread.c.id.in_(list(ids)))).all()
    return {thread.id: thread for thread in summaries(database, house, rows, now)}
