"""Threads: the list, one of them, who has it, and its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trunkline.service import signals
from trunkline_desk.api.actors import change_of
from trunkline_desk.api.models.messages import EventPage
from trunkline_desk.api.models.threads import (
    AssigneeBody,
    PageQuery,
    ReadBody,
    Thread,
    ThreadCounts,
    ThreadPage,
    ThreadsQuery,
)
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads import states
from trunkline_desk.threads.detail import read_thread
from trunkline_desk.threads.history import read_history
from trunkline_desk.threads.listing import NOBODY, Wanted, count_open, list_threads
from trunkline_desk.threads.reading import mark_read
from trunkline_desk.threads.rows import ask

__all__ = ["ROUTES"]


async def threads(call: Call[None, ThreadsQuery]) -> dict[str, Any]:
    """Return a page of the inbox."""
    query, house = call.query, call.desk.house
    wanted = Wanted(
        state=query.state,
        assignee=_assignee(call),
        account=query.account,
        channel=None if query.channel is None else (query.channel, _accounts_of(call, query.channel)),
        unread=query.unread,
        cursor=query.cursor,
        limit=query.limit,
    )
    return await ask(house.store, list_threads, house, wanted, call.now)


def _assignee(call: Call[None, ThreadsQuery]) -> str | None:
    """Return whose threads are asked for."""
    query = call.query
    if query.assignee is not None:
        return call.actor.id if query.assignee == "me" else query.assignee
    return {"all": None, "mine": call.actor.id, "unassigned": NOBODY}[query.view]


def _accounts_of(call: Call[None, ThreadsQuery], channel: str) -> tuple[str, ...]:
    return tuple(account.id for account in call.desk.house.accounts.all() if account.channel == channel)


async def counts(call: Call[None, None]) -> dict[str, int]:
    """Return how many threads are open."""
    return await ask(call.desk.house.store, count_open, call.actor.id)


async def thread(call: Call[None, None]) -> dict[str, Any]:
    """Return one thread."""
    house = call.desk.house
    return await ask(house.store, read_thread, house, call.path("thread_id"), call.now)


async def history(call: Call[None, PageQuery]) -> dict[str, Any]:
    """Return what happened in a thread."""
    query = call.query
    return await ask(call.desk.house.store, read_history, call.path("thread_id"), query.cursor, query.limit)


async def assign(call: Call[AssigneeBody, None]) -> dict[str, Any]:
    """Hand a thread to an agent, to oneself, or to nobody."""
    agent_id = call.actor.id if call.body.agent_id == "me" else call.body.agent_id
    return await _changed(call, lambda tx: states.assign(tx, change_of(call), agent_id))


async def close(call: Call[EmptyBody, None]) -> dict[str, Any]:
    """Close a thread."""
    return await _changed(call, lambda tx: states.close(tx, change_of(call)))


async def reopen(call: Call[EmptyBody, None]) -> dict[str, Any]:
    """Open a closed thread."""
    return await _changed(call, lambda tx: states.reopen(tx, change_of(call)))


async def _changed(call: Call[Any, Any], work: Callable[[Any], None]) -> dict[str, Any]:
    """Make a change and return the thread as it is then."""

    def write(tx: Any) -> dict[str, Any]:
        work(tx)
        return read_thread(tx, call.desk.house, call.path("thread_id"), call.now)

    return await call.commit(write)


async def read(call: Call[ReadBody, None]) -> None:
    """Note up to where a thread was read, and tell the customer where the channel can."""
    desk, thread_id, position = call.desk, call.path("thread_id"), call.body.position
    await call.commit(lambda tx: mark_read(tx, change_of(call), position))
    desk.later(signals.mark_read(desk.house, thread_id, position), "mark_read")


ROUTES = (
    Route(
        method="GET",
        path="/threads",
        handler=threads,
        action=Action.READ_THREADS,
        operation="threads",
        summary="A page of the inbox, newest message first.",
        query=ThreadsQuery,
        answer=ThreadPage,
    ),
    Route(
        method="GET",
        path="/threads/counts",
        handler=counts,
        action=Action.READ_THREADS,
        operation="thread_counts",
        summary="How many threads are open: mine, nobody's, all.",
        answer=ThreadCounts,
    ),
    Route(
        method="GET",
        path="/threads/{thread_id}",
        handler=thread,
        action=Action.READ_THREADS,
        operation="thread",
        summary="One thread, with what the composer may do in it.",
        answer=Thread,
        refusals=((404, "unknown_thread"),),
    ),
    Route(
        method="POST",
        path="/threads/{thread_id}/read",
        handler=read,
        action=Action.REPLY,
        operation="read",
        summary="Note up to which message the thread was read.",
        status=204,
        body=ReadBody,
        refusals=((404, "unknown_thread"),),
    ),
    Route(
        method="PUT",
        path="/threads/{thread_id}/assignee",
        handler=assign,
        action=Action.ASSIGN,
        operation="assign",
        summary='Hand the thread to an agent, to "me", or with null to nobody.',
        body=AssigneeBody,
        answer=Thread,
        refusals=((404, "unknown_thread"), (409, "thread_closed")),
    ),
    Route(
        method="POST",
        path="/threads/{thread_id}/close",
        handler=close,
        action=Action.CLOSE,
        operation="close",
        summary="Close the thread.",
        body=EmptyBody,
        answer=Thread,
        refusals=((404, "unknown_thread"), (409, "thread_closed")),
    ),
    Route(
        method="POST",
        path="/threads/{thread_id}/reopen",
        handler=reopen,
        action=Action.CLOSE,
        operation="reopen",
        summary="Open the closed thread again, for oneself.",
        body=EmptyBody,
        answer=Thread,
        refusals=((404, "unknown_thread"), (409, "thread_not_closed")),
    ),
    Route(
        method="GET",
        path="/threads/{thread_id}/history",
        handler=history,
        action=Action.READ_THREADS,
        operation="history",
        summary="What happened in the thread, oldest first.",
        query=PageQuery,
        answer=EventPage,
        refusals=((404, "unknown_thread"),),
    ),
)
