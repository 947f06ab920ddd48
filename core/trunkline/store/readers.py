"""Readers: connections that never write, for asynchronous code and for plain functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["FileReaders", "Readers"]

T = TypeVar("T")

#: Plain readers that may run at once: a long search must not keep everybody's lists waiting.
THREADS = 4


class Readers:
    """Readers of a database that is asked over a socket: plain functions wait without a thread, too."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def connect(self) -> AsyncConnection:
        """Borrow a connection; to be used with `async with`."""
        return self._engine.connect()

    async def ask(self, reader: Callable[[Connection], T]) -> T:
        """Run a plain function on a connection, in one transaction."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(reader)

    async def dispose(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


class FileReaders(Readers):
    """Readers of a database that answers on the thread that asks.

    A plain function changes threads once; through aiosqlite each of its statements would do so four times.
    """

    def __init__(self, engine: AsyncEngine, plain: Engine) -> None:
        super().__init__(engine)
        self._plain = plain
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="trunkline-reader")

    async def ask(self, reader: Callable[[Connection], T]) -> T:
        """Run a plain function on a connection of a thread's own, in one transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, reader)

    async def dispose(self) -> None:
        """Let those finish that have begun, and close all connections."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._plain.dispose()
        await super().dispose()

    def _run(self, reader: Callable[[Connection], T]) -> T:
        with self._plain.connect() as connection:
            return reader(connection)
