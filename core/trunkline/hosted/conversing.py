"""Calls about the conversation: threads, messages, reading marks, typing, and what changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from trunkline.clock import monotonic, to_text
from trunkline.hosted import answers, models
from trunkline.hosted.call import Call
from trunkline.hosted.calls import ClientRoute
from trunkline.hosted.changes import change_of
from trunkline.hosted.objects import bare, thread_object
from trunkline.hosted.reading import Page, live_thread, messages_of, threads_of, unread_in
from trunkline.hosted.receipts import acknowledge, read_upto
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.visitors import keep_client
from trunkline.service.moments import Moment

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.hosted.connector import Client
    from trunkline.hosted.front import Front
    from trunkline.hosted.hub import Line
    from trunkline.hosted.visitors import Holder

__all__ = ["LIVE", "ROUTES", "note_ack", "note_client", "note_read", "note_typing", "thread_of"]

LIVE = "live"
_encode = msgspec.json.Encoder().encode


# ---------------------------------------------------------------- reading


async def threads(call: Call) -> dict[str, Any]:
    """List all threads, the live one first."""
    cursor = call.front.cursor(call.holder, call.front.house.feed.last_seq)
    async with call.front.house.store.read() as connection:
        rows = await threads_of(connection, call.holder)
        shown = [
            thread_object(row, live_key=call.holder.address, unread=await unread_in(connection, row)) for row in rows
        ]
    return {"threads": shown, "cursor": cursor}


async def unread(call: Call) -> web.Response:
    """Count what is unread; asked by every page, so kept for a minute by the browser."""
    cursor = call.front.cursor(call.holder, call.front.house.feed.last_seq)
    async with call.front.house.store.read() as connection:
        rows = await threads_of(connection, call.holder)
        total = sum([await unread_in(connection, row) for row in rows])
    # Without `Vary` a browser would tell whoever signs in next what was unread for the last one.
    headers = {"Cache-Control": "private, max-age=60", "Vary": "Authorization"}
    body = _encode({"unread": total, "cursor": cursor})
    return web.Response(body=body, content_type="application/json", headers=headers)


async def messages(call: Call) -> dict[str, Any]:
    """Return a page of a thread; the live one is empty until somebody writes."""
    page = Page(call.query.limit, call.query.before, call.query.after)
    async with call.front.house.store.read() as connection:
        row = await thread_of(connection, call.holder, call.path("thread_id"))
        if row is None:
            return {"messages": [], "has_more": False}
        shown, more = await messages_of(connection, row.id, page, call.front.shower_of(call.holder))
    return {"messages": shown, "has_more": more}


async def thread_of(connection: AsyncConnection, holder: Holder, name: str) -> Any:
    """Return a thread of the visitor, None for a live one that is not there yet.

    Raises:
        ClientRefused: 404, of others' threads as of none.
    """
    if name == LIVE:
        return await live_thread(connection, holder)
    wanted = bare(name, "th_")
    row = next((row for row in await threads_of(connection, holder) if row.id == wanted), None)
    if row is None:
        raise ClientRefused("not_found")
    return row


# ---------------------------------------------------------------- reading marks and signs


async def read(call: Call) -> dict[str, Any]:
    """Mark as read up to a position."""
    return await note_read(call.front, call.holder, call.path("thread_id"), call.body.pos)


async def note_read(front: Front, holder: Holder, thread_name: str, position: int) -> dict[str, Any]:
    """Mark a thread as read; nothing changes where there is nothing yet."""
    async with front.house.store.read() as connection:
        row = await thread_of(connection, holder, thread_name)
        if row is None:
            return {"read_pos": 0, "unread": 0}
        if min(position, row.last_position) <= row.contact_read:
            return {"read_pos": row.contact_read, "unread": await unread_in(connection, row)}
    now = front.house.clock.now_ms()
    position, left = await front.house.store.writer.write(lambda tx: read_upto(tx, holder, row.id, position, now))
    return {"read_pos": position, "unread": left}


async def type_(call: Call) -> None:
    """Show agents that the caller types."""
    await note_typing(call.front, call.holder, call.path("thread_id"))


async def note_typing(front: Front, holder: Holder, thread_name: str) -> None:
    """Show agents that a visitor types; more than once in three seconds is dropped."""
    async with front.house.store.read() as connection:
        row = await thread_of(connection, holder, thread_name)
    if row is None or holder.blocked or not front.limiter.allows("typing", holder.visitor_id):
        return
    moment = Moment(
        kind="typing", thread_id=row.id, actor_kind="contact", actor_id=row.contact_id, actor_name=holder.name
    )
    front.house.moments.tell(moment)


async def note_ack(front: Front, holder: Holder, seq: int, *, shown: bool = True) -> None:
    """Mark as delivered what a client has applied up to an event, and with `shown` spare it the push."""
    if seq <= holder.acked_seq and (not shown or seq <= holder.shown_seq):
        return
    now = front.house.clock.now_ms()
    await front.house.store.writer.write(lambda tx: acknowledge(tx, holder, seq, now, shown=shown))


async def note_client(front: Front, holder: Holder, client: Client) -> None:
    """Remember the version of an app that was updated while it held its token."""
    known = (holder.client.platform, holder.client.version)
    if client.version is not None and (client.platform, client.version) != known:
        await front.house.store.writer.write(lambda tx: keep_client(tx, holder, client))


# ---------------------------------------------------------------- what changed


async def changes(call: Call) -> dict[str, Any]:
    """Return what changed since a cursor; with `wait` not before there is something."""
    front, holder = call.front, call.holder
    start = front.house.feed.last_seq if call.query.cursor is None else await front.resume(holder, call.query.cursor)
    if start is None:
        fresh = front.cursor(holder, front.house.feed.last_seq)
        raise ClientRefused("cursor_expired", more={"reset": True, "cursor": fresh})
    if call.query.cursor is not None:
        front.aside(note_ack(front, holder, start), "hosted-ack")
    await note_client(front, holder, call.client)
    line = front.hub.open(holder, start)
    try:
        found, more = await _first_changes(front, line, call.query)
    finally:
        line.close()
    return {
        "changes": found,
        "cursor": call.query.cursor if line.seq == start and call.query.cursor else front.cursor(holder, line.seq),
        "more": more,
        "reset": False,
        "server_time": to_text(front.house.clock.now_ms()),
    }


async def _first_changes(front: Front, line: Line, query: models.ChangesQuery) -> tuple[list[dict[str, Any]], bool]:
    """Read, and wait for the first change if there is none. Listening began before reading."""
    deadline, shower = monotonic() + query.wait, front.shower_of(line.holder)
    while not line.closed:
        rows, more = await line.page(query.limit)
        told = [change_of(row, front.calls.changes, shower) for row in rows]
        found = [change for change in told if change is not None]
        line.seq = rows[-1].seq if rows else line.seq
        if found or (not more and not await _something_came(line, deadline - monotonic())):
            return found, more
    return [], False


async def _something_came(line: Line, seconds: float) -> bool:
    """Wait for news; False when there are none in time."""
    if seconds <= 0:
        return False
    try:
        await asyncio.wait_for(line.wait(), seconds)
    except TimeoutError:
        return False
    return True


ROUTES = (
    ClientRoute(
        method="GET",
        path="/unread",
        handler=unread,
        operation="unread",
        summary="How much is unread.",
        answer=answers.Unread,
        open_to_pages=True,
    ),
    ClientRoute(
        method="GET",
        path="/threads",
        handler=threads,
        operation="threads",
        summary="All threads, the live one first.",
        answer=answers.ThreadList,
    ),
    ClientRoute(
        method="GET",
        path="/threads/{thread_id}/messages",
        handler=messages,
        operation="messages",
        summary="A page of a thread, oldest first; `live` stands for the live one.",
        query=models.MessagesQuery,
        answer=answers.MessagesPage,
    ),
    ClientRoute(
        method="POST",
        path="/threads/{thread_id}/read",
        handler=read,
        operation="mark_read",
        summary="Mark as read up to a position; a lower one changes nothing.",
        body=models.ReadBody,
        answer=answers.ReadAnswer,
    ),
    ClientRoute(
        method="POST",
        path="/threads/{thread_id}/typing",
        handler=type_,
        operation="typing",
        summary="Show agents that the customer types.",
        status=204,
        body=models.TypingBody,
    ),
    ClientRoute(
        method="GET",
        path="/changes",
        handler=changes,
        operation="changes",
        summary="What changed since a cursor; with `wait` a long poll. A poll with a cursor acknowledges it.",
        query=models.ChangesQuery,
        answer=answers.ChangesAnswer,
        refusals=("cursor_expired",),
    ),
)
