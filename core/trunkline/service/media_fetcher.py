"""Background work on media: fetch what platforms keep for us, delete what nobody may see or needs any more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
from sqlalchemy import and_, func, or_, select, text, update

from trunkline.contract import Clock, Connector, MediaStream
from trunkline.errors import (
    BodyUnreadable,
    ContractError,
    DeliveryError,
    StoreUnavailable,
    TryLater,
    Undeliverable,
)
from trunkline.log import get_logger
from trunkline.model import Actor, ActorKind, Media, MediaSource
from trunkline.service.media import MediaStore, row_values
from trunkline.service.media_files import MediaRefused, Taken
from trunkline.service.snapshots import media_snapshot
from trunkline.service.web_files import open_stream
from trunkline.service.worker import Worker
from trunkline.store import Store, Transaction
from trunkline.store.schema import contact, media

__all__ = ["MediaFetcher", "MediaSweeper"]

log = get_logger("service")

_SYSTEM = Actor(ActorKind.SYSTEM)
#: As the partial index says it, word for word.
_PENDING = text("state = 'pending'")
_LEFTOVER = text("state = 'removed' AND file IS NOT NULL")
#: How long a claim holds beyond the time a fetch may take.
_LEASE_MARGIN_MS = 60_000
_LONGEST_PAUSE_S = 60
_GIVE_UP_MS = 24 * 3600 * 1000
#: An unexpected failure (a bug) is not tried for a day.
_MOST_CRASHES = 8
_AT_ONCE = 16
_NEVER = 1 << 62


class MediaFetcher(Worker):
    """Fetches media of inbound messages: a few per account at a time, each bounded in bytes and seconds.

    `connector_of` returns an account's connector, None while it has none. `web` is the open client.
    """

    def __init__(
        self,
        store: Store,
        files: MediaStore,
        connector_of: Callable[[str], Connector | None],
        *,
        web: httpx2.AsyncClient,
        clock: Clock,
    ) -> None:
        super().__init__("media", clock)
        self._store, self._files = store, files
        self._connector_of, self._web = connector_of, web
        self._running: Counter[str] = Counter()

    async def step(self) -> int | None:
        """Begin what is due and there is room for; say when the next is due."""
        await self._delete_recalled()
        room = _AT_ONCE - self._running.total()
        if room <= 0:
            return None
        if await self._next_due() <= self.clock.now_ms():
            now = self.clock.now_ms()
            claimed = await self._store.writer.write(lambda tx: self._claim(tx, now, room))
            for row in claimed:
                self._running[row.account_id or ""] += 1
                self.spawn(self._fetch(row))
            if claimed:
                return now
        due = await self._next_due()
        return due if due < _NEVER else None

    def _busy_accounts(self) -> list[str]:
        most = self._files.limits.per_account
        return [account for account, running in self._running.items() if running >= most]

    async def _next_due(self) -> int:
        query = select(func.min(media.c.due_at)).where(_PENDING, *self._elsewhere())
        async with self._store.read() as connection:
            due = (await connection.execute(query)).scalar_one_or_none()
        return _NEVER if due is None else int(due)

    def _elsewhere(self) -> list[Any]:
        busy = self._busy_accounts()
        return [func.coalesce(media.c.account_id, "").not_in(busy)] if busy else []

    def _claim(self, tx: Transaction, now: int, room: int) -> list[Any]:
        """Take due rows, oldest first; a row that is taken is due again when the claim is over."""
        query = (
            select(media)
            .where(_PENDING, media.c.due_at <= now, *self._elsewhere())
            .order_by(media.c.due_at)
            .limit(room * 4)
            .with_for_update(skip_locked=True)
        )
        taken: list[Any] = []
        counts = self._running.copy()
        for row in tx.execute(query).fetchall():
            account = row.account_id or ""
            if len(taken) >= room or counts[account] >= self._files.limits.per_account:
                continue
            counts[account] += 1
            taken.append(row)
        until = now + round(self._files.limits.fetch_s * 1000) + _LEASE_MARGIN_MS
        for row in taken:
            values = {"due_at": until, "attempts": row.attempts + 1}
            tx.execute(update(media).where(media.c.id == row.id).values(**values))
        return taken

    async def _fetch(self, row: Any) -> None:
        try:
            taken = await self._take(row)
        except MediaRefused as refused:
            if refused.code in {"disk_full", "storage_failed"}:
                await self._postpone(row, refused.code, _LONGEST_PAUSE_S)
            else:
                await self._end(row, "refused", refused.code)
        except TryLater as later:
            await self._postpone(row, later.code, later.after_s)
        except (Undeliverable, BodyUnreadable, ContractError) as final:
            await self._end(row, "failed", getattr(final, "code", "not_fetched"))
        except (DeliveryError, httpx2.TransportError, TimeoutError, StoreUnavailable) as error:
            await self._postpone(row, type(error).__name__, None)
        except Exception as error:
            log.exception("media.crashed", account_id=row.account_id, error=type(error).__name__)
            await self._crashed(row)
        else:
            await self._keep(row, taken)
        finally:
            self._running[row.account_id or ""] -= 1

    async def _take(self, row: Any) -> Taken:
        source = msgspec.json.decode(row.source, type=MediaSource)
        async with asyncio.timeout(self._files.limits.fetch_s):
            if source.external:
                return await self._take_from_web(source.reference, row)
            connector = self._connector_of(row.account_id)
            if connector is None:
                raise TryLater("The account is not at work.", after_s=_LONGEST_PAUSE_S)
            wanted = Media(
                id=row.id, mime=row.mime, size=row.size, name=row.name, duration_ms=row.duration_ms, source=source
            )
            return await self._take_stream(await connector.fetch(wanted), row)

    async def _take_stream(self, stream: MediaStream, row: Any) -> Taken:
        try:
            return await self._files.take(
                stream.chunks, name=stream.name or row.name, announced=stream.mime or row.mime, strict=False
            )
        finally:
            close = getattr(stream.chunks, "aclose", None)
            if close is not None:
                await close()

    async def _take_from_web(self, url: str, row: Any) -> Taken:
        async with open_stream(self._web, url, self._files.limits.max_bytes) as chunks:
            return await self._files.take(chunks, name=row.name, announced=row.mime, strict=False)

    async def _keep(self, row: Any, taken: Taken) -> None:
        values = {**row_values(taken), "state": "stored", "reason": None, "due_at": None}
        values["duration_ms"] = taken.duration_ms or row.duration_ms
        kept = False
        try:
            kept = await self._change(row, values)
        finally:
            if not kept:
                self._files.files.remove(taken.file, taken.preview_file)
        if kept:
            log.info("media.fetched", account_id=row.account_id, size=taken.size)

    async def _end(self, row: Any, state: str, reason: str) -> None:
        log.warning("media.not_fetched", account_id=row.account_id, state=state, error_code=reason)
        await self._change(row, {"state": state, "reason": reason, "due_at": None})

    async def _postpone(self, row: Any, reason: str, after_s: float | None) -> None:
        now = self.clock.now_ms()
        if now - row.created_at >= _GIVE_UP_MS:
            await self._end(row, "failed", "gave_up")
            return
        pause_s = after_s if after_s is not None else min(_LONGEST_PAUSE_S, 2 ** min(row.attempts, 10))
        log.info("media.postponed", account_id=row.account_id, error_code=reason, attempt=row.attempts + 1)
        await self._change(row, {"reason": reason, "due_at": now + round(pause_s * 1000)}, tell=False)

    async def _crashed(self, row: Any) -> None:
        if row.attempts + 1 >= _MOST_CRASHES:
            await self._end(row, "failed", "connector_failed")
        else:
            await self._postpone(row, "connector_failed", None)

    async def _change(self, row: Any, values: dict[str, Any], *, tell: bool = True) -> bool:
        """Write the outcome if the claim still holds: nobody took the row over, and it was not recalled."""
        now = self.clock.now_ms()

        def change(tx: Transaction) -> bool:
            mine = and_(media.c.id == row.id, media.c.state == "pending", media.c.attempts == row.attempts + 1)
            if tx.execute(update(media).where(mine).values(**values)).rowcount != 1:
                return False
            if tell:
                stored = tx.execute(select(media).where(media.c.id == row.id)).one()
                payload = {"message_id": stored.message_id, "media": media_snapshot(stored)}
                tx.append("media_changed", actor=_SYSTEM, at=now, payload=payload, thread_id=stored.thread_id)
            return True

        return await self._store.writer.write(change)

    async def _delete_recalled(self) -> None:
        """Delete the files of messages that the customer took back."""
        query = select(media.c.id, media.c.file, media.c.preview_file).where(_LEFTOVER).limit(200)
        async with self._store.read() as connection:
            rows = (await connection.execute(query)).fetchall()
        if not rows:
            return
        self._files.files.remove(*(name for row in rows for name in (row.file, row.preview_file)))
        ids = [row.id for row in rows]
        gone = {"file": None, "preview_file": None, "public_token": None}
        await self._store.writer.write(lambda tx: tx.execute(update(media).where(media.c.id.in_(ids)).values(**gone)))
        log.info("media.deleted", files=len(rows), reason="recalled")
        self.wake()


class MediaSweeper(Worker):
    """Deletes uploads that were never sent and files that no row points to."""

    def __init__(self, store: Store, files: MediaStore, clock: Clock, *, every_s: float = 3600) -> None:
        super().__init__("media-sweep", clock, poll_s=every_s)
        self._store, self._files = store, files

    async def step(self) -> int | None:
        """Sweep once."""
        await self._drop_unsent(self.clock.now_ms() - 24 * 3600 * 1000)
        await self._drop_strays(self.clock.now_ms() - 3600 * 1000)
        return None

    async def _drop_unsent(self, before: int) -> None:
        """Forget uploads that no message and no contact carries."""
        unsent = and_(
            media.c.owner_id.is_not(None),
            media.c.message_id.is_(None),
            media.c.state == "stored",
            media.c.created_at < before,
            media.c.id.not_in(select(contact.c.avatar_id).where(contact.c.avatar_id.is_not(None))),
        )

        async with self._store.read() as connection:
            ids = (await connection.execute(select(media.c.id).where(unsent).limit(500))).scalars().all()
        if not ids:
            return

        def drop(tx: Transaction) -> None:
            gone = update(media).where(media.c.id.in_(ids), media.c.message_id.is_(None))
            tx.execute(gone.values(state="removed", reason="never_sent"))
            tx.wake("media")

        await self._store.writer.write(drop)

    async def _drop_strays(self, before: int) -> None:
        names = await asyncio.to_thread(lambda: list(self._files.files.old_names(before)))
        for start in range(0, len(names), 200):
            chunk = names[start : start + 200]
            query = select(media.c.file, media.c.preview_file).where(
                or_(media.c.file.in_(chunk), media.c.preview_file.in_(chunk))
            )
            async with self._store.read() as connection:
                known = {name for row in await connection.execute(query) for name in row}
            strays = [name for name in chunk if name not in known]
            self._files.files.remove(*strays)
            if strays:
                log.info("media.deleted", files=len(strays), reason="stray")
