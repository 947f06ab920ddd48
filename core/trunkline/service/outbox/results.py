"""Writing down what the platform said. Results that come together are written together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from sqlalchemy import bindparam, select, update

from trunkline.contract import Accepted, Idempotency
from trunkline.errors import PlatformAnswer, WindowClosed
from trunkline.model import Actor, ActorKind, Cost, DeliveryState, Reason, is_further, new_id
from trunkline.service.outbox.brakes import Brakes
from trunkline.service.outbox.pending import Claim
from trunkline.service.outbox.rulings import Result, Ruling, rule
from trunkline.service.receipts import LateAnswer, announce, announce_rows, late_failure
from trunkline.service.windows import correct, spend
from trunkline.store import Prepared, Rewrite, schema

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = ["Result", "record"]

_d = schema.delivery.c
_COLUMNS = tuple(str(column.name) for column in _d)
_Row: Any = msgspec.defstruct("_Row", [(name, Any) for name in _COLUMNS], frozen=True)
_FLAGS = ("after_uncertain", "maybe_duplicate")
_SET = ("state", "reason", "due_at", "owner", "lease_until", "updated_at", "key", "route", "cost", "sent_at")
_SETTLE = Rewrite(schema.delivery, (*_SET, *_FLAGS))
_m = schema.message.c
_NAME = Rewrite(schema.message, ("external_id", "quote_token"), where=_m.external_id.is_(None))
_RELEASE = Prepared(
    update(schema.reply_credential).where(schema.reply_credential.c.id == bindparam("credential")).values(used_by=None)
)
_early = schema.early_receipt.c
_FORGET = Prepared(schema.early_receipt.delete().where(_early.id == bindparam("receipt")))
_WAITING = Prepared(
    select(_d.id).where(
        _d.thread_id == bindparam("thread"),
        _d.state == "queued",
        _d.position >= bindparam("position"),
        _d.id != bindparam("delivery"),
    )
)
_WAIT = Prepared(
    update(schema.delivery)
    .where(_d.id == bindparam("delivery"))
    .values(state="held", reason=bindparam("reason"), updated_at=bindparam("now"))
)
_ATTEMPT = ("id", "delivery_id", "number", "started_at", "ended_at", "outcome", "route", "answer")
_AT_PLATFORM = ("account_id", "external_id", "delivery_id", "message_id", "quote_token")

_encode = msgspec.json.Encoder().encode
_ABOVE = _encode(Reason(code="waits_for_earlier", text="It waits for an earlier message.")).decode()


class _Early(msgspec.Struct, frozen=True):
    """A receipt that came before our own answer."""

    id: str
    state: DeliveryState
    answer: LateAnswer | None


#: (account, platform id) → receipts that came too early.
_EarlyOnes = dict[tuple[str, str], list[_Early]]


class _Gathered:
    """What a group of results changes, written at its end with a few statements."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        #: Message → its id and quote token at the platform.
        self.named: dict[str, tuple[str, str | None]] = {}
        self.at_platform: list[tuple[Any, ...]] = []
        self.released: list[dict[str, Any]] = []
        self.forgotten: list[dict[str, Any]] = []
        self.spent: list[tuple[str, str, int]] = []
        #: (thread, window, code, when) of windows that the platform calls closed or used up.
        self.corrected: list[tuple[str, str, str, int]] = []


def record(tx: Transaction, results: list[Result]) -> list[bool]:
    """Store how attempts ended; False for those whose lease was lost meanwhile, which change nothing."""
    requests, results = results, [share for result in results for share in _shares(result)]
    rows = _read(tx, results)
    tx.insert(schema.attempt, [_attempt(result) for result in results], _ATTEMPT)
    ours = [result for result in results if _is_ours(result, rows)]
    early, gathered = _early_ones(tx, ours), _Gathered()
    brakes = Brakes(tx, {result.claim.account_id for result in ours})
    for result in ours:
        _apply(result, rows[result.claim.message.delivery_id], early, gathered, brakes)
    _write(tx, gathered)
    brakes.save()
    for result in ours:
        row = gathered.rows[result.claim.message.delivery_id]
        announce_rows(tx, [row], result.ended_at, actor=Actor(ActorKind.CONNECTOR, row.account_id))
        _hold_followers(tx, row, result.ended_at)
    if ours:
        tx.wake("outbox")
    return [_is_ours(request, rows) for request in requests]


def _shares(result: Result) -> Iterator[Result]:
    """Yield what one attempt is for each delivery that went in it. What the request cost, the first one did."""
    claim, accepted = result.claim, result.accepted
    if not claim.riders:
        yield result
        return
    places = [0, *accumulate(one.parts for one in claim.all)]
    fits = accepted is not None and len(accepted.parts) == places[-1]
    for number, (one, (start, end)) in enumerate(zip(claim.all, pairwise(places), strict=True)):
        share = accepted
        if accepted is not None:
            parts = accepted.parts[start:end] if fits else () if number else accepted.parts
            share = msgspec.structs.replace(accepted, parts=parts, cost=Cost.FREE if number else accepted.cost)
        yield msgspec.structs.replace(result, claim=one, accepted=share, together=len(claim.all), leads=number == 0)


def _read(tx: Transaction, results: list[Result]) -> dict[str, Any]:
    ids = {(result.claim.message.delivery_id,) for result in results}
    return {row[0]: _Row(*row) for row in tx.select(schema.delivery, (_d.id,), ids, _COLUMNS)}


def _is_ours(result: Result, rows: dict[str, Any]) -> bool:
    row = rows.get(result.claim.message.delivery_id)
    return row is not None and row.fence == result.claim.fence


def _attempt(result: Result) -> tuple[Any, ...]:
    claim, answer = result.claim, result.error.answer if result.error else None
    route = result.accepted.route if result.accepted else None
    if result.accepted is not None and result.accepted.evidence:
        answer = PlatformAnswer(request_id=result.accepted.evidence)
    return (
        new_id(),
        claim.message.delivery_id,
        claim.attempts,
        result.started_at,
        result.ended_at,
        "accepted" if result.error is None else result.error.code,
        route,
        None if answer is None else _encode(answer).decode(),
    )


def _early_ones(tx: Transaction, results: list[Result]) -> _EarlyOnes:
    """Return the receipts that came before these answers."""
    keys = {
        (result.claim.account_id, part.external_id)
        for result in results
        for part in (result.accepted.parts if result.accepted else ())
        if part.external_id
    }
    found: _EarlyOnes = {}
    columns, key = ("account_id", "external_id", "id", "state", "answer"), (_early.account_id, _early.external_id)
    for account_id, external_id, receipt_id, state, answer in tx.select(schema.early_receipt, key, keys, columns):
        said = None if answer is None else msgspec.json.decode(answer, type=LateAnswer)
        found.setdefault((account_id, external_id), []).append(_Early(receipt_id, DeliveryState(state), said))
    return found


def _apply(result: Result, row: Any, early: _EarlyOnes, gathered: _Gathered, brakes: Brakes) -> None:
    claim, now = result.claim, result.ended_at
    if result.accepted is not None:
        gathered.rows[row.id] = _accepted(result, result.accepted, row, early, gathered)
        if result.leads:
            brakes.heal(claim.account_id, now)
        return
    assert result.error is not None  # noqa: S101 - a result is one or the other
    ruling = rule(result, result.error)
    gathered.rows[row.id] = changed = _refused(result, ruling, row)
    if isinstance(result.error, WindowClosed) and claim.window is not None:
        gathered.corrected.append((claim.thread_id, claim.window, result.error.code, now))
    if claim.credential_id is not None and not changed.after_uncertain:
        gathered.released.append({"credential": claim.credential_id})
    if result.leads:
        brakes.trip(claim.account_id, ruling, now)


def _accepted(result: Result, accepted: Accepted, row: Any, early: _EarlyOnes, gathered: _Gathered) -> Any:
    claim, now = result.claim, result.ended_at
    _note_ids(claim, accepted, gathered)
    if claim.credential_id is not None and not accepted.credential_used:
        gathered.released.append({"credential": claim.credential_id})
    if claim.window is not None:
        gathered.spent.append((claim.thread_id, claim.window, claim.parts))
    # A receipt or an echo may have told already; then the state is further than ours, and stays.
    state, reason = (DeliveryState.SENT, None) if row.state == "sending" else (DeliveryState(row.state), row.reason)
    for part in accepted.parts:
        for receipt in early.get((claim.account_id, part.external_id), ()):
            gathered.forgotten.append({"receipt": receipt.id})
            if is_further(receipt.state, state):
                state, reason = receipt.state, late_failure(receipt.state, receipt.answer)
            if receipt.answer is not None and receipt.answer.window_code is not None and claim.window is not None:
                gathered.corrected.append((claim.thread_id, claim.window, receipt.answer.window_code, now))
    return msgspec.structs.replace(
        row,
        state=state.value,
        reason=reason,
        owner=None,
        lease_until=None,
        route=accepted.route,
        cost=accepted.cost.value,
        maybe_duplicate=bool(row.maybe_duplicate) or (bool(row.after_uncertain) and not _is_safe(result, accepted)),
        updated_at=now,
        sent_at=row.sent_at or now,
    )


def _note_ids(claim: Claim, accepted: Accepted, gathered: _Gathered) -> None:
    """Keep the platform's ids: receipts, quotes and echoes refer to them. A message answers to its first one."""
    parts = [part for part in accepted.parts if part.external_id]
    delivery_id = claim.message.delivery_id
    for part in parts:
        row = (claim.account_id, part.external_id, delivery_id, claim.message_id, part.quote_token)
        gathered.at_platform.append(row)
        gathered.named.setdefault(claim.message_id, (part.external_id, part.quote_token))


def _is_safe(result: Result, accepted: Accepted) -> bool:
    """Whether a repeated send cannot have shown twice: a key protected it, or its credential works once only."""
    return result.idempotency is Idempotency.KEY or (accepted.credential_used and not accepted.verified)


def _refused(result: Result, ruling: Ruling, row: Any) -> Any:
    now, state, due_at = result.ended_at, ruling.state, ruling.due_at
    # A repeat without an answer: both may have arrived, whatever the platform shows later.
    twice = ruling.is_unknown and bool(row.after_uncertain) and result.idempotency is not Idempotency.KEY
    row = msgspec.structs.replace(row, maybe_duplicate=bool(row.maybe_duplicate) or twice)
    if row.state != "sending":  # the platform has shown meanwhile that it has it
        return msgspec.structs.replace(row, owner=None, lease_until=None, updated_at=now)
    unknown = ruling.is_unknown or bool(row.after_uncertain)
    if due_at is not None and due_at >= row.expires_at:
        state, due_at = (state, row.expires_at) if unknown else ("expired", None)
    if ruling.leaves_request:
        row = msgspec.structs.replace(row, key=str(uuid4()))
    reason = Reason(
        code=ruling.code,
        text=ruling.text,
        whose=ruling.whose,
        answer=result.error.answer if result.error else None,
    )
    return msgspec.structs.replace(
        row,
        state=state,
        reason=_encode(reason).decode(),
        due_at=row.due_at if due_at is None else due_at,
        owner=None,
        lease_until=None,
        after_uncertain=unknown,
        updated_at=now,
    )


def _write(tx: Transaction, gathered: _Gathered) -> None:
    tx.rewrite(_SETTLE, [_settled(row) for row in gathered.rows.values()])
    tx.insert_new(schema.delivery_id_at_platform, gathered.at_platform, _AT_PLATFORM, ("external_id",))
    tx.rewrite(_NAME, [(message_id, *name) for message_id, name in gathered.named.items()])
    tx.run_many(_RELEASE, gathered.released)
    tx.run_many(_FORGET, gathered.forgotten)
    for thread_id, window, count in gathered.spent:
        spend(tx, thread_id, window, count)
    for thread_id, window, code, now in gathered.corrected:
        correct(tx, thread_id, window, code, now)


def _settled(row: Any) -> tuple[Any, ...]:
    """Return the id and the values of `_SETTLE`."""
    return (row.id, *(getattr(row, name) for name in _SET), *(bool(getattr(row, name)) for name in _FLAGS))


def _hold_followers(tx: Transaction, row: Any, now: int) -> None:
    """Show that later replies of the thread wait for this one."""
    if row.state not in {"retrying", "uncertain", "held"}:
        return
    found = tx.run(_WAITING, {"thread": row.thread_id, "position": row.position, "delivery": row.id})
    tx.run_many(_WAIT, [{"delivery": delivery_id, "reason": _ABOVE, "now": now} for (delivery_id,) in found])
    for (delivery_id,) in found:
        announce(tx, delivery_id, now, actor=Actor(ActorKind.SYSTEM))
