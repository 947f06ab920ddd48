"""Whether this process can do its work: the heartbeat, and the checks behind /health/ready."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import insert, update
from sqlalchemy.exc import SQLAlchemyError

from trunkline.clock import monotonic
from trunkline.contract import Clock
from trunkline.errors import TrunklineError
from trunkline.log import get_logger
from trunkline.settings import Settings
from trunkline.store import Store, Transaction, schema, schema_versions

__all__ = ["Vitals"]

log = get_logger("health")

_EVERY_S = 2.0
_FRESH_S = 5.0
_ROW = schema.heartbeat
_NAME = "writer"


@dataclass
class Vitals:
    """Knows when the writer last committed, and what stands in the way of being ready."""

    store: Store
    settings: Settings
    clock: Clock
    #: True once everything was started; set by whoever starts.
    started: bool = False
    #: True once no new work is taken; set by whoever stops.
    draining: bool = False
    #: True while the disk has so little room left that nothing more may be taken in.
    disk_is_full: bool = False
    _beat_at: float | None = field(default=None, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to write heartbeats."""
        self._task = asyncio.create_task(self._run(), name="heartbeat")

    async def stop(self) -> None:
        """Stop writing heartbeats."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def beat(self) -> None:
        """Commit one heartbeat.

        Raises:
            StoreUnavailable: the writer cannot commit.
        """
        now = self.clock.now_ms()
        await self.store.writer.write(lambda tx: _write(tx, now))
        self._beat_at = monotonic()
        with suppress(OSError):
            self.disk_is_full = self._free() < self.settings.media.free_space_floor // 2

    async def failing(self) -> dict[str, str]:
        """Return the checks that fail and why; empty when ready."""
        found = {
            "starting": None if self.started else "Trunkline is starting.",
            "draining": "Trunkline is stopping and takes no new work." if self.draining else None,
            "writer": self._writer(),
            "disk": self._disk(),
            "schema": await self._schema(),
        }
        return {name: words for name, words in found.items() if words}

    def _writer(self) -> str | None:
        if self._beat_at is None:
            return "The database has taken no write yet."
        refused_at, refusal = self.store.writer.trouble or (-_FRESH_S, None)
        if refusal is not None and monotonic() - refused_at < _EVERY_S:
            return f"The database refused a write: {refusal}"
        age = monotonic() - self._beat_at
        return None if age < _FRESH_S else f"The database took its last write {age:.0f} seconds ago."

    def _disk(self) -> str | None:
        floor = self.settings.media.free_space_floor
        try:
            free = self._free()
        except OSError as error:
            return f"The disk of the data cannot be read ({type(error).__name__})."
        return None if free >= floor else f"Only {free >> 20} MiB are free, {floor >> 20} MiB are needed."

    def _free(self) -> int:
        folder = self.settings.database_file.parent if self.settings.database_file else self.settings.folder
        return shutil.disk_usage(folder).free

    async def _schema(self) -> str | None:
        try:
            async with self.store.read() as connection:
                for version in await schema_versions(connection, self.store.migrations):
                    if version.state != "current":
                        return f"The schema of {version.name} is {version.found} and must be {version.needed}."
        except (SQLAlchemyError, TrunklineError) as error:
            return f"The database cannot be read ({type(error).__name__})."
        return None

    async def _run(self) -> None:
        while True:
            try:
                await self.beat()
            except TrunklineError as error:
                log.warning("health.no_heartbeat", error=type(error).__name__, code=getattr(error, "code", None))
            except SQLAlchemyError as error:
                log.warning("health.no_heartbeat", error=type(error).__name__)
            await asyncio.sleep(_EVERY_S)


def _write(tx: Transaction, now: int) -> None:
    if not tx.execute(update(_ROW).where(_ROW.c.name == _NAME).values(at=now)).rowcount:
        tx.execute(insert(_ROW).values(name=_NAME, at=now))
