"""The writer: one thread, one read-write connection, one flush to disk for all that waits.

A write is a plain function `(Transaction) -> result`. What queues up while a commit runs goes into the next commit
together. The functions of a group first run without savepoints; if one of them fails the group is rolled back and run
again with a savepoint around each, so that one failure spares the others and nobody pays for it on the good days.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from time import sleep
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from trunkline.clock import monotonic
from trunkline.errors import StoreUnavailable
from trunkline.log import get_logger
from trunkline.store.transaction import LogRow, Transaction

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Backend", "Writer"]

T = TypeVar("T")
ItemT = TypeVar("ItemT")

log = get_logger("store")

_RETRIES = 5
#: Turns of the loop for which writes are gathered at most, while every turn brings more of them.
_TURNS = 16
#: After a group of at least so many writes more are on their way: the thread waits so long for them before it commits.
_CROWD, _CROWD_S = 4, 0.001


class Backend(Protocol):
    """What differs between the databases."""

    def connect(self) -> Connection:
        """Open the one read-write connection, in autocommit mode: the writer says BEGIN and COMMIT itself."""
        ...

    #: The word that begins a transaction which holds the right to write.
    begin: str

    def first_seq(self, tx: Transaction) -> int:
        """Return the number of the next event; from here to the commit nobody else appends."""
        ...

    def notify(self, tx: Transaction, last_seq: int, wakes: set[str]) -> None:
        """Tell other processes, at the commit, that the log grew and which workers have something to do."""
        ...

    def is_transient(self, error: Exception) -> bool:
        """Whether the same transaction may succeed at once (deadlock, serialisation failure)."""
        ...

    def unavailable(self, error: Exception) -> StoreUnavailable | None:
        """Translate an error of the database as a whole (full, locked, gone), None if the write itself is wrong."""
        ...


class _Write:
    """One write on its way: alone, or one of many that share a batch function."""

    __slots__ = ("failed", "future", "item", "result", "shared", "work")

    def __init__(self, work: Callable[..., Any], item: Any, *, shared: bool, future: asyncio.Future[Any]) -> None:
        self.work, self.item, self.shared, self.future = work, item, shared, future
        self.result: Any = None
        self.failed: Exception | None = None


#: Called on the event loop after each commit that appended events or woke somebody, before the writes are answered.
Listener = Callable[[Sequence[LogRow], set[str]], None]


class Writer:
    """Runs writes in groups on its own thread."""

    def __init__(self, backend: Backend, *, max_queue: int = 5000, max_group: int = 256) -> None:
        self._backend = backend
        self._max_queue, self._max_group = max_queue, max_group
        self._queue: SimpleQueue[list[_Write] | None] = SimpleQueue()
        self._pending: list[_Write] = []
        self._waiting = 0
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        #: The last time the database refused work as a whole: when (`clock.monotonic`) and why.
        self.trouble: tuple[float, StoreUnavailable] | None = None
        #: When the last group was committed, by the monotonic clock.
        self.committed_at = 0.0
        #: Seconds and rows of the last commits, for metrics: called on the writer's thread.
        self.on_commit: Callable[[float, int], None] | None = None

    @property
    def waiting(self) -> int:
        """How many writes have been accepted and not yet been answered."""
        return self._waiting

    def listen(self, listener: Listener) -> None:
        """Call `listener(events, wakes)` on the loop after each commit."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Open the connection and begin to take writes on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._connection = self._backend.connect()
        self._thread = threading.Thread(target=self._run, name="trunkline-writer", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Finish what was accepted, then close the connection."""
        if self._thread is None:
            return
        self._flush()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._thread = None

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return its result after the commit.

        Raises:
            StoreUnavailable: nothing was stored; answer 503 or try again later.
            Exception: whatever `work` raised; nothing of it was stored.
        """
        result: T = await self._submit(_Write(work, None, shared=False, future=self._future()))
        return result

    async def write_together(self, work: Callable[[Transaction, list[ItemT]], Sequence[T]], item: ItemT) -> T:
        """Run `work` once for all items that wait, and return this item's result after the commit.

        `work` must return one result per item, in order.
        """
        result: T = await self._submit(_Write(work, item, shared=True, future=self._future()))
        return result

    def _future(self) -> asyncio.Future[Any]:
        if self._loop is None or self._thread is None:
            raise StoreUnavailable("The store is not open.", code="store_closed")
        return self._loop.create_future()

    def _submit(self, write: _Write) -> asyncio.Future[Any]:
        if self._waiting >= self._max_queue:
            raise StoreUnavailable("Too many writes are waiting.", code="store_busy", after_s=2)
        if not self._pending:
            assert self._loop is not None  # noqa: S101 - `_future` proved it
            self._loop.call_soon(self._gather, 0, _TURNS)
        self._pending.append(write)
        self._waiting += 1
        return write.future

    def _gather(self, known: int, turns: int) -> None:
        """Hand over what came together: when a turn of the loop brings no more, after some turns in any case.

        A commit costs the same for one write and for many, and while it runs the loop and it wait for each other: so
        one group of all is better than two that take turns. Who writes alone waits for one empty turn.
        """
        found = len(self._pending)
        if turns and known < found < self._max_group:
            assert self._loop is not None  # noqa: S101 - `_future` proved it
            self._loop.call_soon(self._gather, found, turns - 1)
        else:
            self._flush()

    def _flush(self) -> None:
        """Give everything that was gathered to the thread with one wake-up."""
        if self._pending:
            self._queue.put(self._pending)
            self._pending = []

    def _run(self) -> None:
        known = 0
        while True:
            group = self._queue.get()
            stop = group is None
            writes = group or []
            if known >= _CROWD and not stop:
                sleep(_CROWD_S)
            while not stop and len(writes) < self._max_group:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                stop = more is None
                writes += more or []
            for start in range(0, len(writes), self._max_group):
                self._commit(writes[start : start + self._max_group])
            known = len(writes)
            if stop:
                break
        self._close()

    def _commit(self, group: list[_Write]) -> None:
        """Store one group and answer its writers; never raises."""
        began = monotonic()
        try:
            events, wakes = self._store(group)
        except Exception as error:  # noqa: BLE001 - the writer's thread must outlive any failure; all writers are told
            self._abandon()
            events, wakes = [], set()
            failure = self._refusal(error) or error
            if isinstance(failure, StoreUnavailable):
                self.trouble = (monotonic(), failure)
                group = [*group, *self._behind()]
            log.warning(
                "db.failed",
                error=type(failure).__name__,
                code=getattr(failure, "code", None),
                rows=len(group),
            )
            for write in group:
                write.failed = failure
        if self.on_commit is not None:
            self.on_commit(monotonic() - began, len(group))
        self._answer(group, events, wakes)

    def _refusal(self, error: Exception) -> StoreUnavailable | None:
        """Return the failure of the database as a whole; what it wants tried again was tried often enough."""
        if self._backend.is_transient(error):
            return StoreUnavailable("The database is too busy.", code="database_busy")
        return self._backend.unavailable(error)

    def _behind(self) -> list[_Write]:
        """Take what waits behind a refused group: it waited as long, and would only wait as long again."""
        found: list[_Write] = []
        while True:
            try:
                more = self._queue.get_nowait()
            except Empty:
                return found
            if more is None:
                self._queue.put(None)
                return found
            found += more

    def _store(self, group: list[_Write]) -> tuple[list[LogRow], set[str]]:
        for _ in range(_RETRIES):
            try:
                return self._attempt(group, guarded=False)
            except Exception as error:
                self._rollback()
                if self._backend.unavailable(error) is not None:
                    raise
                if not self._backend.is_transient(error):
                    break
        return self._attempt(group, guarded=True)

    def _attempt(self, group: list[_Write], *, guarded: bool) -> tuple[list[LogRow], set[str]]:
        if self._connection is None:
            self._connection = self._backend.connect()
        tx = Transaction(self._connection)
        tx.say(self._backend.begin)
        for batch in _batches(group, alone=guarded):
            if guarded:
                self._guard(tx, batch)
            else:
                _perform(tx, batch)
        rows = tx.write_log(self._backend.first_seq(tx)) if tx.appended else []
        if rows or tx.wakes:
            self._backend.notify(tx, rows[-1].seq if rows else 0, tx.wakes)
        tx.say("COMMIT")
        tx.settle()
        self.committed_at = monotonic()
        return rows, tx.wakes

    def _guard(self, tx: Transaction, batch: list[_Write]) -> None:
        """Run one write under a savepoint; its failure is its own."""
        mark = len(tx.appended)
        tx.say("SAVEPOINT one")
        try:
            _perform(tx, batch)
            tx.settle()
        except Exception as error:
            if self._backend.unavailable(error) is not None or self._backend.is_transient(error):
                raise
            tx.drop()
            tx.say("ROLLBACK TO one")
            del tx.appended[mark:]
            batch[0].failed = error
        tx.say("RELEASE one")

    def _rollback(self) -> None:
        if self._connection is None:
            return
        try:
            _say(self._connection, "ROLLBACK")
        except Exception:  # noqa: BLE001 - the transaction may be gone already (disk full, server killed)
            self._abandon()

    def _abandon(self) -> None:
        """Give up a connection in an unknown state; the next group opens a new one."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except Exception as error:  # noqa: BLE001 - nothing depends on this connection any more
            log.warning("db.close_failed", error=type(error).__name__)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection.engine.dispose()
            self._connection = None

    def _answer(self, group: list[_Write], events: list[LogRow], wakes: set[str]) -> None:
        assert self._loop is not None  # noqa: S101 - `start` set it before the thread ran
        try:
            self._loop.call_soon_threadsafe(self._deliver, group, events, wakes)
        except RuntimeError:
            log.warning("db.loop_closed", rows=len(group))

    def _deliver(self, group: list[_Write], events: list[LogRow], wakes: set[str]) -> None:
        self._waiting -= len(group)
        if events or wakes:
            for listener in self._listeners:
                listener(events, wakes)
        for write in group:
            if write.future.done():
                continue
            if write.failed is not None:
                write.future.set_exception(write.failed)
            else:
                write.future.set_result(write.result)


def _say(connection: Connection, words: str) -> None:
    """Run one word of transaction control on the driver's connection."""
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr] # DBAPI, known at run time
    cursor.execute(words)
    cursor.close()


def _batches(group: list[_Write], *, alone: bool) -> list[list[_Write]]:
    """Put neighbours that share a batch function together, keeping the order of arrival."""
    batches: list[list[_Write]] = []
    for write in group:
        write.result = write.failed = None
        if not alone and batches and write.shared and batches[-1][0].shared and batches[-1][0].work == write.work:
            batches[-1].append(write)
        else:
            batches.append([write])
    return batches


def _perform(tx: Transaction, batch: list[_Write]) -> None:
    if not batch[0].shared:
        batch[0].result = batch[0].work(tx)
        return
    results = batch[0].work(tx, [write.item for write in batch])
    for write, result in zip(batch, results, strict=True):
        write.result = result
