"""PostgreSQL: several processes on one database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors as pg
from sqlalchemy import Connection, Engine, Text, bindparam, create_engine, event, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from trunkline.errors import StoreUnavailable
from trunkline.log import get_logger
from trunkline.store import schema
from trunkline.store.notices import NOTICE_CHANNEL, Notices, connected
from trunkline.store.prepared import Prepared
from trunkline.store.readers import Readers

if TYPE_CHECKING:
    from trunkline.store.transaction import Transaction

__all__ = ["LOG_CHANNEL", "PostgresBackend"]

log = get_logger("store")

#: LISTEN/NOTIFY channel: payload "<last seq> <worker>,<worker>".
LOG_CHANNEL = "trunkline_log"
#: Key of the advisory lock that makes commit order log order.
_LOG_LOCK = 0x7472756E6B

#: How long a writer may stand still in a transaction: a process that was stopped must not keep the log locked.
_IDLE = "-c idle_in_transaction_session_timeout=10000"

_TURN = Prepared(select(func.pg_advisory_xact_lock(_LOG_LOCK)), answered=False)
_NOTIFY = Prepared(select(func.pg_notify(LOG_CHANNEL, bindparam("payload", type_=Text))), answered=False)
_MAX = Prepared(select(func.coalesce(func.max(schema.event.c.seq), 0)))
_TRANSIENT = (pg.SerializationFailure, pg.DeadlockDetected)
#: Class of the error → (code, words).
_UNAVAILABLE: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (pg.DiskFull, "disk_full", "The disk with the database is full."),
    (pg.LockNotAvailable, "database_locked", "Another program holds the database: end it, then try again."),
    (pg.QueryCanceled, "database_slow", "The database did not answer in time."),
    (pg.IdleInTransactionSessionTimeout, "database_gone", "This process stood still in the middle of a write."),
    (pg.ReadOnlySqlTransaction, "database_read_only", "The database cannot be written."),
    (psycopg.OperationalError, "database_gone", "The database cannot be reached."),
    (psycopg.InterfaceError, "database_gone", "The database cannot be reached."),
)


class PostgresBackend:
    """The writer's side of PostgreSQL, and its readers."""

    #: Rows are locked as they are touched.
    begin = "BEGIN"

    def __init__(self, url: str, *, statement_timeout_ms: int = 30_000, lock_timeout_ms: int = 5000) -> None:
        self.url: URL = make_url(url).set(drivername="postgresql+psycopg")
        self._options = f"-c statement_timeout={statement_timeout_ms} -c lock_timeout={lock_timeout_ms}"

    def engine(self) -> Engine:
        """Return a read-write engine for the writer and for migrations."""
        engine = create_engine(
            self.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"options": f"{self._options} {_IDLE}", "connect_timeout": 10, "prepare_threshold": 2},
        )
        event.listen(engine, "connect", _keep_statements)
        return engine

    def readers(self) -> Readers:
        """Return the readers; their transactions are read-only."""
        engine = create_async_engine(
            self.url,
            pool_size=8,
            # None over the limit: what is opened in a rush and closed again costs more than waiting.
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={
                "options": f"{self._options} -c default_transaction_read_only=on",
                "connect_timeout": 10,
            },
        )
        return Readers(engine)

    def connect(self) -> Connection:
        """Open this process's read-write connection."""
        return self.engine().connect()

    def first_seq(self, tx: Transaction) -> int:
        """Wait for the turn to append, which ends with the commit, and return the next number."""
        tx.run(_TURN)
        return int(tx.run(_MAX)[0][0]) + 1

    def notify(self, tx: Transaction, last_seq: int, wakes: set[str]) -> None:
        """Send one notification for the whole group."""
        tx.run(_NOTIFY, {"payload": f"{last_seq} {','.join(sorted(wakes))}"})

    def notices(self) -> Notices:
        """Return what sends notices outside of any commit."""
        return Notices(self._address())

    def _address(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    async def listen(self, tell: Callable[[str], None], hear: Callable[[str], None]) -> None:
        """Pass on the notifications of all processes; reconnects for ever. After each connect it tells "0 *".

        `hear` gets what was said outside of commits.
        """
        ways = {LOG_CHANNEL: tell, NOTICE_CHANNEL: hear}
        while True:
            try:
                async with connected(self._address()) as connection:
                    for channel in ways:
                        await connection.execute(f"LISTEN {channel}".encode())
                    tell("0 *")
                    async for notice in connection.notifies():
                        ways[notice.channel](notice.payload)
            except psycopg.Error as error:
                log.warning("db.listen_failed", error=type(error).__name__)
                await asyncio.sleep(1)

    def is_transient(self, error: Exception) -> bool:
        """Deadlocks and serialisation failures succeed when tried again."""
        return isinstance(_cause(error), _TRANSIENT)

    def unavailable(self, error: Exception) -> StoreUnavailable | None:
        """Translate errors of the server as a whole."""
        cause = _cause(error)
        if isinstance(cause, _TRANSIENT):
            return None
        for kind, code, words in _UNAVAILABLE:
            if isinstance(cause, kind):
                return StoreUnavailable(words, code=code)
        return None


def _cause(error: Exception) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _keep_statements(connection: psycopg.Connection[tuple[object, ...]], _record: object) -> None:
    """Let there be a prepared statement per table and number of rows, and room for the rest."""
    connection.prepared_max = 512
