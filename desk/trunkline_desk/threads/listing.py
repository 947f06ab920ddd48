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

__all__ = ["NOBODY", "Wanted", "count_open", "list_threads"]

_thread = schema.thread
#: Literal, because only then does a partial index apply.
_OPEN = text("thread.state NOT IN ('closed', 'ignored')")
_CLOSED = text("thread.state = 'closed'")


_LAST_EVENT = select(func.coalesce(func.max(schema.event.c.seq), 0))

#: Whose threads those are that nobody has.
NOBODY = "none"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which threads, and which part of them."""

    #: open, closed, any
    state: str = "open"
    #: Whose they are: the id of an agent, `NOBODY`, None for anybody's.
    assignee: str | None = None
    #: Only this account; None for all.
    account: str | None = None
    #: Only what came by this channel, and the accounts of which it is the own one.
    channel: tuple[str, tuple[str, ...]] | None = None
    unread: bool = False
    cursor: str | None = None
    limit: int = 50


def list_threads(database: Database, house: House, wanted: Wanted, now: int) -> dict[str, Any]:
    """Return one page, and the place in the live feed from which on changes to it are told."""
    # First: what commits after this is told by the feed, even if the list below shows it already.
    stream_cursor = database.execute(_LAST_EVENT).scalar_one()
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
    if wanted.assignee is not None:
        nobody = wanted.assignee == NOBODY
        conditions.append(_thread.c.assignee_id.is_(None) if nobody else _thread.c.assignee_id == wanted.assignee)
    if wanted.account is not None:
        conditions.append(_thread.c.account_id == wanted.account)
    if wanted.channel is not None:
        code, accounts = wanted.channel
        own = _thread.c.channel.is_(None) & _thread.c.account_id.in_(accounts)
        conditions.append((_thread.c.channel == code) | own)
    if wanted.unread:
        conditions.append(_thread.c.unread > 0)
    return conditions


def count_open(database: Database, agent_id: str) -> dict[str, int]:
    """Return how many threads are open: the agent's, nobody's, all. Counted along an index of what is open alone."""
    assignee = _thread.c.assignee_id
    whose: dict[str, list[ColumnElement[bool]]] = {
        "mine": [assignee == agent_id],
        "unassigned": [assignee.is_(None)],
        "all": [],
    }
    return {name: database.execute(_counted(*which)).scalar_one() for name, which in whose.items()}


def _counted(*which: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(_thread).where(_OPEN, *which)
