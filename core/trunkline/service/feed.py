"""The live feed: every commit encoded once, handed to whoever listens, without gaps and in order.

A subscription begins at a cursor: what came before is read from the log, what comes after is pushed. A reader that is
too slow is cut off; it comes back with its cursor and has missed nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from trunkline.clock import to_text
from trunkline.log import get_logger
from trunkline.store import LogRow, schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.store import Store

__all__ = ["EventSnapshot", "Feed", "Frame", "Subscription", "event_snapshot", "read_log"]

log = get_logger("feed")

_MOST_FRAMES = 256
_MOST_BYTES = 8 * 1024 * 1024
_PAGE = 500
_AGAIN_S = 0.5
#: What may wait for a reader before it is told no more than events: moments are worth nothing late.
_MOST_ASIDE = 32
_e = schema.event.c

_encoder = msgspec.json.Encoder()


class EventSnapshot(msgspec.Struct, frozen=True):
    """One event as the API shows it."""

    seq: int
    at: str
    kind: str
    thread_id: str | None
    actor: dict[str, str | None]
    payload: msgspec.Raw


class _FrameBody(msgspec.Struct, frozen=True):
    cursor: int
    events: list[EventSnapshot]
    type: str = "events"


class Frame(msgspec.Struct, frozen=True):
    """Events first … last as one text frame, encoded once for all readers."""

    first: int
    last: int
    rows: Sequence[LogRow]
    body: bytes


def event_snapshot(row: LogRow) -> EventSnapshot:
    """Return one row of the log as the API shows it."""
    actor = {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name}
    payload = msgspec.Raw(row.payload.encode())
    return EventSnapshot(row.seq, to_text(row.at), row.kind, row.thread_id, actor, payload)


def _frame(rows: Sequence[LogRow]) -> Frame:
    first, last = rows[0].seq, rows[-1].seq
    return Frame(first, last, rows, _encoder.encode(_FrameBody(last, [event_snapshot(row) for row in rows])))


async def read_log(
    connection: AsyncConnection, after: int, *, upto: int | None = None, limit: int = _PAGE
) -> list[LogRow]:
    """Return at most one page of the log after `after`, oldest first."""
    query = select(*(_e[name] for name in LogRow.__struct_fields__)).where(_e.seq > after)
    if upto is not None:
        query = query.where(_e.seq <= upto)
    found = await connection.execute(query.order_by(_e.seq).limit(limit))
    return [LogRow(*row) for row in found.fetchall()]


class Subscription:
    """One reader. Iterating yields frames; it ends when the feed closes or the reader was too slow."""

    def __init__(self, feed: Feed, cursor: int, write: Callable[[bytes], bool] | None) -> None:
        self._feed, self._cursor, self._write = feed, cursor, write
        #: What was committed up to here is read from the log; what comes later is pushed.
        self._pushed_from = feed.last_seq
        self._queue: deque[Frame | bytes] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._closed = False
        #: True while everything was handed on and the iteration waits.
        self._idle = False
        #: True when this reader was cut off because it was too slow.
        self.evicted = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for body in self._catch_up():
            yield body
        while True:
            while self._queue:
                frame = self._queue.popleft()
                self._bytes -= _size(frame)
                unseen = frame if isinstance(frame, bytes) else self._unseen(frame)
                if unseen is not None:
                    yield unseen
            if self._closed:
                return
            self._filled.clear()
            self._idle = True
            await self._filled.wait()
            self._idle = False

    @property
    def queued_bytes(self) -> int:
        """How much waits for this reader."""
        return self._bytes

    def push(self, frame: Frame) -> None:
        """Hand over a frame; never waits."""
        if self._idle and not self._queue and self._write is not None:
            unseen = self._unseen(frame)
            if unseen is not None and not self._write(unseen):
                self._put(unseen)
            return
        if len(self._queue) >= _MOST_FRAMES or self._bytes + len(frame.body) > _MOST_BYTES:
            self.evicted = True
            self.close()
            return
        self._queue.append(frame)
        self._bytes += len(frame.body)
        self._filled.set()

    def interject(self, body: bytes) -> None:
        """Hand over a frame that is no part of the log, in its place among the others; a slow reader misses it."""
        if not self._closed and len(self._queue) < _MOST_ASIDE:
            self._put(body)

    def _put(self, body: bytes) -> None:
        self._queue.append(body)
        self._bytes += len(body)
        self._filled.set()

    def close(self) -> None:
        """End the iteration and let go of what waits."""
        self._feed.forget(self)
        self._closed = True
        self._queue.clear()
        self._bytes = 0
        self._filled.set()

    async def _catch_up(self) -> AsyncIterator[bytes]:
        """Yield what was committed before this subscription began."""
        while self._cursor < self._pushed_from:
            async with self._feed.store.read() as connection:
                rows = await read_log(connection, self._cursor, upto=self._pushed_from)
            if not rows:
                return
            self._cursor = rows[-1].seq
            yield _frame(rows).body

    def _unseen(self, frame: Frame) -> bytes | None:
        """Return the part of a frame after the cursor; caught-up events come again in live frames."""
        if frame.last <= self._cursor:
            return None
        seen, self._cursor = self._cursor, frame.last
        if frame.first > seen:
            return frame.body
        return _frame([row for row in frame.rows if row.seq > seen]).body


def _size(frame: Frame | bytes) -> int:
    return len(frame if isinstance(frame, bytes) else frame.body)


class Feed:
    """Fans the log out to subscriptions."""

    def __init__(self, store: Store) -> None:
        self.store = store
        #: The newest event that was handed out.
        self.last_seq = 0
        self._subscriptions: set[Subscription] = set()
        self._taps: list[Callable[[Sequence[LogRow]], None]] = []
        self._target = 0
        self._filling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn where the log ends and begin to follow it."""
        async with self.store.read() as connection:
            self.last_seq = (await connection.execute(select(func.coalesce(func.max(_e.seq), 0)))).scalar_one()
        self.store.writer.listen(self._committed)

    async def stop(self) -> None:
        """End all subscriptions."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        for subscription in list(self._subscriptions):
            subscription.close()

    def subscribe(self, cursor: int, write: Callable[[bytes], bool] | None = None) -> Subscription:
        """Begin to listen after `cursor`; a cursor of the future begins now.

        `write` saves a reader that has read everything the way through its task: it hands a frame on at once, or
        returns False without waiting, and then the frame comes by the iteration.
        """
        subscription = Subscription(self, min(cursor, self.last_seq), write)
        self._subscriptions.add(subscription)
        return subscription

    def tap(self, callback: Callable[[Sequence[LogRow]], None]) -> Callable[[], None]:
        """Call `callback` with all that is handed out, in order and without gaps; it must neither wait nor fail.

        Returns the way to stop.
        """
        self._taps.append(callback)
        return lambda: self._taps.remove(callback)

    @property
    def queued_bytes(self) -> int:
        """How much waits for slow readers."""
        return sum(subscription.queued_bytes for subscription in self._subscriptions)

    def forget(self, subscription: Subscription) -> None:
        """Send nothing more to a subscription."""
        self._subscriptions.discard(subscription)

    def catch_up(self, seq: int) -> None:
        """Hand out everything up to `seq`, which another process committed."""
        self._target = max(self._target, seq)
        if self._target > self.last_seq and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill(), name="feed-fill")

    def _committed(self, rows: Sequence[LogRow], _wakes: set[str]) -> None:
        """Hand out a commit of this process, after those of others that came before it."""
        if not rows:
            return
        if rows[0].seq == self.last_seq + 1 and (self._filling is None or self._filling.done()):
            self._hand_out(rows)
        else:
            self.catch_up(rows[-1].seq)

    async def _fill(self) -> None:
        """Read up to the target from the log; a database that does not answer is asked again."""
        while self.last_seq < self._target:
            try:
                async with self.store.read() as connection:
                    rows = await read_log(connection, self.last_seq)
            except SQLAlchemyError as error:
                log.warning("feed.delayed", error=type(error).__name__)
                await asyncio.sleep(_AGAIN_S)
                continue
            if not rows:
                log.warning("feed.gap", last_seq=self.last_seq, target=self._target)
                return
            self._hand_out(rows)

    def _hand_out(self, rows: Sequence[LogRow]) -> None:
        self.last_seq = rows[-1].seq
        if self._subscriptions:
            frame = _frame(rows)
            for subscription in list(self._subscriptions):
                subscription.push(frame)
        for tap in self._taps:
            tap(rows)
