"""Pushes as rows: planned with the message, needless once the app has it, deleted when they are done.

A job is unique per device and message, and is planned in the transaction that moves the planner's place in the log.
What is needless is decided again in the transaction that takes the job: until then the app may have acknowledged the
message, its user may have read it elsewhere or signed out, and the device may be somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, func, or_, select, update

from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.model import Event
    from trunkline.store import Transaction

__all__ = [
    "DELAY_MS",
    "KINDS",
    "LIFE_MS",
    "NEXT_DUE",
    "Claim",
    "claim",
    "finish",
    "forget_device",
    "needless",
    "plan",
    "put_off",
    "sweep",
]

#: How long an app has to acknowledge a message before it is woken, and how long a push is of use.
DELAY_MS, LIFE_MS = 5_000, 24 * 3600 * 1000
_DAY_MS = 24 * 3600 * 1000
#: A device that was not heard of for so long is left alone, then forgotten.
PAUSE_AFTER_MS, DELETE_AFTER_MS = 60 * _DAY_MS, 270 * _DAY_MS
LEASE_MS = 120_000

job, device, token, visitor = schema.push_job, schema.visitor_device, schema.visitor_token, schema.visitor
thread, identity, message = schema.thread, schema.identity, schema.message
_COLUMNS = (
    "account_id", "device_id", "subject", "kind", "thread_id", "position", "seq", "attempts", "due_at", "expires_at",
    "fence",
)  # fmt: skip
_KEY = ("account_id", "device_id", "subject")


# ---------------------------------------------------------------- planning


def plan(tx: Transaction, events: Sequence[Event]) -> None:
    """Plan the pushes that these events may make necessary."""
    planned = False
    for event in events:
        make = _PLANS.get(event.kind)
        if make is not None and event.thread_id is not None:
            planned = make(tx, event) or planned
    if planned:
        tx.wake("push")


def _plan_message(tx: Transaction, event: Event) -> bool:
    shown = event.payload["message"]
    position = int(shown["position"])
    wanted = (thread.c.contact_read < position, token.c.acked_seq < event.seq)
    rows = [
        (*place, shown["id"], "message", event.thread_id, position, event.seq, 0, *_times(event), 0)
        for place in _devices(tx, event, *wanted)
    ]
    return bool(rows) and bool(tx.insert_new(job, rows, _COLUMNS, _KEY))


def _plan_read(tx: Transaction, event: Event) -> bool:
    """Let the badge go down on devices that show one."""
    places = _devices(tx, event, device.c.badge > 0)
    subject, position = f"read:{event.thread_id}", int(event.payload["position"])
    for account_id, device_id in places:
        known = (job.c.account_id == account_id, job.c.device_id == device_id, job.c.subject == subject)
        tx.execute(delete(job).where(*known))
    rows = [(*place, subject, "read", event.thread_id, position, event.seq, 0, *_times(event), 0) for place in places]
    return bool(rows) and bool(tx.insert_new(job, rows, _COLUMNS, _KEY))


#: Kind of event → what it plans; returns whether there is anything.
_PLANS: Mapping[str, Callable[[Any, Any], bool]] = {"reply_sent": _plan_message, "contact_read": _plan_read}
KINDS = frozenset(_PLANS)


def _times(event: Event) -> tuple[int, int]:
    return event.at_ms + DELAY_MS, event.at_ms + LIFE_MS


def _devices(tx: Transaction, event: Event, *wanted: Any) -> list[tuple[str, str]]:
    """Return account and id of the devices of a thread's customer that fit."""
    query = (
        select(device.c.account_id, device.c.device_id)
        .select_from(thread)
        .join(identity, identity.c.id == thread.c.identity_id)
        .join(
            visitor,
            (visitor.c.account_id == identity.c.account_id) & (visitor.c.external_id == identity.c.external_id),
        )
        .join(token, token.c.visitor_id == visitor.c.id)
        .join(device, device.c.token_id == token.c.id)
        .where(thread.c.id == event.thread_id, token.c.revoked_at.is_(None), device.c.enabled.is_(True), *wanted)
    )
    return [(row.account_id, row.device_id) for row in tx.execute(query)]


# ---------------------------------------------------------------- taking


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One push with its lease."""

    account_id: str
    device_id: str
    subject: str
    fence: int
    attempts: int
    kind: str
    thread_id: str
    position: int
    unread: int
    expires_at: int
    #: Sealed.
    push_token: bytes
    provider: str
    environment: str | None
    bundle_id: str | None
    locale: str | None
    #: When the app handed its token over; another time means another token.
    told_at: int
    #: The message's content, encoded.
    content: str | None
    author_kind: str | None


_JOINED = (
    select(
        job,
        device.c.provider,
        device.c.push_token,
        device.c.environment,
        device.c.bundle_id,
        device.c.locale,
        device.c.enabled,
        device.c.badge,
        device.c.updated_at,
        token.c.revoked_at,
        token.c.acked_seq,
        visitor.c.external_id.label("holder"),
        identity.c.external_id.label("owner_address"),
        thread.c.identity_id,
        thread.c.contact_read,
        message.c.content,
        message.c.author_kind,
        message.c.recalled_at,
    )
    .select_from(job)
    .outerjoin(device, (device.c.account_id == job.c.account_id) & (device.c.device_id == job.c.device_id))
    .outerjoin(token, token.c.id == device.c.token_id)
    .outerjoin(visitor, visitor.c.id == token.c.visitor_id)
    .outerjoin(thread, thread.c.id == job.c.thread_id)
    .outerjoin(identity, identity.c.id == thread.c.identity_id)
    .outerjoin(message, message.c.id == job.c.subject)
)


#: (account, when its next job is due).
NEXT_DUE = select(job.c.account_id, func.min(job.c.due_at).label("due_at")).group_by(job.c.account_id)


def claim(tx: Transaction, owner: str, now: int, rooms: Mapping[str, int]) -> tuple[list[Claim], dict[str, int]]:
    """Take what is due and still needed, delete what is not; returns also what `NEXT_DUE` says then.

    `rooms` are the accounts that are looked at, and how many pushes each may take: no more wait for an account whose
    provider is slow than its own.
    """
    claims = [one for account_id, room in rooms.items() for one in _claim_of(tx, owner, now, account_id, room)]
    return claims, {row.account_id: row.due_at for row in tx.execute(NEXT_DUE)}


def _claim_of(tx: Transaction, owner: str, now: int, account_id: str, room: int) -> list[Claim]:
    free = or_(job.c.lease_until.is_(None), job.c.lease_until < now)
    due = _JOINED.where(job.c.account_id == account_id, job.c.due_at <= now, free)
    query = due.order_by(job.c.due_at, job.c.seq).limit(room)
    rows = list(tx.execute(query.with_for_update(of=job, skip_locked=True)).fetchall())
    needed: dict[tuple[str, str, str, str], Any] = {}
    for row in rows:
        place = (row.account_id, row.device_id, row.thread_id, row.kind)
        earlier = needed.get(place)
        if needless(row, now):
            _delete(tx, row)
        elif earlier is not None:
            # One notification per thread: the newest says it all.
            _delete(tx, earlier if earlier.position <= row.position else row)
            needed[place] = row if earlier.position <= row.position else earlier
        else:
            needed[place] = row
    return [taken for row in needed.values() if (taken := _take(tx, row, owner, now)) is not None]


def needless(row: Any, now: int) -> str | None:
    """Return why a push is not sent, None if it is."""
    if row.provider is None or row.identity_id is None:
        return "device_gone"
    checks = (
        ("switched_off", not row.enabled),
        ("signed_out", row.revoked_at is not None),
        ("not_theirs", row.holder != row.owner_address),
        ("paused", row.updated_at < now - PAUSE_AFTER_MS),
        ("acknowledged", row.acked_seq >= row.seq),
        ("read", row.kind == "message" and row.contact_read >= row.position),
        ("recalled", row.recalled_at is not None),
        ("expired", row.expires_at <= now),
    )
    return next((reason for reason, holds in checks if holds), None)


def _take(tx: Transaction, row: Any, owner: str, now: int) -> Claim | None:
    unread = _unread(tx, row.identity_id)
    if row.kind == "read" and row.badge <= unread:
        _delete(tx, row)
        return None
    lease = {"owner": owner, "lease_until": now + LEASE_MS, "fence": row.fence + 1, "due_at": now + LEASE_MS}
    tx.execute(update(job).where(*_is(row)).values(lease))
    same = ("account_id", "device_id", "subject", "attempts", "kind", "thread_id", "position", "expires_at", "provider")
    known = (*same, "environment", "bundle_id", "locale", "content", "author_kind")
    return Claim(
        **{name: getattr(row, name) for name in known},
        fence=row.fence + 1,
        unread=unread,
        push_token=bytes(row.push_token),
        told_at=row.updated_at,
    )


def _unread(tx: Transaction, identity_id: str) -> int:
    """Return how many messages of ours somebody has not read, over all their threads."""
    query = (
        select(func.count())
        .select_from(message)
        .join(thread, thread.c.id == message.c.thread_id)
        .where(
            thread.c.identity_id == identity_id,
            message.c.position > thread.c.contact_read,
            message.c.direction == "out",
            message.c.recalled_at.is_(None),
        )
    )
    return int(tx.execute(query).scalar_one())


def _is(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(job.c, name) == getattr(row, name) for name in _KEY)


def _delete(tx: Transaction, row: Any) -> None:
    tx.execute(delete(job).where(*_is(row)))


# ---------------------------------------------------------------- what became of it


def finish(tx: Transaction, taken: Claim, *, badge: int | None = None, environment: str | None = None) -> None:
    """Delete a push that is done, and remember what its device was told."""
    if tx.execute(delete(job).where(*_is(taken), job.c.fence == taken.fence)).rowcount != 1:
        return
    values = {"badge": badge, "environment": environment}
    told = {name: value for name, value in values.items() if value is not None}
    if told:
        tx.execute(update(device).where(*_same_device(taken)).values(told))


def put_off(tx: Transaction, taken: Claim, due_at: int) -> None:
    """Try a push again later; after its life there is nothing to try."""
    if due_at >= taken.expires_at:
        finish(tx, taken)
        return
    values = {"due_at": due_at, "attempts": taken.attempts + 1, "owner": None, "lease_until": None}
    tx.execute(update(job).where(*_is(taken), job.c.fence == taken.fence).values(values))
    tx.wake("push")


def forget_device(tx: Transaction, taken: Claim) -> None:
    """Delete a device that its provider does not know, unless the app has handed over another token meanwhile."""
    finish(tx, taken)
    if tx.execute(delete(device).where(*_same_device(taken))).rowcount:
        waiting = (job.c.account_id == taken.account_id, job.c.device_id == taken.device_id)
        tx.execute(delete(job).where(*waiting))


def _same_device(taken: Claim) -> tuple[Any, ...]:
    mine = (device.c.account_id == taken.account_id, device.c.device_id == taken.device_id)
    return (*mine, device.c.updated_at == taken.told_at, device.c.provider == taken.provider)


def sweep(tx: Transaction, now: int) -> int:
    """Delete devices that were not heard of for 270 days; returns how many."""
    return tx.execute(delete(device).where(device.c.updated_at < now - DELETE_AFTER_MS)).rowcount
