"""The WebSocket of the visitor protocol: a reader, one writer with a bounded queue, and a goodbye for every case.

Nobody who publishes waits for a socket. What a client says is looked up in a table; what stands in none is ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import WSMessage, WSMsgType, web
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from trunkline.clock import to_text
from trunkline.errors import StoreUnavailable
from trunkline.hosted.admission import admit, check_client, make_client
from trunkline.hosted.arriving import ENDED, HEARTBEAT_S, MAX_FRAME
from trunkline.hosted.bodies import refused_body
from trunkline.hosted.changes import change_of
from trunkline.hosted.conversing import note_client
from trunkline.hosted.frames import FRAMES, Socket
from trunkline.hosted.limiting import is_public
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.rotating import follow, is_good
from trunkline.hosted.visitors import fingerprint, generations_of, holder_query
from trunkline.log import get_logger
from trunkline.model import new_id
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.hosted.calls import Inbox
    from trunkline.hosted.connector import Client
    from trunkline.hosted.front import Front
    from trunkline.hosted.hub import Line
    from trunkline.hosted.visitors import Holder
    from trunkline.service.moments import Moment

__all__ = ["PROTOCOL", "Sockets"]

log = get_logger("hosted")

PROTOCOL = "occ.v1"
HELLO_S, SILENCE_S = 5.0, 60.0
#: A frame that cannot be handed over for this long means that nobody reads.
STUCK_S = 10.0
_GOODBYE_S = 2.0
_SWEEP_S = 30.0
_PER_CONTACT, _PER_ADDRESS = 10, 50
_EXPIRING_MS = 5 * 60 * 1000
#: Refused frames in a row after which a client that does not slow down is sent away.
_PATIENCE = 20

BINARY, BAD_FRAME, SERVER_FAULT, RESTART = 1003, 1008, 1011, 1012
NO_HELLO, TOKEN_OVER, NOT_ALLOWED, SILENT, TOO_MANY = 4400, 4401, 4403, 4408, 4409
TOO_SLOW, TOO_OLD, TOO_FAST = 4413, 4426, 4429
#: Code of a refused hello → close code; everything else means a new token.
_HELLO_CODES = {"client_too_old": TOO_OLD, "client_not_allowed": NOT_ALLOWED, "unavailable": RESTART}
#: What a socket says of itself when its conversation is over.
_OVER = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})
_encode = msgspec.json.Encoder().encode


class _Ended(Exception):
    """The conversation is over: close with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Sockets:
    """The connections of this process."""

    def __init__(self, front: Front) -> None:
        self._front = front
        #: In the order in which they came.
        self._open: dict[Socket, None] = {}
        self._draining = False
        self._sweeper: asyncio.Task[None] | None = None
        self._stop: Callable[[], None] | None = None
        self._gauge = front.house.metrics.ws_connections.labels("visitor")

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        """Begin to look after the connections."""
        self._front.hub.on_moment = _show
        self._stop = self._front.house.moments.listen(self._told)
        self._sweeper = asyncio.create_task(self._sweep(), name="hosted-sockets")

    async def stop(self) -> None:
        """Look after them no more."""
        if self._stop is not None:
            self._stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    async def drain(self, _app: web.Application) -> None:
        """Send everybody away with a moment to come back at, each another one."""
        self._draining = True
        for socket in list(self._open):
            socket.tell({"t": "bye", "reason": "draining", "reconnect_after_s": random.randint(1, 10)})  # noqa: S311 - spreads a crowd, guards nothing
            socket.end(RESTART, "draining")

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection to its end.

        Raises:
            ClientRefused: unavailable, client_not_allowed, upgrade_required.
        """
        self._check(request)
        ws = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S,
            max_msg_size=MAX_FRAME,
            compress=False,
            protocols=(PROTOCOL,),
            timeout=_GOODBYE_S,
            writer_limit=MAX_FRAME,
        )
        await ws.prepare(request)
        socket: Socket | None = None
        try:
            socket = await self._greet(ws, request)
            await self._talk(ws, socket, request)
        except _Ended as ended:
            await _close(ws, request, ended.code, ended.reason)
        finally:
            if socket is not None:
                self._forget(socket)
        return ws

    def _check(self, request: web.Request) -> None:
        if self._draining or self._front.house.vitals.draining:
            raise ClientRefused("unavailable", retry_after=5)
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if request.headers.get("Upgrade", "").lower() != "websocket" or PROTOCOL not in map(str.strip, offered):
            raise ClientRefused("upgrade_required")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._own_origins(request):
            raise ClientRefused("client_not_allowed", "Only our own pages open this socket.")

    def _own_origins(self, request: web.Request) -> set[str]:
        """Return our own origins: apps have none, and in the frame of the widget it is ours."""
        public = urlsplit(self._front.house.settings.server.public_url or "")
        return {f"{public.scheme}://{public.netloc}", f"{request.scheme}://{request.host}"}

    # ------------------------------------------------------------ hello

    async def _greet(self, ws: web.WebSocketResponse, request: web.Request) -> Socket:
        hello = await _first(ws)
        told = {name: str(hello.get(name) or "") for name in ("platform", "version", "form", "locale")}
        client = make_client(told["platform"], told["version"], told["form"], told["locale"])
        token = hello.get("token")
        try:
            if hello.get("protocol", 1) != 1:
                raise ClientRefused("client_too_old")
            if not isinstance(token, str):
                raise ClientRefused("token_missing")
            inbox, holder = await admit(self._front, token)
            check_client(inbox, client)
        except ClientRefused as refused:
            raise _Ended(_HELLO_CODES.get(refused.code, TOKEN_OVER), refused.code) from None
        return await self._welcome(request, hello, (inbox, holder, client))

    async def _welcome(self, request: web.Request, hello: dict[str, Any], who: tuple[Inbox, Holder, Client]) -> Socket:
        front, (inbox, holder, client) = self._front, who
        following = await follow(front, holder, hello["token"])
        features = await front.features(inbox, client, verified=holder.subject is not None)
        greetings = await front.greetings(holder)
        asked = hello.get("cursor")
        start = await front.resume(holder, asked) if isinstance(asked, str) else front.house.feed.last_seq
        begin = front.house.feed.last_seq if start is None else start
        socket = Socket(front, inbox, holder, client, front.hub.open(holder, begin))
        socket.mark = fingerprint(hello["token"])
        socket.address = front.address_of(request)
        socket.visible = hello.get("visible") is not False
        front.aside(note_client(front, holder, client), "hosted-client")
        socket.tell(
            {
                "t": "ready",
                "cursor": front.cursor(holder, begin),
                "resume": "reset" if start is None else "ok",
                "heartbeat_s": HEARTBEAT_S,
                "server_time": to_text(front.house.clock.now_ms()),
                "features": features.offered,
                "feature_reasons": features.reasons,
                **greetings,
                **({"next_token": following} if following is not None else {}),
            }
        )
        self._add(socket)
        return socket

    def _add(self, socket: Socket) -> None:
        same = [one for one in self._open if one.holder.visitor_id == socket.holder.visitor_id]
        near = [one for one in self._open if one.address == socket.address and is_public(one.address)]
        for crowd, most in ((same, _PER_CONTACT), (near, _PER_ADDRESS)):
            for oldest in crowd[: max(0, len(crowd) + 1 - most)]:
                oldest.end(TOO_MANY, "too many sockets")
        self._open[socket] = None
        self._gauge.set(len(self._open))

    def _forget(self, socket: Socket) -> None:
        self._open.pop(socket, None)
        self._gauge.set(len(self._open))
        socket.line.close()

    # ------------------------------------------------------------ talking

    async def _talk(self, ws: web.WebSocketResponse, socket: Socket, request: web.Request) -> None:
        """Read and write until one of them ends, then say goodbye with nobody else reading or writing."""
        reader = asyncio.create_task(self._listen(ws, socket), name="hosted-read")
        writer = asyncio.create_task(self._write(ws, socket), name="hosted-write")
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            socket.line.close()
            reader.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
        await self._bid_farewell(ws, socket, request)

    async def _listen(self, ws: web.WebSocketResponse, socket: Socket) -> None:
        try:
            while not ws.closed:
                message = await ws.receive(SILENCE_S)
                if message.type in _OVER:
                    return
                await self._hear(socket, _frame(message))
        except TimeoutError:
            socket.end(SILENT, "silent")
        except _Ended as ended:
            socket.end(ended.code, ended.reason)

    async def _hear(self, socket: Socket, frame: dict[str, Any]) -> None:
        kind, ref = frame.get("t"), frame.get("ref")
        handle = FRAMES.get(kind) if isinstance(kind, str) else None
        try:
            self._front.limiter.take("frames", socket.id)
            socket.refused = 0
            if handle is not None:
                await handle(socket, frame)
        except ClientRefused as refused:
            self._refuse(socket, ref, refused)
        except ValidationError as error:
            self._refuse(socket, ref, refused_body(error))
        except StoreUnavailable as error:
            self._refuse(socket, ref, ClientRefused("unavailable", retry_after=error.after_s))
        except Exception as error:
            log.exception("ws.frame_failed", error=type(error).__name__)
            self._refuse(socket, ref, ClientRefused("server_error"))

    def _refuse(self, socket: Socket, ref: Any, refused: ClientRefused) -> None:
        """Answer a frame that is refused; its own words are never repeated but for the reference."""
        if refused.code == "rate_limited":
            socket.refused += 1
            if socket.refused > _PATIENCE:
                raise _Ended(TOO_FAST, "too fast")
        known = {"ref": ref} if isinstance(ref, str) and len(ref) <= 80 else {}
        socket.tell({"t": "error", **known, **refused.error(), "request_id": new_id()})

    async def _write(self, ws: web.WebSocketResponse, socket: Socket) -> None:
        front, line = self._front, socket.line
        try:
            async for what in line.rows():
                body = what if isinstance(what, bytes) else _change(front, socket.holder, what)
                if body is not None:
                    async with asyncio.timeout(STUCK_S):
                        await ws.send_frame(body, WSMsgType.TEXT)
        except TimeoutError:
            line.evicted = True
        except ConnectionError:
            return
        except Exception as error:
            log.exception("ws.write_failed", error=type(error).__name__)
            socket.end(SERVER_FAULT, "server fault")

    async def _bid_farewell(self, ws: web.WebSocketResponse, socket: Socket, request: web.Request) -> None:
        line = socket.line
        if line.evicted:
            log.warning("ws.evicted", reason="too_slow")
            self._front.house.metrics.ws_evicted.labels("too_slow").inc()
            socket.ending = (TOO_SLOW, "too slow")
        elif line.reason is not None:
            socket.ending = socket.ending or (RESTART, line.reason)
        code, reason = socket.ending or (1000, "")
        if code == RESTART and not ws.closed:
            after = random.randint(0, 5)  # noqa: S311 - spreads a crowd, guards nothing
            farewell = _encode({"t": "bye", "reason": reason, "reconnect_after_s": after})
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await ws.send_frame(farewell, WSMsgType.TEXT)
        await _close(ws, request, code, reason)

    # ------------------------------------------------------------ looking after

    def _told(self, moment: Moment) -> None:
        if moment.kind == ENDED:
            ended = set(moment.details.get("token_ids", ()))
            for socket in list(self._open):
                if socket.holder.token_id in ended:
                    socket.end(TOKEN_OVER, "token over")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            try:
                await self.sweep()
            except (SQLAlchemyError, OSError) as error:
                log.warning("hosted.sweep_failed", error=type(error).__name__)

    async def sweep(self) -> None:
        """Close what tokens that ended opened (another process may have told in vain), and warn of their end."""
        now, table = self._front.house.clock.now_ms(), schema.visitor_token
        # Whoever comes while we read is not asked about: they were admitted a moment ago.
        asked = list(self._open)
        ids = {socket.holder.token_id for socket in asked}
        if not ids:
            return
        good = holder_query().where(table.c.id.in_(ids), table.c.revoked_at.is_(None), table.c.expires_at > now)
        async with self._front.house.store.read() as connection:
            alive = {row.token_id: row for row in await connection.execute(good)}
        for socket in asked:
            row = alive.get(socket.holder.token_id)
            if row is None:
                socket.end(TOKEN_OVER, "token over")
            elif not is_good(generations_of(row), socket.mark, now):
                # Its holder has the token that followed, and comes back with it; whoever took this one does not.
                socket.end(RESTART, "another token followed")
            elif row.expires_at - now <= _EXPIRING_MS and not socket.warned:
                socket.warned = True
                socket.tell({"t": "auth.expiring", "expires_at": to_text(row.expires_at)})


async def _first(ws: web.WebSocketResponse) -> dict[str, Any]:
    try:
        message = await ws.receive(HELLO_S)
    except TimeoutError:
        raise _Ended(SILENT, "no hello") from None
    if message.type in _OVER:
        raise _Ended(ws.close_code or 1000, "")
    frame = _frame(message)
    if frame.get("t") != "hello":
        raise _Ended(NO_HELLO, "say hello first")
    return frame


def _frame(message: WSMessage) -> dict[str, Any]:
    """Return what a client said.

    Raises:
        _Ended: it is binary, or no JSON object.
    """
    if message.type is not WSMsgType.TEXT:
        raise _Ended(BINARY, "text only")
    try:
        return msgspec.json.decode(message.data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _Ended(BAD_FRAME, "not understood") from None


def _change(front: Front, holder: Holder, row: Any) -> bytes | None:
    """Return a change as a frame, with the cursor that acknowledges it and goes on after it."""
    change = change_of(row, front.calls.changes, front.shower_of(holder))
    return None if change is None else _encode({"t": "change", "cursor": front.cursor(holder, row.seq), **change})


def _show(line: Line, moment: Moment) -> None:
    """Tell a listener that an agent types."""
    if moment.details.get("signal") == "typing":
        author = {"kind": "agent", "id": None, "name": moment.actor_name}
        thread = f"th_{moment.thread_id}"
        line.push(_encode({"t": "typing", "thread_id": thread, "author": author, "ttl_s": moment.ttl_s}))


async def _close(ws: web.WebSocketResponse, request: web.Request, code: int, reason: str) -> None:
    """Close a connection; a client that does not answer is cut, and what it does not take thrown away."""
    transport = request.transport
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(_GOODBYE_S):
            await ws.close(code=code, message=reason.encode(), drain=False)
            return
    if transport is not None:
        transport.abort()
