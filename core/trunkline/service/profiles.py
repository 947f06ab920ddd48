"""Background look-ups of names and pictures: of people never asked about, and again a day later if they write.

A failed look-up blocks nothing: the person is shown under the name that the message brought, or none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
from sqlalchemy import Select, select, update

from trunkline.clock import monotonic
from trunkline.contract import Clock, Connector
from trunkline.errors import DeliveryError, SignInNeeded, TryLater
from trunkline.log import get_logger
from trunkline.model import Actor, ActorKind, Address, AddressKind, Profile, new_id
from trunkline.service.media import MediaStore, row_values
from trunkline.service.media_files import MediaRefused
from trunkline.service.snapshots import media_snapshot
from trunkline.service.web_files import open_stream
from trunkline.service.worker import Worker
from trunkline.store import Store, Transaction
from trunkline.store.schema import contact, identity, media, message, thread

__all__ = ["Profiles"]

log = get_logger("service")

_SYSTEM = Actor(ActorKind.SYSTEM)
_STALE_MS = 24 * 3600 * 1000
_PER_SECOND = 5
_AT_ONCE = 8
#: Newest messages among which a group member is looked for; who was never asked about has just written.
_RECENT = 5000
_LOOKUP_S = 15.0
_PICTURE_S = 20.0
_LONGEST_PAUSE_MS = 3600 * 1000
_COLUMNS = (
    identity.c.id,
    identity.c.account_id,
    identity.c.external_id,
    identity.c.kind,
    identity.c.contact_id,
    identity.c.name,
    identity.c.profile,
)


class Profiles(Worker):
    """Looks people up, a few per second and account."""

    def __init__(
        self,
        store: Store,
        files: MediaStore,
        connector_of: Callable[[str], Connector | None],
        *,
        web: httpx2.AsyncClient,
        clock: Clock,
        per_second: int = _PER_SECOND,
    ) -> None:
        super().__init__("profiles", clock)
        self._store, self._files = store, files
        self._connector_of, self._web = connector_of, web
        self._paces: dict[str, _Pace] = {}
        self._per_second = per_second
        #: Identities under way.
        self._running: set[str] = set()
        #: Identity → (tries, not before); only what failed in a passing way.
        self._waiting: dict[str, tuple[int, int]] = {}

    async def step(self) -> int | None:
        """Begin look-ups while there is room; say when the next that failed may be tried."""
        now = self.clock.now_ms()
        for row in await self._wanted(now):
            if len(self._running) >= _AT_ONCE:
                return None
            self._running.add(row.id)
            self.spawn(self._look_up(row))
        later = [due for _, due in self._waiting.values() if due > now]
        return min(later, default=None)

    async def _wanted(self, now: int) -> list[Any]:
        skipped = [*self._running, *(key for key, (_, due) in self._waiting.items() if due > now)]
        never = select(*_COLUMNS).where(identity.c.profile_at.is_(None))
        stale = (
            select(*_COLUMNS)
            .join(thread, thread.c.identity_id == identity.c.id)
            .where(
                thread.c.last_message_at > now - _STALE_MS,
                identity.c.profile_at < now - _STALE_MS,
                thread.c.last_inbound_at > identity.c.profile_at + _STALE_MS,
            )
        )
        found: dict[str, Any] = {}
        async with self._store.read() as connection:
            for query in (never, stale):
                if len(found) < _AT_ONCE:
                    limited = query.limit(_AT_ONCE + len(skipped))
                    found.update({row.id: row for row in await connection.execute(limited)})
        return [row for row in found.values() if row.id not in skipped][:_AT_ONCE]

    async def _look_up(self, row: Any) -> None:
        try:
            profile = await self._ask(row)
            picture_id = await self._picture(row, profile) if profile and profile.picture_url else None
            await self._keep(row, profile, picture_id)
            self._waiting.pop(row.id, None)
        except (TryLater, SignInNeeded, httpx2.TransportError, TimeoutError) as error:
            self._postpone(row, error)
        except DeliveryError as error:
            log.info("profile.refused", account_id=row.account_id, error_code=error.code)
            await self._keep(row, None, None)
        # Isolation point: a connector's bug costs one profile; it is asked again in a day.
        except Exception as error:
            log.exception("profile.crashed", account_id=row.account_id, error=type(error).__name__)
            await self._keep(row, None, None)
        finally:
            self._running.discard(row.id)

    async def _ask(self, row: Any) -> Profile | None:
        connector = self._connector_of(row.account_id)
        if connector is None:
            raise TryLater("The account is not at work.")
        await self._paces.setdefault(row.account_id, _Pace(self._per_second)).turn()
        address = Address(external_id=row.external_id, kind=AddressKind(row.kind))
        async with asyncio.timeout(_LOOKUP_S):
            return await connector.profile(address, await self._group_of(row))

    async def _group_of(self, row: Any) -> Address | None:
        """Return a group in which a person was seen who has no thread of their own."""
        if row.kind != AddressKind.PERSON.value:
            return None
        own = select(thread.c.id).where(thread.c.contact_id == row.contact_id, thread.c.identity_id == row.id)
        async with self._store.read() as connection:
            if (await connection.execute(own.limit(1))).one_or_none() is not None:
                return None
            group = (await connection.execute(_seen_in(row))).one_or_none()
        return group and Address(external_id=group.external_id, kind=AddressKind(group.kind))

    async def _picture(self, row: Any, profile: Profile) -> str | None:
        """Return the id of the stored picture: the one we have if its address is the same, None if it fails."""
        known = msgspec.json.decode(row.profile) if row.profile else {}
        if known.get("picture_url") == profile.picture_url and known.get("picture_id"):
            return str(known["picture_id"])
        try:
            async with (
                asyncio.timeout(_PICTURE_S),
                open_stream(self._web, profile.picture_url or "", self._files.limits.max_bytes) as chunks,
            ):
                taken = await self._files.take(chunks, name="avatar", announced=None, strict=True)
        except (DeliveryError, MediaRefused, httpx2.TransportError, TimeoutError) as error:
            log.info("profile.no_picture", account_id=row.account_id, error=type(error).__name__)
            return None
        if not taken.mime.startswith("image/"):
            self._files.files.remove(taken.file, taken.preview_file)
            return None
        media_id = new_id()
        values = {"id": media_id, "account_id": row.account_id, "state": "stored", **row_values(taken)}
        await self._files.insert(values)
        return media_id

    async def _keep(self, row: Any, profile: Profile | None, picture_id: str | None) -> None:
        now = self.clock.now_ms()
        await self._store.writer.write(lambda tx: _store_profile(tx, row, (profile, picture_id), now))

    def _postpone(self, row: Any, error: Exception) -> None:
        """Wait longer each time; what a restart forgets is asked once more."""
        tries = self._waiting.get(row.id, (0, 0))[0] + 1
        pause_ms = min(_LONGEST_PAUSE_MS, 1000 * 4 ** min(tries, 8))
        asked = getattr(error, "after_s", None)
        if asked is not None:
            pause_ms = max(pause_ms, round(asked * 1000))
        self._waiting[row.id] = (tries, self.clock.now_ms() + pause_ms)
        log.info("profile.postponed", account_id=row.account_id, error=type(error).__name__, attempt=tries)


def _store_profile(tx: Transaction, row: Any, found: tuple[Profile | None, str | None], now: int) -> None:
    profile, picture_id = found
    tx.execute(update(identity).where(identity.c.id == row.id).values(profile_at=now))
    if profile is None:
        return
    encoded = {**msgspec.to_builtins(profile), "picture_id": picture_id}
    values: dict[str, Any] = {"profile": msgspec.json.encode(encoded).decode()}
    if profile.name:
        values["name"] = profile.name
    tx.execute(update(identity).where(identity.c.id == row.id).values(**values))
    before = tx.execute(select(contact).where(contact.c.id == row.contact_id)).one()
    after = {
        # A name that differs from the platform's was chosen by an agent, and stays.
        "name": (profile.name or before.name) if before.name in {None, row.name} else before.name,
        "avatar_id": picture_id if profile.picture_url else None,
        "language": profile.language or before.language,
    }
    if profile.picture_url and picture_id is None:
        after["avatar_id"] = before.avatar_id
    if after == {key: getattr(before, key) for key in after}:
        return
    tx.execute(update(contact).where(contact.c.id == row.contact_id).values(**after))
    if before.name is None and after["name"] is not None:
        _sign(tx, row.contact_id, after["name"])
    _drop_old_picture(tx, before.avatar_id, after["avatar_id"])
    _tell(tx, row, now)


def _sign(tx: Transaction, contact_id: str, name: str) -> None:
    """Put the name under what its owner wrote before we knew it: in a group nothing else tells who spoke."""
    recent = select(message.c.id).order_by(message.c.id.desc()).limit(_RECENT)
    nameless = (message.c.author_id == contact_id, message.c.author_kind == "contact", message.c.author_name.is_(None))
    tx.execute(update(message).where(message.c.id.in_(recent), *nameless).values(author_name=name))


def _drop_old_picture(tx: Transaction, old: str | None, new: str | None) -> None:
    if old is not None and old != new:
        tx.execute(update(media).where(media.c.id == old).values(state="removed", reason="replaced"))
        tx.wake("media")


def _tell(tx: Transaction, row: Any, now: int) -> None:
    """Append `contact_changed` to every thread of the contact, so that open lists follow."""
    after = tx.execute(select(contact).where(contact.c.id == row.contact_id)).one()
    avatar = tx.execute(select(media).where(media.c.id == after.avatar_id)).one_or_none()
    shown = {"id": after.id, "name": after.name, "avatar": media_snapshot(avatar) if avatar is not None else None}
    threads = tx.execute(select(thread.c.id).where(thread.c.contact_id == row.contact_id)).scalars().all()
    for thread_id in threads or [None]:
        tx.append("contact_changed", actor=_SYSTEM, at=now, payload={"contact": shown}, thread_id=thread_id)


class _Pace:
    """Lets so many pass in any second."""

    def __init__(self, per_second: int) -> None:
        self._passed: deque[float] = deque(maxlen=per_second)
        self._lock = asyncio.Lock()

    async def turn(self) -> None:
        """Wait until it is one's turn."""
        async with self._lock:
            if len(self._passed) == self._passed.maxlen:
                await asyncio.sleep(max(0.0, self._passed[0] + 1.0 - monotonic()))
            self._passed.append(monotonic())


def _seen_in(row: Any) -> Select[Any]:
    """Return the statement that finds a group in which this contact wrote lately."""
    newest = select(message.c.thread_id, message.c.author_id).order_by(message.c.id.desc())
    recent = newest.limit(_RECENT).subquery()
    return (
        select(identity.c.external_id, identity.c.kind)
        .select_from(recent)
        .join(thread, thread.c.id == recent.c.thread_id)
        .join(identity, identity.c.id == thread.c.identity_id)
        .where(recent.c.author_id == row.contact_id, thread.c.account_id == row.account_id)
        .limit(1)
    )
