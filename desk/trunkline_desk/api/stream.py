"""The live feed: one frame per commit, encoded once for everybody, to whoever holds a ticket of a minute ago."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from aiohttp import WSCloseCode, web
from sqlalchemy import delete, func, select

from trunkline.clock import to_text
from trunkline.http.problems import Problem
from trunkline.log import get_logger
from trunkline.service.snapshots import time_text
from trunkline.store import schema
from trunkline_desk.api.door import admit
from trunkline_desk.api.frames import BadFrame, Pace, read_frame
from trunkline_desk.api.models.people import Ticket
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.route import Call, Route
from trunkline_desk.api.sockets import TOKEN_OVER, Connection
from trunkline_desk.people.roles import Action, Actor, may
from trunkline_desk.people.secrets import STREAM_TICKET, fingerprint, new_secret
from trunkline_desk.people.tokens import actor_of
from trunkline_desk.schema import stream_ticket

if TYPE_CHECKING:
    from trunkline.service.feed import Subscription
    from trunkline_desk.api.desk import Desk
    from trunkline_desk.api.presence import Place
    from trunkline_desk.threads.rows import Database

__all__ = ["ROUTES", "stream"]

log = get_logger("desk")

TICKET_MS = 30 * 1000
HEARTBEAT_S = 20.0
#: How long a client may take to answer our goodbye.
_GOODBYE_S = 2.0
_MAX_FRAME = 64 * 1024
_MAX_SEQ = 2**62
_event = schema.event.c
_RESET = b'{"type":"reset"}'


async def give_ticket(call: Call[EmptyBody, None]) -> dict[str, Any]:
    """Give a ticket for one connection: browsers cannot send a token with a WebSocket, and addresses are logged."""
    ticket, token_id, expires_at = new_secret(STREAM_TICKET), call.actor.token_id, call.now + TICKET_MS

    def work(tx: Any) -> None:
        tx.execute(delete(stream_ticket).where(stream_ticket.c.expires_at <= call.now))
        row = {"ticket_hash": fingerprint(ticket), "token_id": token_id, "expires_at": expires_at}
        tx.execute(stream_ticket.insert().values(row))

    await call.commit(work)
    return {"ticket": ticket, "expires_at": to_text(expires_at)}


async def stream(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Serve one connection to its end."""
    by_header = "Authorization" in request.headers
    _refuse_foreign(desk, request, origin_needed=not by_header)
    seen = _seen(request)
    actor = await admit(desk, request, Action.STREAM) if by_header else await _redeem(desk, request)
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=_MAX_FRAME, compress=False, timeout=_GOODBYE_S)
    await socket.prepare(request)
    if actor is None:
        await socket.close(code=TOKEN_OVER, message=b"ticket invalid")
        return socket
    connection = Connection(socket, request, actor)
    desk.sockets.add(connection)
    try:
        await _serve(desk, connection, seen)
    finally:
        desk.sockets.drop(connection)
    return socket


def _refuse_foreign(desk: Desk, request: web.Request, *, origin_needed: bool) -> None:
    """Refuse pages of others: a browser always says whose page opens a socket.

    Raises:
        Problem: 403.
    """
    origin = request.headers.get("Origin")
    if origin is None and not origin_needed:
        return
    if origin is None or origin not in _own_origins(desk, request):
        raise Problem(403, "foreign_origin", "This page may not open the live feed.")


def _own_origins(desk: Desk, request: web.Request) -> set[str]:
    """Return the origins that are ours: the public address, and the address that this request was sent to."""
    public = urlsplit(desk.public_url)
    return {f"{public.scheme}://{public.netloc}", f"{request.scheme}://{request.host}"}


class _Seen(NamedTuple):
    """The last event that a client knows."""

    seq: int
    #: Its time as it was told, None from clients that do not say.
    at: str | None


def _seen(request: web.Request) -> _Seen | None:
    given = request.query.get("cursor")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 19):
        raise Problem(400, "bad_cursor", "The cursor of the live feed is a number.")
    return _Seen(min(int(given), _MAX_SEQ), request.query.get("at"))


async def _redeem(desk: Desk, request: web.Request) -> Actor | None:
    """Take a ticket away and return whose it was, None when it opens nothing."""
    ticket, now, table = request.query.get("ticket", ""), desk.now(), stream_ticket

    def work(tx: Any) -> str | None:
        mine = table.c.ticket_hash == fingerprint(ticket)
        row = tx.execute(delete(table).where(mine).returning(table.c.token_id, table.c.expires_at)).one_or_none()
        return row.token_id if row is not None and row.expires_at > now else None

    token_id = await desk.house.store.writer.write(work)
    if token_id is None:
        return None
    async with desk.house.store.read() as connection:
        actor = await actor_of(connection, token_id, now)
    return actor if may(actor, Action.STREAM) else None


async def _serve(desk: Desk, connection: Connection, seen: _Seen | None) -> None:
    start = await desk.house.store.ask(partial(_start, seen=seen))
    if start is None:
        await connection.send(_RESET)
        await connection.close(WSCloseCode.OK, b"reset")
        return
    hello = {"type": "hello", "cursor": start.seq, "cursor_at": start.at, "at": to_text(desk.now())}
    await connection.send(msgspec.json.encode(hello))
    log.info("ws.opened", cursor=start.seq)
    subscription = desk.house.feed.subscribe(start.seq, connection.write)
    place = desk.presences.enter(connection.actor, subscription)
    pushing = asyncio.create_task(_push(desk, connection, subscription, place), name="desk-push")
    try:
        await _listen(connection.socket, place)
    finally:
        place.leave()
        await connection.finish()
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        subscription.close()
        log.info("ws.closed", code=connection.socket.close_code)


def _start(database: Database, seen: _Seen | None) -> _Seen | None:
    """Return the event to go on after; None where the log holds no more what a client knows, or something else.

    A backup that was put back makes the log grow past numbers that were given before: only the time tells.
    """
    held = database.execute(select(func.min(_event.seq).label("first"), func.max(_event.seq).label("last"))).one()
    start = (held.last or 0) if seen is None else seen.seq
    if start > (held.last or 0) or start + 1 < (held.first or 0):
        return None
    at = time_text(database.execute(select(_event.at).where(_event.seq == start)).scalar())
    is_other = seen is not None and None not in {seen.at, at} and seen.at != at
    return None if is_other else _Seen(start, at)


async def _push(desk: Desk, connection: Connection, subscription: Subscription, place: Place) -> None:
    """Send frames as they come until the feed ends: because it stops, or because this reader is too slow."""
    try:
        await connection.send(desk.presences.present(place))
        async for frame in subscription:
            await connection.send(frame)
    except ConnectionError:
        return
    finally:
        subscription.close()
    if subscription.evicted:
        await desk.sockets.evict(connection)
    else:
        await connection.close(WSCloseCode.GOING_AWAY, b"going away")


async def _listen(socket: web.WebSocketResponse, place: Place) -> None:
    """Read what the client says until it leaves; what nobody can read ends the connection."""
    pace = Pace()
    async for message in socket:
        try:
            pace.count()
            said = read_frame(message)
        except BadFrame as bad:
            await socket.close(code=bad.code, message=b"not understood")
            return
        if said is not None:
            place.move(said)


ROUTES = (
    Route(
        method="POST",
        path="/stream/tickets",
        handler=give_ticket,
        action=Action.STREAM,
        operation="stream_ticket",
        summary="A ticket that opens the live feed once, within 30 seconds.",
        status=201,
        body=EmptyBody,
        answer=Ticket,
        repeatable=False,
    ),
)
