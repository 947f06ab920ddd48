"""Who listens: visitors' sockets and long polls, and what the log has for them.

A line begins to listen first, then reads from its cursor, then goes on with what was pushed meanwhile; what it has had
is dropped by its number. So nothing falls between reading and listening. A line that is too slow is cut off and comes
back with its cursor.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from trunkline.hosted.reading import read_changes, threads_of, visitor_in
from trunkline.hosted.telling import TOLD
from trunkline.log import get_logger
from trunkline.service.signals import SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from trunkline.hosted.visitors import Holder
    from trunkline.service.house import House
    from trunkline.service.moments import Moment
    from trunkline.store import LogRow

__all__ = ["MOST_BYTES", "MOST_FRAMES", "Hub", "Line"]

log = get_logger("hosted")

Place = TypeVar("Place")

MOST_FRAMES = 256
MOST_BYTES = 512 * 1024
#: Events read at once: a page of the longest messages is two megabytes.
_PAGE = 50
#: How often what a lost wake-up may have left behind is looked for.
_REPAIR_S = 30.0


class Line:
    """One listener. `rows()` yields the events of the visitor's threads after `cursor`, and frames that were told."""

    def __init__(self, hub: Hub, holder: Holder, cursor: int) -> None:
        self._hub, self.holder = hub, holder
        #: The newest event that was handed on.
        self.seq = cursor
        self.threads: frozenset[str] = frozenset()
        #: Threads that came into being while the visitor's threads were read.
        self._joined: set[str] = set()
        self._queue: deque[LogRow | bytes] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        #: True when the log must be read: at the beginning, and when a thread turned up.
        self._behind = True
        self.closed = False
        #: True when this listener was too slow.
        self.evicted = False
        #: Why it was closed, where its reader is to be told: "reset", "revoked".
        self.reason: str | None = None
        #: Called once when it was.
        self.on_evicted: Callable[[], None] | None = None

    def push(self, what: LogRow | bytes) -> None:
        """Hand over an event or a frame; never waits."""
        size = _size(what)
        if self.closed:
            return
        if len(self._queue) >= MOST_FRAMES or self._bytes + size > MOST_BYTES:
            self.evicted = True
            self.close()
            if self.on_evicted is not None:
                self.on_evicted()
            return
        self._queue.append(what)
        self._bytes += size
        self._filled.set()

    def join(self, thread_id: str) -> None:
        """Hear of a thread that has just come into being from its first event on."""
        self._joined.add(thread_id)
        self._hub.attach(self, self.threads | {thread_id})

    def look_again(self) -> None:
        """Read the log once more before going on."""
        self._behind = True
        self._filled.set()

    def end(self, reason: str) -> None:
        """Close this line with a reason that its reader is told."""
        self.reason = self.reason or reason
        self.close()

    def close(self) -> None:
        """Listen no more, and let go of what waits."""
        self._hub.forget(self)
        self.closed = True
        self._queue.clear()
        self._bytes = 0
        self._filled.set()

    async def rows(self) -> AsyncIterator[LogRow | bytes]:
        """Yield what there is and what comes, until this line is closed."""
        while not self.closed:
            # What was told before the log was read comes before it: the first words of a greeting.
            if self._behind and not (self._queue and isinstance(self._queue[0], bytes)):
                self._behind = False
                async for row in self._catch_up():
                    yield row
            elif self._queue:
                what = self._queue.popleft()
                self._bytes -= _size(what)
                if isinstance(what, bytes):
                    yield what
                elif what.seq > self.seq:
                    self.seq = what.seq
                    yield what
            else:
                self._filled.clear()
                await self._filled.wait()

    async def page(self, limit: int) -> tuple[list[LogRow], bool]:
        """Return what the log has after the cursor, at most `limit` events, and whether there is more."""
        self._behind = False
        # What waits is in the log already.
        self._queue.clear()
        self._bytes = 0
        upto = await self._listen()
        async with self._hub.house.store.read() as connection:
            rows = await read_changes(connection, sorted(self.threads), self.seq, upto, limit + 1)
        return rows[:limit], len(rows) > limit

    async def wait(self) -> None:
        """Wait until something was pushed, or until the line is closed."""
        while not (self._queue or self._behind or self.closed):
            self._filled.clear()
            await self._filled.wait()

    async def _catch_up(self) -> AsyncIterator[LogRow]:
        upto, more = await self._listen(), True
        while more and not self.closed:
            async with self._hub.house.store.read() as connection:
                rows = await read_changes(connection, sorted(self.threads), self.seq, upto, _PAGE)
            for row in rows:
                self.seq = row.seq
                yield row
            more = len(rows) == _PAGE

    async def _listen(self) -> int:
        """Listen to all threads of the visitor; returns the event up to which the log is to be read."""
        self._joined.clear()
        async with self._hub.house.store.read() as connection:
            rows = await threads_of(connection, self.holder)
        self._hub.attach(self, frozenset(self._joined.union(row.id for row in rows)))
        return self._hub.house.feed.last_seq


def _drop(lines: dict[Place, set[Line]], place: Place, line: Line) -> None:
    """Take a line out of an index, and its place with the last one."""
    found = lines.get(place)
    if found is not None:
        found.discard(line)
        if not found:
            del lines[place]


def _size(what: LogRow | bytes) -> int:
    """Return how much memory something that waits takes; a text in Chinese takes more than its characters."""
    return sys.getsizeof(what if isinstance(what, bytes) else what.payload)


class _Thread(msgspec.Struct):
    account_id: str


class _Created(msgspec.Struct):
    """What of the event `created` tells whom it may concern."""

    thread: _Thread
    #: The customer's id on the account; events of earlier versions have none.
    address: str | None = None


_created = msgspec.json.Decoder(_Created).decode


class Hub:
    """All lines of this process."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._lines: set[Line] = set()
        self._by_thread: dict[str, set[Line]] = {}
        #: (account, address of the visitor) → their lines.
        self._by_visitor: dict[tuple[str, str], set[Line]] = {}
        self._stops: list[Callable[[], None]] = []
        self._learning: set[asyncio.Task[None]] = set()
        self._repairing: asyncio.Task[None] | None = None
        #: Called with what was told for a line and is no event: (line, moment).
        self.on_moment: Callable[[Line, Moment], None] | None = None

    def start(self) -> None:
        """Begin to follow the log."""
        self._stops = [self.house.feed.tap(self._handed_out), self.house.moments.listen(self._told)]
        self._repairing = asyncio.create_task(self._repair(), name="hosted-repair")

    async def stop(self) -> None:
        """Close every line."""
        for stop in self._stops:
            stop()
        tasks = [task for task in (self._repairing, *self._learning) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.hang_up()

    def hang_up(self) -> None:
        """Let go of everybody who waits: long polls end at once instead of holding up the end of the house."""
        for line in list(self._lines):
            line.close()

    def open(self, holder: Holder, cursor: int) -> Line:
        """Return a new line that listens from now on and will read from `cursor`."""
        line = Line(self, holder, cursor)
        self._lines.add(line)
        self._by_visitor.setdefault((holder.account_id, holder.address), set()).add(line)
        return line

    def attach(self, line: Line, threads: frozenset[str]) -> None:
        """Let a line hear of these threads and of no others."""
        if line.closed:
            return
        self._detach(line)
        line.threads = threads
        for thread_id in threads:
            self._by_thread.setdefault(thread_id, set()).add(line)

    def forget(self, line: Line) -> None:
        """Send nothing more to a line."""
        self._lines.discard(line)
        _drop(self._by_visitor, (line.holder.account_id, line.holder.address), line)
        self._detach(line)

    def lines_of(self, thread_id: str | None) -> Sequence[Line]:
        """Return who listens to a thread."""
        return list(self._by_thread.get(thread_id or "", ()))

    @property
    def lines(self) -> Sequence[Line]:
        """Everybody who listens."""
        return list(self._lines)

    def _lines_at(self, account_id: str, address: str) -> Sequence[Line]:
        return list(self._by_visitor.get((account_id, address), ()))

    def _detach(self, line: Line) -> None:
        for thread_id in line.threads:
            _drop(self._by_thread, thread_id, line)
        line.threads = frozenset()

    def _handed_out(self, rows: Sequence[LogRow]) -> None:
        for row in rows:
            if row.kind == "created":
                self._greet(row)
            for line in self.lines_of(row.thread_id):
                line.push(row)
            if row.kind == "identity_linked":
                self._relink(row)

    def _greet(self, row: LogRow) -> None:
        """A thread came into being: its visitor may be listening already."""
        if row.thread_id is None or row.thread_id in self._by_thread:
            return
        created = _created(row.payload)
        if created.address is None:
            self._ask(row.thread_id, created.thread.account_id)
            return
        for line in self._lines_at(created.thread.account_id, created.address):
            line.join(row.thread_id)

    def _ask(self, thread_id: str, account_id: str) -> None:
        """Look in the database for the visitor of a thread, if anybody of that account listens."""
        if account_id in {account for account, _ in self._by_visitor}:
            task = asyncio.create_task(self._learn(thread_id), name="hosted-learn")
            self._learning.add(task)
            task.add_done_callback(self._learning.discard)

    async def _learn(self, thread_id: str) -> None:
        """Find out whose thread it is and let them read it. What fails here the repair finds."""
        try:
            async with self.house.store.read() as connection:
                found = await visitor_in(connection, thread_id)
        except (SQLAlchemyError, OSError) as error:
            log.warning("hosted.learn_failed", error=type(error).__name__)
            return
        for line in self._lines_at(*(found or ("", ""))):
            line.look_again()

    def _relink(self, row: LogRow) -> None:
        """Threads changed hands: cursors of the visitor who got them are over."""
        payload = msgspec.json.decode(row.payload)
        for line in self._lines_at(payload.get("account_id"), payload.get("other")):
            line.end("reset")

    def _told(self, moment: Moment) -> None:
        if moment.kind == TOLD:
            frame = msgspec.json.encode(moment.details)
            for line in self.lines_of(moment.thread_id):
                line.push(frame)
        if moment.kind == SHOWN and self.on_moment is not None:
            for line in self.lines_of(moment.thread_id):
                self.on_moment(line, moment)

    async def _repair(self) -> None:
        """Let every line look once in a while, one after another: all at once would hold up what comes meanwhile."""
        while True:
            lines = list(self._lines)
            for line in lines:
                line.look_again()
                await asyncio.sleep(_REPAIR_S / len(lines))
            if not lines:
                await asyncio.sleep(_REPAIR_S)
