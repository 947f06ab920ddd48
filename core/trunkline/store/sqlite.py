"""SQLite: one file, one process, one writer."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, func, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from trunkline.errors import StartRefused, StoreUnavailable
from trunkline.store import schema
from trunkline.store.prepared import Prepared
from trunkline.store.readers import THREADS, FileReaders, Readers

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from trunkline.store.transaction import Transaction

__all__ = ["FileLock", "SqliteBackend", "has_wal_reset_bug"]

#: Versions with the "WAL-reset" defect that can lose data when two connections write or checkpoint at once. We have
#: one connection for both, so it is a warning and no refusal. Source: https://www.sqlite.org/wal.html (read 2026-11-21)
_FIXED = (3, 51, 3)
_BACKPORTS = {(3, 44, 6), (3, 50, 7)}

#: Errors of the file as a whole: primary result code → (code, words).
_UNAVAILABLE = {
    "SQLITE_FULL": ("disk_full", "The disk with the database is full."),
    "SQLITE_IOERR": ("io_error", "The disk with the database reports an error."),
    "SQLITE_BUSY": ("database_locked", "Another program holds the database: end it, then try again."),
    "SQLITE_LOCKED": ("database_locked", "Another program holds the database: end it, then try again."),
    "SQLITE_CANTOPEN": ("database_gone", "The database file cannot be opened."),
    "SQLITE_READONLY": ("database_read_only", "The database file cannot be written."),
    "SQLITE_CORRUPT": ("database_corrupt", "The database file is damaged."),
    "SQLITE_NOTADB": ("database_corrupt", "The database file is no database."),
}

_MAX = Prepared(select(func.coalesce(func.max(schema.event.c.seq), 0)))
#: Statements the writer keeps prepared: one per table and number of rows, and room for the rest.
_STATEMENTS = 512


def has_wal_reset_bug(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite has the WAL-reset defect."""
    return (3, 7, 0) <= version < _FIXED and version not in _BACKPORTS


class FileLock:
    """Keeps a second process off a database file; the system lets go of it when the process dies."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StartRefused: another process has it; its number is in the message.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            message = (
                f"The database {self._path.name.removesuffix('.lock')} is in use by process {holder}: "
                "stop that process, or use PostgreSQL if you want several."
            )
            raise StartRefused(message) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class SqliteBackend:
    """The writer's side of SQLite, and its readers."""

    #: Takes the right to write at once, waiting at most the busy time-out.
    begin = "BEGIN IMMEDIATE"

    def __init__(self, path: Path, *, synchronous: str = "FULL", busy_timeout_ms: int = 5000) -> None:
        self.path = path
        self._synchronous, self._busy_timeout_ms = synchronous, busy_timeout_ms

    def engine(self) -> Engine:
        """Return a read-write engine: for the writer and for migrations, never for anybody else."""
        engine = create_engine(
            f"sqlite:///{self.path}",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"cached_statements": _STATEMENTS},
        )
        event.listen(engine, "connect", self._prepare_writer)
        return engine

    def readers(self) -> Readers:
        """Return the readers; their connections refuse to write.

        None over the limit: what is opened in a rush and closed again costs more than waiting.
        """
        place = f"/file:{self.path}?mode=ro&uri=true"
        engine = create_async_engine(f"sqlite+aiosqlite://{place}", pool_size=8, max_overflow=0)
        event.listen(engine.sync_engine, "connect", _prepare_reader)
        plain = create_engine(f"sqlite://{place}", poolclass=QueuePool, pool_size=THREADS, max_overflow=0)
        event.listen(plain, "connect", _prepare_plain_reader)
        event.listen(plain, "begin", _begin_reading)
        return FileReaders(engine, plain)

    def connect(self) -> Connection:
        """Open the one read-write connection."""
        return self.engine().connect()

    def first_seq(self, tx: Transaction) -> int:
        """Return the next number; nobody else appends because nobody else writes."""
        return int(tx.run(_MAX)[0][0]) + 1

    def notify(self, tx: Transaction, last_seq: int, wakes: set[str]) -> None:
        """Tell nobody: there is one process."""

    def is_transient(self, error: Exception) -> bool:
        """Nothing is worth an immediate second try: the writer is alone."""
        return False

    def unavailable(self, error: Exception) -> StoreUnavailable | None:
        """Translate errors of the file as a whole."""
        cause = getattr(error, "orig", None) or error
        name = getattr(cause, "sqlite_errorname", "") or ""
        for prefix, (code, words) in _UNAVAILABLE.items():
            if name.startswith(prefix):
                return StoreUnavailable(words, code=code)
        return None

    def _prepare_writer(self, connection: sqlite3.Connection, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={self._synchronous}",
            f"busy_timeout={self._busy_timeout_ms}",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-65536",
            "wal_autocheckpoint=10000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _prepare_reader(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("query_only=ON", "busy_timeout=5000", "cache_size=-16384"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_plain_reader(connection: sqlite3.Connection, record: Any) -> None:
    # The driver begins transactions only to write; ours begin below, so that what is read fits together.
    connection.isolation_level = None
    _prepare_reader(connection, record)


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
