"""Opening a store: which database, the lock, the schema, the writer and the readers."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from trunkline.errors import ConfigError, StartRefused
from trunkline.log import get_logger
from trunkline.store.migrate import MigrationSet, core_migrations, upgrade
from trunkline.store.sqlite import FileLock, SqliteBackend, has_wal_reset_bug
from trunkline.store.writer import Writer

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.store.notices import Notices
    from trunkline.store.postgres import PostgresBackend
    from trunkline.store.readers import Readers

__all__ = ["Store"]

log = get_logger("store")

T = TypeVar("T")


class Store:
    """One database: `writer` for every write, `read()` and `ask()` for everything else."""

    def __init__(
        self,
        url: str,
        *,
        synchronous: str = "FULL",
        max_queue: int = 5000,
        busy_timeout_ms: int = 5000,
        migrations: tuple[MigrationSet, ...] = (),
        may_migrate: bool = True,
    ) -> None:
        self._lock: FileLock | None = None
        self.backend = _backend(url, synchronous=synchronous, busy_timeout_ms=busy_timeout_ms)
        if isinstance(self.backend, SqliteBackend):
            self._lock = FileLock(self.backend.path)
        self.migrations = (core_migrations(), *migrations)
        self._may_migrate = may_migrate
        self.writer = Writer(self.backend, max_queue=max_queue)
        self._readers: Readers | None = None
        self._listening: tuple[asyncio.Task[None], ...] = ()
        self._notices: Notices | None = None
        #: Called on the loop when another process committed: (last seq, workers to wake).
        self.on_remote_commit: Callable[[int, set[str]], None] | None = None
        #: Called on the loop with the notices of all processes, this one's too.
        self.on_notice: Callable[[str], None] | None = None

    @property
    def dialect(self) -> str:
        """Name of the database in use: "sqlite" or "postgresql"."""
        return "sqlite" if isinstance(self.backend, SqliteBackend) else "postgresql"

    async def open(self) -> None:
        """Take the lock, bring the schema up to date, start the writer.

        Raises:
            StartRefused: the database is in use, unreachable, or its schema is from a newer program.
        """
        if self._lock is not None:
            self._lock.acquire()
        try:
            self._warn_about_version()
            await asyncio.to_thread(upgrade, self.backend.engine(), self.migrations, may_change=self._may_migrate)
            self.writer.start()
        except BaseException:
            self._release()
            raise
        self._readers = self.backend.readers()
        if not isinstance(self.backend, SqliteBackend):
            self._notices = self.backend.notices()
            self._listening = (
                asyncio.create_task(self.backend.listen(self._tell, self._hear), name="store-listen"),
                asyncio.create_task(self._notices.run(), name="store-notices"),
            )

    async def close(self) -> None:
        """Finish accepted writes and let go of everything."""
        for task in self._listening:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._listening, self._notices = (), None
        # Readers first: SQLite empties its write-ahead log when the last connection closes, and theirs must not write.
        if self._readers is not None:
            await self._readers.dispose()
            self._readers = None
        await self.writer.stop()
        self._release()

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Borrow a read-only connection."""
        async with self._open_readers().connect() as connection:
            yield connection

    async def ask(self, reader: Callable[[Connection], T]) -> T:
        """Run a plain function on a read-only connection, in one transaction."""
        return await self._open_readers().ask(reader)

    def _open_readers(self) -> Readers:
        if self._readers is None:
            raise StartRefused("The store is not open.")
        return self._readers

    def notify(self, notice: str) -> None:
        """Tell the other processes something that nothing keeps; best effort, never waits. One process has nobody."""
        if self._notices is not None:
            self._notices.put(notice)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _warn_about_version(self) -> None:
        if isinstance(self.backend, SqliteBackend) and has_wal_reset_bug():
            log.warning("db.version_affected", sqlite=sqlite3.sqlite_version, defect="WAL-reset", fixed_in="3.51.3")

    def _tell(self, payload: str) -> None:
        seq, _, wakes = payload.partition(" ")
        if self.on_remote_commit is not None:
            self.on_remote_commit(int(seq), set(filter(None, wakes.split(","))))

    def _hear(self, notice: str) -> None:
        if self.on_notice is not None:
            self.on_notice(notice)


def _backend(url: str, *, synchronous: str, busy_timeout_ms: int) -> SqliteBackend | PostgresBackend:
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///")).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteBackend(path, synchronous=synchronous, busy_timeout_ms=busy_timeout_ms)
    if url.startswith(("postgresql://", "postgres://")):
        # Imported here because its driver costs memory and time that SQLite's users need not spend.
        from trunkline.store.postgres import PostgresBackend  # noqa: PLC0415 - see above

        return PostgresBackend(url)
    raise ConfigError(
        f"database.url must begin with sqlite:/// or postgresql://, not {url.split(':', 1)[0]!r}",
        key="database.url",
    )
