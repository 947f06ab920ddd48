"""What an operator does about dead letters: try one or all that match again, let one be, delete one.

Every act is one transaction that looks at the letter again, so of two operators the second is told that it is gone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from trunkline.clock import monotonic
from trunkline.errors import TrunklineError
from trunkline.model import Reason
from trunkline.service import quarantine
from trunkline.service.dead_letters import (
    DEAD,
    Kind,
    NotDead,
    Wanted,
    count_letters,
    line_of,
    newest_letter,
    next_letters,
    sent_row,
)
from trunkline.service.payload_masks import masked
from trunkline.service.receipts import announce
from trunkline.service.refusals import ReplyRefused
from trunkline.service.replies import judge_again, retry_message
from trunkline.service.restoring import compare
from trunkline.service.windows import REFUSALS
from trunkline.store import schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trunkline.model import Actor
    from trunkline.service.house import House
    from trunkline.store import Transaction

    Work = Callable[[Transaction], Any]
    Commit = Callable[[Work], Awaitable[Any]]

__all__ = ["MayNotGo", "Sweep", "delete_letter", "note_export", "retry_letter", "skip_letter", "sweep"]

_r, _d, _a = schema.raw_request.c, schema.delivery.c, schema.attempt.c
#: Words about failures that one answer carries.
_MOST_FAILURES = 20
#: After a batch the others have the house for as long as it took, and for this many seconds at most.
_LONGEST_REST_S = 2.0

_encode = msgspec.json.Encoder().encode


class MayNotGo(TrunklineError):
    """The reply may not go out now either."""


class Failure(msgspec.Struct, frozen=True):
    """A letter that is as dead as before, and why."""

    id: str
    words: str


class Sweep(msgspec.Struct, kw_only=True):
    """What one batch of all that match came to; of a dry run, what it would."""

    #: How many matched from here on, those of this batch among them.
    matching: int
    tried: int = 0
    done: int = 0
    failed: int = 0
    failures: list[Failure] = []
    #: The newest letter that counts: what dies later is left alone.
    upto: str | None = None
    #: Where the next batch begins, None when this one was the last.
    after: str | None = None


# ---------------------------------------------------------------- one


async def retry_letter(house: House, letter_id: str, actor: Actor, *, commit: Commit | None = None) -> Any:
    """Read a request again, or send a reply again; returns the letter's line as it is then.

    Raises:
        NotDead: it is not (or no longer) one.
        TrunklineError: it did not work; the message says why.
    """
    try:
        return await _try(house, letter_id, actor, commit or house.store.writer.write)
    except NotDead:
        raise
    except TrunklineError:
        payload = {"quarantine_id": letter_id, "tried": 1, "done": 0, "failed": 1}
        await _append(house, "dead_letters_tried", payload, actor)
        raise


async def _try(house: House, letter_id: str, actor: Actor, commit: Commit) -> Any:
    if not await _is_received(house, letter_id):
        return await commit(lambda tx: _send_again(tx, house, letter_id, actor))
    return await quarantine.retry(house, letter_id, actor, commit=commit)


async def _is_received(house: House, letter_id: str) -> bool:
    async with house.store.read() as connection:
        return (await connection.execute(select(_r.id).where(_r.id == letter_id))).one_or_none() is not None


def _send_again(tx: Transaction, house: House, letter_id: str, actor: Actor) -> dict[str, Any]:
    """Give all parts of the reply that did not arrive to the outbox again."""
    row, now = _take_sent(tx, letter_id), house.clock.now_ms()
    retry_message(tx, house, row.message_id, actor=actor, now=now)
    changed = tx.execute(sent_row(letter_id)).one()
    if changed.state in DEAD:
        raise MayNotGo(msgspec.json.decode(changed.reason)["text"])
    return line_of(changed)


def skip_letter(tx: Transaction, letter_id: str, reason: str, *, actor: Actor, now: int) -> dict[str, Any]:
    """Let a letter be, with a reason; what is stored of it stays. Returns its line as it is then.

    Raises:
        NotDead: it is not (or no longer) one.
    """
    return _settle(tx, letter_id, "skipped", reason, actor=actor, now=now)


def delete_letter(tx: Transaction, letter_id: str, reason: str, *, actor: Actor, now: int) -> dict[str, Any]:
    """Delete what a letter holds; its row, an event and the keys by which a repeat is known stay.

    Raises:
        NotDead: it is not (or no longer) one.
    """
    return _settle(tx, letter_id, "deleted", reason, actor=actor, now=now)


def _settle(tx: Transaction, letter_id: str, state: str, reason: str, *, actor: Actor, now: int) -> dict[str, Any]:
    if tx.execute(select(_r.id).where(_r.id == letter_id)).one_or_none() is None:
        return _cancel(tx, _take_sent(tx, letter_id), Reason(code=state, text=reason), actor=actor, now=now)
    return quarantine.close(tx, quarantine.take(tx, letter_id), state, reason, actor=actor, now=now)


def _cancel(tx: Transaction, row: Any, reason: Reason, *, actor: Actor, now: int) -> dict[str, Any]:
    """Take a reply back for good. What was said stays in its thread; deleting takes what would have been sent."""
    values: dict[str, Any] = {"state": "cancelled", "reason": _encode(reason).decode(), "updated_at": now}
    if reason.code == "deleted":
        values |= {"plan": "[]", "quick_replies": None, "quote": None}
        _forget_words(tx, row.id)
    tx.execute(schema.delivery.update().where(_d.id == row.id).values(values))
    announce(tx, row.id, now, actor=actor)
    return line_of(tx.execute(sent_row(row.id)).one())


def _forget_words(tx: Transaction, delivery_id: str) -> None:
    """Keep the codes of what the platform answered, not its words: they may repeat what was written."""
    for attempt in tx.execute(select(_a.id, _a.answer).where(_a.delivery_id == delivery_id)).all():
        if attempt.answer is not None:
            answer = _encode(msgspec.json.decode(attempt.answer) | {"text": None}).decode()
            tx.execute(schema.attempt.update().where(_a.id == attempt.id).values(answer=answer))


def _take_sent(tx: Transaction, letter_id: str) -> Any:
    row = tx.execute(sent_row(letter_id).where(_d.state.in_(DEAD)).with_for_update()).one_or_none()
    if row is None:
        raise NotDead(letter_id)
    return row


def note_export(tx: Transaction, wanted: Wanted, count: int, *, actor: Actor, now: int) -> None:
    """Write down who took what out."""
    tx.append("dead_letters_exported", actor=actor, at=now, payload={"filter": _told(wanted), "count": count})


# ---------------------------------------------------------------- all that match


async def sweep(
    house: House,
    wanted: Wanted,
    actor: Actor,
    *,
    dry_run: bool,
    upto: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Sweep:
    """Try a batch of all that match again, oldest first, each in a write of its own; or only tell what that would do.

    `upto` and `after` are those of the batch before.
    """
    upto = upto or await house.store.ask(lambda database: newest_letter(database, wanted))
    if upto is None:
        return Sweep(matching=0)
    start, end = after or "", upto
    found = Sweep(
        matching=await house.store.ask(lambda database: count_letters(database, wanted, start, end)), upto=upto
    )
    batch = await house.store.ask(lambda database: next_letters(database, wanted, start, end, limit))
    began = monotonic()
    for letter_id, kind in batch:
        await _one(house, (letter_id, kind), actor, found, dry_run=dry_run)
    found.after = batch[-1][0] if found.matching > len(batch) else None
    if batch and not dry_run:
        payload = {"filter": _told(wanted), "tried": found.tried, "done": found.done, "failed": found.failed}
        await _append(house, "dead_letters_tried", payload, actor)
    if found.after is not None:
        # Here and not with who asks: so everybody who walks through thousands leaves the house room.
        await asyncio.sleep(min(monotonic() - began, _LONGEST_REST_S))
    return found


async def _one(house: House, letter: tuple[str, Kind], actor: Actor, found: Sweep, *, dry_run: bool) -> None:
    letter_id, kind = letter
    try:
        if dry_run:
            await _rehearse(house, letter_id, kind)
        else:
            await _try(house, letter_id, actor, house.store.writer.write)
    except ReplyRefused as error:
        # Another part of the same reply has taken it along, or it was retried by somebody else.
        _count(found, letter_id, None if error.code == "already_trying" else error)
    except NotDead:
        return
    except TrunklineError as error:
        _count(found, letter_id, error)
    else:
        _count(found, letter_id, None)


def _count(found: Sweep, letter_id: str, error: Exception | None) -> None:
    found.tried += 1
    found.done += error is None
    if error is not None:
        found.failed += 1
        if len(found.failures) < _MOST_FAILURES:
            found.failures.append(Failure(letter_id, masked(str(error))))


async def _rehearse(house: House, letter_id: str, kind: Kind) -> None:
    """Find out whether a letter would heal, changing nothing.

    Raises:
        TrunklineError: it would not; the message says why.
    """
    if kind == "sent":
        await house.store.writer.write(lambda tx: _may_go(tx, house, letter_id))
        return
    async with house.store.read() as connection:
        row = (await connection.execute(select(schema.raw_request).where(_r.id == letter_id))).one_or_none()
    if row is None or row.state != "quarantined":
        raise NotDead(letter_id)
    try:
        arrival = quarantine.understood(house, row)
        await house.store.writer.write(lambda tx: compare(tx, arrival))
    except TrunklineError:
        raise
    except Exception as error:
        # A plugin's own code reads the request: whatever it raises is this letter's reason, and the others go on.
        raise TrunklineError(f"{type(error).__name__}: {error}") from error


def _may_go(tx: Transaction, house: House, letter_id: str) -> None:
    row = _take_sent(tx, letter_id)
    thread = tx.execute(select(schema.thread).where(schema.thread.c.id == row.thread_id)).one()
    verdict = judge_again(tx, house, thread, row, house.clock.now_ms())
    if not verdict.allowed:
        raise MayNotGo(REFUSALS.get(verdict.code or "", "It may not go out now."))


async def _append(house: House, kind: str, payload: dict[str, Any], actor: Actor) -> None:
    now = house.clock.now_ms()
    await house.store.writer.write(lambda tx: tx.append(kind, actor=actor, at=now, payload=payload))


def _told(wanted: Wanted) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(wanted)
    if wanted.accounts is not None:
        told["accounts"] = sorted(wanted.accounts)
    return {name: value for name, value in told.items() if value is not None}
