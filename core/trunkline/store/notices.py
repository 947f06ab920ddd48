"""Notices to other processes that nobody waits for and nothing keeps: PostgreSQL's NOTIFY outside of any commit."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

import psycopg

from trunkline.log import get_logger

__all__ = ["NOTICE_CHANNEL", "Notices", "connected"]

log = get_logger("store")

#: LISTEN/NOTIFY channel: payload is the notice.
NOTICE_CHANNEL = "trunkline_notice"
#: PostgreSQL takes 7,999 bytes. Source: https://www.postgresql.org/docs/current/sql-notify.html (read 2026-11-21)
_MOST_BYTES = 7999
#: What waits at most; the oldest are worth the least.
_MOST_WAITING = 1000
_AGAIN_S = 1.0
#: How long a connection that nobody wants any more may take to open, so that it can be closed.
_CLOSING_S = 1.0
_SEND = b"SELECT pg_notify(%s, %s)"


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    """Open a connection of our own and close it again, also when we are cancelled in the midst of opening it.

    Raises:
        psycopg.Error: the server cannot be reached, or left us.
    """
    opening = asyncio.ensure_future(psycopg.AsyncConnection.connect(address, autocommit=True, connect_timeout=10))
    try:
        connection = await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait({opening}, timeout=_CLOSING_S)
        if opening.cancel() or opening.exception() is not None:
            raise
        await opening.result().close()
        raise
    async with connection:
        yield connection


class Notices:
    """Sends notices over a connection of its own, opened by the first one."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._waiting: deque[str] = deque(maxlen=_MOST_WAITING)
        self._filled = asyncio.Event()

    def put(self, notice: str) -> None:
        """Send a notice soon; one that is too long or of too many is dropped."""
        if len(notice.encode()) > _MOST_BYTES:
            log.debug("db.notice_dropped", size=len(notice))
            return
        self._waiting.append(notice)
        self._filled.set()

    async def run(self) -> None:
        """Send what comes, for ever; what cannot be sent is dropped."""
        while True:
            await self._filled.wait()
            try:
                async with connected(self._address) as connection:
                    await self._send(connection)
            except psycopg.Error as error:
                log.warning("db.notice_failed", error=type(error).__name__)
                self._waiting.clear()
                self._filled.clear()
                await asyncio.sleep(_AGAIN_S)

    async def _send(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            chosen = list(self._waiting)
            self._waiting.clear()
            async with connection.pipeline():
                for notice in chosen:
                    await connection.execute(_SEND, (NOTICE_CHANNEL, notice))
