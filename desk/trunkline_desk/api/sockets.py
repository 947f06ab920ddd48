"""Open connections of the live feed, and the end of those that are over: by their token, or because nobody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode, WSMsgType, web
from sqlalchemy.exc import SQLAlchemyError

from trunkline.clock import monotonic
from trunkline.log import get_logger
from trunkline_desk.people.tokens import alive

if TYPE_CHECKING:
    from trunkline.service.house import House
    from trunkline_desk.people.roles import Actor

__all__ = ["TOKEN_OVER", "Connection", "Sockets"]

log = get_logger("desk")

#: Close code: the ticket or the token is not good.
TOKEN_OVER = 4401
#: How long a token may be over in another process before its connections here end.
_SWEEP_S = 2.0
#: A connection that was silent for this long is told that it lives.
PING_S = 20.0
#: A frame that cannot be handed over for this long means that nobody reads.
STUCK_S = 10.0
#: How long a closing hand-shake may take before the connection is cut.
_GOODBYE_S = 2.0
_PING = b'{"type":"ping"}'


class Connection:
    """One agent's live feed."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, actor: Actor) -> None:
        self.socket, self.actor = socket, actor
        self._transport = request.transport
        self._sending_since = 0.0
        self._sent_at = monotonic()
        #: Held while a goodbye is said.
        self._goodbye = asyncio.Lock()

    @property
    def token_id(self) -> str:
        """The token that opened it."""
        return self.actor.token_id

    async def send(self, frame: bytes) -> None:
        """Send a frame that is encoded already; waits while the client does not read."""
        self._sending_since = self._sent_at = monotonic()
        await self.socket.send_frame(frame, WSMsgType.TEXT)
        self._sending_since = 0.0

    def write(self, frame: bytes) -> bool:
        """Send a frame now if nothing waits before it, else return False.

        A frame of ours is neither masked nor compressed: its bytes are the same for everybody, so they are made once.
        """
        transport = self._transport
        if transport is None or transport.is_closing() or self.socket.closed or transport.get_write_buffer_size():
            return False
        transport.write(_framed(frame))
        self._sent_at = monotonic()
        return True

    def is_stuck(self, now: float) -> bool:
        """Whether a frame has waited too long to be sent."""
        return bool(self._sending_since) and now - self._sending_since > STUCK_S

    def is_silent(self, now: float) -> bool:
        """Whether nothing was sent for a while."""
        return not self._sending_since and now - self._sent_at > PING_S

    async def ping(self) -> None:
        """Tell the client that the feed lives; what the protocol has for it, scripts cannot see."""
        try:
            await self.send(_PING)
        except ConnectionError:
            log.debug("ws.ping_failed")

    async def close(self, code: int, words: bytes) -> None:
        """Say goodbye, with time for an answer."""
        async with self._goodbye:
            try:
                async with asyncio.timeout(_GOODBYE_S):
                    await self.socket.close(code=code, message=words, drain=False)
            except (TimeoutError, ConnectionError):
                self._cut(code)

    async def finish(self) -> None:
        """Wait until a goodbye that another task says is answered: the connection ends with its handler."""
        async with self._goodbye:
            return

    def _cut(self, code: int) -> None:
        """End the connection of a client that does not answer; what it does not take is thrown away."""
        log.debug("ws.cut", code=code)
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()


@lru_cache(maxsize=4)
def _framed(frame: bytes) -> bytes:
    """Return one whole unmasked text frame (RFC 6455, 5.2)."""
    size = len(frame)
    if size < 126:
        return bytes((0x81, size)) + frame
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + frame
    return b"\x81\x7f" + size.to_bytes(8, "big") + frame


class Sockets:
    """The connections of this process."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._open: set[Connection] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._asides: set[asyncio.Task[None]] = set()
        self._gauge = house.metrics.ws_connections.labels("agent")

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Watch a connection."""
        self._open.add(connection)
        self._gauge.set(len(self._open))

    def drop(self, connection: Connection) -> None:
        """Watch it no more."""
        self._open.discard(connection)
        self._gauge.set(len(self._open))

    async def end_dead(self) -> None:
        """Close the connections whose token opens nothing any more."""
        tokens = {connection.token_id for connection in self._open}
        if not tokens:
            return
        async with self._house.store.read() as database:
            good = await alive(database, tokens, self._house.clock.now_ms())
        await self._close((one for one in self._open if one.token_id not in good), TOKEN_OVER, b"token over")

    async def close_all(self) -> None:
        """Say goodbye to everybody: the process stops."""
        await self._close(self._open, WSCloseCode.GOING_AWAY, b"going away")

    async def evict(self, connection: Connection) -> None:
        """Give up on a client that is too slow; what it misses is told after its reconnect."""
        log.warning("ws.evicted", reason="too_slow")
        self._house.metrics.ws_evicted.labels("too_slow").inc()
        await self._close([connection], WSCloseCode.TRY_AGAIN_LATER, b"too slow")

    def start(self) -> None:
        """Begin to look after the connections."""
        self._sweeper = asyncio.create_task(self._sweep(), name="desk-sockets")

    async def stop(self) -> None:
        """Stop looking, and close what is open."""
        tasks = [task for task in (self._sweeper, *self._asides) if task is not None]
        self._sweeper = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.close_all()

    async def _close(self, connections: Iterable[Connection], code: int, words: bytes) -> None:
        chosen = list(connections)
        for connection in chosen:
            self.drop(connection)
        await asyncio.gather(*(connection.close(code, words) for connection in chosen), return_exceptions=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._look(monotonic())
            try:
                await self.end_dead()
            except (SQLAlchemyError, OSError) as error:
                log.warning("desk.sweep_failed", error=type(error).__name__)

    def _look(self, now: float) -> None:
        for connection in list(self._open):
            if connection.is_stuck(now):
                self._aside(self.evict(connection))
            elif connection.is_silent(now):
                self._aside(connection.ping())

    def _aside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="desk-socket")
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)
