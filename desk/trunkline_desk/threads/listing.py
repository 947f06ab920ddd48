"""The inbox's list: newest message first, by keyset, along an index for every filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select, text, tuple_

from trunkline.service.reading import thread_query
from trunkline.store import schema
from trunkline_desk.threads.rows import Database, Id, Place, cursor_of, read_cursor
from trunkline_desk.threads.summaries import summaries

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select, TextClause

    from trunkline.service.house import House

__all__ = ["Wanted", "list_threads"]

_thread = schema.thread
#: Literal, because only then does a partial index apply.
_OPEN = text("thread.state NOT IN ('closed', 'ignored')")
_CLOSED = text("thread.state = 'closed'")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which threads, and which part of them."""

    #: all, mine, unassigned
    view: str = "all"
    #: open, closed, any
    state: str = "open"
    #: Who "mine" is.
    agent_id: str = ""
    #: Only these accounts; None for all.
    accounts: tuple[str, ...] | None = None
    unread: bool = False
    cursor: str | None = None
    limit: int = 50


def list_threads(database: Database, house: House, wanted: Wanted, now: int) -> dict[str, Any]:
    """Return one page, and the place in the live feed from which on changes to it are told."""
    # First: what commits after this is told by the feed, even if the list below shows it already.
    stream_cursor = database.execute(select(func.coalesce(func.max(schema.event.c.seq), 0))).scalar_one()
    rows = database.execute(_page(wanted)).all()
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return {
        "items": summaries(database, house, shown, now),
        "next_cursor": cursor_of(shown[-1].last_message_at, shown[-1].id) if more else None,
        "stream_cursor": stream_cursor,
    }


def _page(wanted: Wanted) -> Select[Any]:
    statement = thread_query().where(*_conditions(wanted))
    if wanted.cursor is not None:
        at, thread_id = read_cursor(wanted.cursor, tuple[Place, Id])
        statement = statement.where(tuple_(_thread.c.last_message_at, _thread.c.id) < tuple_(at, thread_id))
    newest = (_thread.c.last_message_at.desc(), _thread.c.id.desc())
    return statement.order_by(*newest).limit(wanted.limit + 1)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool] | TextClause]:
    conditions: list[ColumnElement[bool] | TextClause] = []
    if wanted.state != "any":
        conditions.append(_OPEN if wanted.state == "open" else _CLOSED)
    if wanted.view == "mine":
        conditions.append(_thread.c.assignee_id == wanted.agent_id)
    elif wanted.view == "unassigned":
        conditions.append(_thread.c.assignee_id.is_(None))
    if wanted.accounts is not None:
        one = len(wanted.accounts) == 1
        account = _thread.c.account_id
        conditions.append(account == wanted.accounts[0] if one else account.in_(wanted.accounts))
    if wanted.unread:
        conditions.append(_thread.c.unread > 0)
    return conditions
