"""Pulling: channels that only say that there is something, or that have to be asked.

Each account has one cursor per scope, a row with a lease: one process pulls a scope at a time, page after page, and a
page is stored in the transaction that moves the cursor. A request to pull that comes meanwhile means "once more".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
import msgspec
from sqlalchemy import select, update

from trunkline.contract import Ignored, Item, Page, PullRequest, Transport, TrustedBody
from trunkline.errors import BodyUnreadable, SignInNeeded, TrunklineError, TryLater
from trunkline.log import get_logger
from trunkline.model import new_id
from trunkline.service.arrivals import AccountFacts, Arrival
from trunkline.service.pull_cursors import Progress, cursor_name, decode, encode
from trunkline.service.worker import Worker
from trunkline.store import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trunkline.service.account import Account
    from trunkline.service.house import House
    from trunkline.store import Transaction

__all__ = ["PULLED", "Puller"]

log = get_logger("puller")

#: The method under which a pulled page is kept among the raw requests.
PULLED = "PULL"
_c = schema.cursor.c
_TRANSPORTS = frozenset({Transport.NOTIFY, Transport.PULL})
_TIMEOUT_S = 30.0
#: Longer than one pull may take.
_LEASE_MS = 45_000
#: Pages of one run; what is left waits for the next step, so that one busy scope holds nobody up.
_PAGES = 100
_PAUSE_MS, _LONGEST_PAUSE_MS = 5_000, 300_000
_OLD = "It is older than the account here."


class _Task(msgspec.Struct, frozen=True):
    """One scope under our lease."""

    account: Account
    scope: str
    fence: int
    created_at: int


class Puller(Worker):
    """Pulls what is due of every account that is pulled."""

    def __init__(self, house: House) -> None:
        super().__init__("pull", house.clock)
        self._house, self._me = house, new_id()
        self._running: set[str] = set()

    async def step(self) -> int | None:
        """Begin what is due and say when the next is."""
        due_at: int | None = None
        for account in self._house.accounts.all():
            if account.connector is None or account.channel_spec is None or account.state == "disabled":
                continue
            if account.channel_spec.capabilities.receiving.transport in _TRANSPORTS:
                next_at = await self._look_at(account)
                due_at = next_at if due_at is None else min(due_at, next_at)
        return due_at

    async def _look_at(self, account: Account) -> int:
        """Begin the runs of one account that are due; returns when to look again."""
        assert account.channel_spec is not None  # noqa: S101 - `step` proved it
        assert account.connector is not None  # noqa: S101 - `step` proved it
        every_ms = (account.channel_spec.capabilities.receiving.pull_every_s or 300) * 1000
        scopes = await self._known(account.id)
        for scope in account.connector.scopes():
            scopes.setdefault(scope, Progress())
        next_at = self.clock.now_ms() + every_ms
        for scope, progress in scopes.items():
            due = progress.due_at(every_ms)
            if due <= self.clock.now_ms():
                await self._begin(account, scope, every_ms)
            else:
                next_at = min(next_at, due)
        return next_at

    async def _known(self, account_id: str) -> dict[str, Progress]:
        prefix = cursor_name(account_id, "")
        query = select(_c.name, _c.position).where(_c.name.startswith(prefix, autoescape=True))
        async with self._house.store.read() as connection:
            rows = (await connection.execute(query)).fetchall()
        return {row.name.removeprefix(prefix): decode(row.position) for row in rows}

    async def _begin(self, account: Account, scope: str, every_ms: int) -> None:
        name = cursor_name(account.id, scope)
        if name in self._running or self.stopping:
            return
        task = await self._house.store.writer.write(lambda tx: self._lease(tx, account, scope, every_ms))
        if task is not None:
            self._running.add(name)
            self.spawn(self._run_scope(task))

    def _lease(self, tx: Transaction, account: Account, scope: str, every_ms: int) -> _Task | None:
        """Take the lease of a scope, None while another process has it or if one has just ended its run."""
        name, now = cursor_name(account.id, scope), self.clock.now_ms()
        tx.insert_new(schema.cursor, [(name, encode(Progress()))], ("name", "position"), ("name",))
        row = tx.execute(select(schema.cursor).where(_c.name == name).with_for_update(skip_locked=True)).one_or_none()
        if row is None or ((row.lease_until or 0) > now and row.owner != self._me):
            return None
        if decode(row.position).due_at(every_ms) > now:
            return None
        fence = int(row.fence) + 1
        values = {"owner": self._me, "lease_until": now + _LEASE_MS, "fence": fence}
        tx.execute(update(schema.cursor).where(_c.name == name).values(values))
        created = tx.execute(select(schema.account.c.created_at).where(schema.account.c.id == account.id)).scalar()
        return _Task(account, scope, fence, int(created or 0))

    async def _run_scope(self, task: _Task) -> None:
        """Pull pages until there is no more; a failure waits longer each time."""
        name = cursor_name(task.account.id, task.scope)
        try:
            await self._pull_pages(task)
        except SignInNeeded as error:
            await self._house.accounts.change(task.account.id, "sign_in_needed", str(error))
            await self._failed(task, error)
        except (TrunklineError, httpx2.TransportError, TimeoutError) as error:
            await self._failed(task, error)
        finally:
            self._running.discard(name)

    async def _pull_pages(self, task: _Task) -> None:
        for _ in range(_PAGES):
            progress = await self._progress(task)
            if progress is None:
                return
            page = await self._page(task, progress)
            if not await self._store_page(task, progress, page) or not page.more or self.stopping:
                return

    async def _progress(self, task: _Task) -> Progress | None:
        """Return where the scope stands, None if the lease is another's by now."""
        query = select(_c.position, _c.fence).where(_c.name == cursor_name(task.account.id, task.scope))
        async with self._house.store.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return decode(row.position) if row is not None and row.fence == task.fence else None

    async def _page(self, task: _Task, progress: Progress) -> Page:
        connector = task.account.connector
        assert connector is not None  # noqa: S101 - `step` proved it
        token = progress.token if progress.asked > progress.done else None
        request = PullRequest(scope=task.scope, cursor=progress.cursor, token=token)
        async with asyncio.timeout(_TIMEOUT_S):
            return await connector.pull(request)

    async def _store_page(self, task: _Task, before: Progress, page: Page) -> bool:
        """Store a page and move the cursor; False if the lease was lost, and then nothing is stored."""
        items, error = _read(task, page)
        if not before.caught_up:
            items = [_history(item, task.created_at) for item in items]
        arrival = self._arrival(task, page, items, error)

        def move(tx: Transaction) -> bool:
            return self._move(tx, task, before, page)

        return await self._house.intake.take_page(arrival, move)

    def _move(self, tx: Transaction, task: _Task, before: Progress, page: Page) -> bool:
        name, now = cursor_name(task.account.id, task.scope), self.clock.now_ms()
        row = tx.execute(select(_c.position, _c.fence).where(_c.name == name).with_for_update()).one_or_none()
        if row is None or row.fence != task.fence:
            return False
        progress = decode(row.position)
        progress.cursor, progress.failures, progress.not_before = page.cursor, 0, 0
        if not page.more:
            progress.done, progress.at, progress.caught_up = before.asked, now, True
        lease = now + _LEASE_MS if page.more else None
        tx.execute(update(schema.cursor).where(_c.name == name).values(position=encode(progress), lease_until=lease))
        return True

    def _arrival(self, task: _Task, page: Page, items: Sequence[Item], error: str | None) -> Arrival:
        assert task.account.channel_spec is not None  # noqa: S101 - `step` proved it
        raw_id = new_id()
        return Arrival(
            raw_id=raw_id,
            account=AccountFacts(task.account.id, task.account.channel_spec),
            received_at=self.clock.now_ms(),
            request_id=raw_id,
            method=PULLED,
            body=page.raw,
            items=items,
            error=error,
            # A page without news is nothing that anybody would look for.
            keep_raw=bool(items) or error is not None,
        )

    async def _failed(self, task: _Task, error: Exception) -> None:
        after_s = error.after_s if isinstance(error, TryLater) else None
        name, now = cursor_name(task.account.id, task.scope), self.clock.now_ms()

        def note(tx: Transaction) -> None:
            row = tx.execute(select(_c.position, _c.fence).where(_c.name == name).with_for_update()).one_or_none()
            if row is None or row.fence != task.fence:
                return
            progress = decode(row.position)
            progress.failures += 1
            pause = _pause_ms(progress.failures, after_s)
            progress.not_before = now + pause
            values = {"position": encode(progress), "lease_until": None}
            tx.execute(update(schema.cursor).where(_c.name == name).values(values))

        await self._house.store.writer.write(note)
        log.warning("pull.failed", account=task.account.id, error=type(error).__name__, reason=str(error)[:200])


def _pause_ms(failures: int, after_s: float | None) -> int:
    if after_s is not None:
        return round(after_s * 1000)
    return int(min(_LONGEST_PAUSE_MS, _PAUSE_MS * 2 ** min(failures - 1, 10)))


def _read(task: _Task, page: Page) -> tuple[Sequence[Item], str | None]:
    """Return the items of a page, or the words for the quarantine."""
    connector = task.account.connector
    assert connector is not None  # noqa: S101 - `Puller.step` proved it
    try:
        return connector.parse(TrustedBody(page.raw)), None
    except BodyUnreadable as error:
        return (), str(error)
    except Exception as error:
        log.exception("pull.parse_failed", connector=type(connector).__name__)
        return (), f"{type(error).__name__}: {error}"[:500]


def _history(item: Item, since_ms: int) -> Item:
    """What lay there before the account was set up here is known and not filed: nobody waits for its answer."""
    if item.at_ms == 0 or item.at_ms >= since_ms:
        return item
    return Ignored(dedupe_key=item.dedupe_key, at_ms=item.at_ms, platform_kind=item.platform_kind, reason=_OLD)
