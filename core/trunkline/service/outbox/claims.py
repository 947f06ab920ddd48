"""Taking deliveries to work on: under a lease, oldest first, never two requests of one thread at once.

One claim looks at every account that has something on its way and room for it. What is found is read in one statement
per account and taken with one for all, so that the cost of a message hardly depends on how many go together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, exists, func, literal_column, or_, select, tuple_, update

from trunkline.contract import Afterwards, ReplyCredential
from trunkline.model import AuthorKind, Cost, Reason, Template
from trunkline.service.aliases import known_aliases
from trunkline.service.outbox.batches import merged, riders_of
from trunkline.service.outbox.pending import IS_ACTIVE, READ, WORDS, Claim, Row, change, claim_of, contents, is_unknown
from trunkline.service.outbox.schedule import HOLD_MS, PROBE_EVERY_MS
from trunkline.service.windows import REFUSALS, judge, read_windows
from trunkline.store import Prepared, Rewrite, schema

if TYPE_CHECKING:
    from trunkline.contract import Window
    from trunkline.store import Transaction

__all__ = ["IS_ACTIVE", "LEASE_MS", "AccountPlan", "Claim", "Taken", "claim"]

#: How long a claimed delivery belongs to its worker.
LEASE_MS = 60_000
#: Deliveries taken in one transaction at most.
PAGE = 200

_d = schema.delivery.c
_earlier = schema.delivery.alias("earlier")


class AccountPlan(msgspec.Struct, frozen=True):
    """How much one account may take now, and what its channel needs at claim time."""

    room: int
    windows: tuple[Window, ...] = ()
    #: True when events of the channel carry reply credentials.
    credentials: bool = False
    #: True when sending without a credential costs quota.
    quota: bool = False
    #: Threads whose customer gets nothing more for now: until when.
    held: Mapping[str, int] = {}
    #: Parts that one request carries; 1 where deliveries are not put together.
    batch: int = 1


class Taken(msgspec.Struct):
    """What one claim found."""

    claims: list[Claim] = []
    #: When to look again, ms since the epoch; None to wait for a wake-up.
    due_at: int | None = None
    #: Deliveries among them, riders included: none is taken twice.
    ids: set[str] = set()

    def look_at(self, due_at: int | None) -> None:
        """Look again at this time at the latest."""
        if due_at is not None and (self.due_at is None or due_at < self.due_at):
            self.due_at = due_at


class _Brake(msgspec.Struct, frozen=True):
    """Why an account's sending waits."""

    state: str = "closed"
    blocked_until: int | None = None
    quota_blocked_until: int | None = None


_IN_ORDER = ~exists().where(
    _earlier.c.thread_id == _d.thread_id,
    _earlier.c.state.in_(WORDS),
    tuple_(_earlier.c.position, _earlier.c.part) < tuple_(_d.position, _d.part),
)
_FREE = or_(_d.state != "sending", func.coalesce(_d.lease_until, 0) < bindparam("now"))
_DUE = Prepared(
    READ.where(_d.account_id == bindparam("account"), IS_ACTIVE, _d.due_at <= bindparam("now"), _FREE, _IN_ORDER)
    .order_by(_d.due_at)
    .limit(bindparam("room"))
    .with_for_update(skip_locked=True, of=schema.delivery)
)
_NEXT = Prepared(
    select(_d.due_at)
    .where(_d.account_id == bindparam("account"), IS_ACTIVE, _d.due_at > bindparam("now"))
    .order_by(_d.due_at)
    .limit(1)
)
_ONE: Any = literal_column("1")
_TAKEN = (
    *("key", "credential_id", "after_uncertain"),
    *("state", "reason", "owner", "lease_until", "due_at", "updated_at"),
)
_TAKE = Rewrite(schema.delivery, _TAKEN, also={"fence": _d.fence + _ONE, "attempts": _d.attempts + _ONE})
_DELAY = Prepared(update(schema.delivery).where(_d.id == bindparam("delivery")).values(due_at=bindparam("due")))
_credential = schema.reply_credential.c
_CREDENTIAL = (
    select(_credential.id, _credential.value, _credential.expires_at, _credential.single_use, _credential.cost)
    .order_by(_credential.expires_at.desc())
    .limit(1)
)
_OWN = Prepared(_CREDENTIAL.where(_credential.id == bindparam("credential")))
_NEWEST = Prepared(
    _CREDENTIAL.where(
        _credential.thread_id == bindparam("thread"),
        _credential.used_by.is_(None),
        _credential.expires_at > bindparam("now"),
    )
)
_USE = Prepared(
    update(schema.reply_credential)
    .where(_credential.id == bindparam("credential"))
    .values(used_by=bindparam("delivery"))
)
_b = schema.breaker.c
_BRAKES = Prepared(select(_b.account_id, _b.state, _b.blocked_until, _b.quota_blocked_until))
_PROBE = Prepared(
    update(schema.breaker)
    .where(
        _b.account_id == bindparam("account"),
        _b.state == "open",
        func.coalesce(_b.blocked_until, 0) <= bindparam("now"),
    )
    .values(blocked_until=bindparam("until"))
    .returning(_b.account_id)
)


def _walk() -> Prepared:
    """Return the accounts with something on its way, each found with one step through the index."""
    first = select(_d.account_id).where(IS_ACTIVE).order_by(_d.account_id).limit(1).scalar_subquery()
    accounts = select(first.label("id")).cte("accounts", recursive=True)
    following = select(_d.account_id).where(IS_ACTIVE, _d.account_id > accounts.c.id).order_by(_d.account_id).limit(1)
    step = select(following.correlate(accounts).scalar_subquery()).where(accounts.c.id.is_not(None))
    walked = accounts.union_all(step)
    return Prepared(select(walked.c.id).where(walked.c.id.is_not(None)))


_BUSY = _walk()


def claim(tx: Transaction, plans: Mapping[str, AccountPlan], worker: str, now: int) -> Taken:
    """Take what is due of every account with room; `plans` in the order in which they shall be served."""
    taken, takes, until = Taken(), list[tuple[Any, ...]](), now + LEASE_MS
    busy = {account_id for (account_id,) in tx.run(_BUSY)}
    brakes = {account_id: _Brake(*rest) for account_id, *rest in tx.run(_BRAKES)} if busy else {}
    for account_id, plan in plans.items():
        if account_id not in busy:
            continue
        if len(taken.claims) >= PAGE:
            taken.look_at(now)
            break
        for one in _claim_of(tx, account_id, plan, brakes.get(account_id, _Brake()), now, taken):
            taken.claims.append(one)
            takes.extend((*_taking(one, each), "sending", None, worker, until, until, now) for each in one.all)
    tx.rewrite(_TAKE, takes)
    return taken


def _claim_of(  # noqa: PLR0917 - one call site, above
    tx: Transaction, account_id: str, plan: AccountPlan, brake: _Brake, now: int, taken: Taken
) -> Iterator[Claim]:
    """Take what is due of one account and note when to look again."""
    if brake.blocked_until is not None and brake.blocked_until > now:
        taken.look_at(brake.blocked_until)
        return
    room = min(plan.room, PAGE - len(taken.claims), 1 if brake.state == "open" else PAGE)
    rows = [Row(*row) for row in tx.run(_DUE, {"account": account_id, "now": now, "room": room})]
    if rows and brake.state == "open" and not tx.run(_PROBE, _probe(account_id, now)):
        return
    quota_blocked = brake.quota_blocked_until is not None and brake.quota_blocked_until > now
    count = 0
    for row in _not_held(tx, rows, plan, taken):
        found = None if row.id in taken.ids else _take(tx, row, plan, now, taken, quota_blocked=quota_blocked)
        if found is not None:
            count += 1
            taken.ids.update(one.message.delivery_id for one in found.all)
            yield found
    if count < len(rows) and brake.state != "open":
        taken.look_at(now)  # some of them ended or had to wait: others may take their place
    if len(rows) < room:  # else those under way wake us when they end
        for (due_at,) in tx.run(_NEXT, {"account": account_id, "now": now}):
            taken.look_at(due_at)


def _taking(one: Claim, each: Claim) -> tuple[Any, ...]:
    """Return the id and the first values of `_TAKE`.

    What goes in one request has one key and one credential, in this attempt and in all that follow.
    """
    return each.message.delivery_id, one.message.key, one.credential_id, each.message.after_uncertain


def _not_held(tx: Transaction, rows: list[Any], plan: AccountPlan, taken: Taken) -> Iterator[Any]:
    """Put off what goes to recipients who get nothing more for now, and yield the rest."""
    for row in rows:
        until = plan.held.get(row.thread_id)
        if until is None:
            yield row
        else:
            tx.run(_DELAY, {"delivery": row.id, "due": until})
            taken.look_at(until)


def _probe(account_id: str, now: int) -> dict[str, Any]:
    """An open breaker lets one message through every so often, whichever process asks first."""
    return {"account": account_id, "now": now, "until": now + PROBE_EVERY_MS}


def _take(tx: Transaction, row: Any, plan: AccountPlan, now: int, taken: Taken, *, quota_blocked: bool) -> Claim | None:
    if not _is_good(tx, row, plan, now):
        return None
    credential = _credential_of(tx, row, now) if plan.credentials else None
    if plan.quota and quota_blocked and credential is None:
        _hold(tx, row, now)
        return None
    credential_id, value = credential or (None, None)
    if credential_id is not None:
        tx.run(_USE, {"credential": credential_id, "delivery": row.id})
    aliases = known_aliases(tx, row.same_as, row.external_id) if row.same_as else ()
    one = claim_of(row, credential_id, value, aliases)
    if plan.batch == 1 or not row.has_later:
        return one
    found = riders_of(tx, row, min(plan.batch, _budget(tx, row, plan)))
    riders = takewhile(lambda rider: rider.id not in taken.ids, found)
    return merged(one, [claim_of(rider, None, None, ()) for rider in riders if _is_good(tx, rider, plan, now)])


def _is_good(tx: Transaction, row: Any, plan: AccountPlan, now: int) -> bool:
    """Whether this may still be sent; what may not has ended now."""
    if row.expires_at <= now:
        _end(tx, row, _TOO_OLD_UNKNOWN if is_unknown(row) else _TOO_OLD, now)
        return False
    return _allowed(tx, row, plan, now)


def _budget(tx: Transaction, row: Any, plan: AccountPlan) -> int:
    """Return how many parts the window of a delivery still takes."""
    if row.window is None or all(window.budget is None for window in plan.windows):
        return plan.batch
    _, remaining = read_windows(tx, row.thread_id).get(row.window, (0, 0))
    return plan.batch if remaining is None else remaining


_TOO_OLD = Reason(code="too_old", text="It could not be sent in time.", whose="platform")
_TOO_OLD_UNKNOWN = Reason(
    code="outcome_unknown",
    text="The platform gave no answer in time: it may or may not have arrived.",
    whose="platform",
)


def _allowed(tx: Transaction, row: Any, plan: AccountPlan, now: int) -> bool:
    """Judge the window once more: it may have closed since the reply was written."""
    if not plan.windows:
        return True
    author = AuthorKind(msgspec.json.decode(row.author)["kind"])
    verdict = judge(plan.windows, read_windows(tx, row.thread_id), author, now)
    if verdict.allowed or (verdict.afterwards is Afterwards.TEMPLATE and _is_template(row)):
        return True
    code = verdict.code or "window_closed"
    _end(tx, row, Reason(code=code, text=REFUSALS[code], whose="platform"), now)
    return False


def _is_template(row: Any) -> bool:
    """Whether all of it was approved by the platform beforehand."""
    return all(isinstance(part, Template) for part in contents.decode(row.plan))


def _credential_of(tx: Transaction, row: Any, now: int) -> tuple[str, ReplyCredential] | None:
    """Return the newest credential that is still good.

    After an attempt without an answer only the one of that attempt counts, good or not: with another one, or with one
    where there was none, the platform would take a repeated message for a new one.
    """
    if is_unknown(row):
        found = tx.run(_OWN, {"credential": row.credential_id}) if row.credential_id else []
    else:
        found = tx.run(_NEWEST, {"thread": row.thread_id, "now": now})
    if not found:
        return None
    credential_id, value, expires_at, single_use, cost = found[0]
    return credential_id, ReplyCredential(
        value=value, expires_at_ms=expires_at, single_use=bool(single_use), cost=Cost(cost)
    )


def _hold(tx: Transaction, row: Any, now: int) -> None:
    """Keep back what would cost quota while there is none; looked at again soon, for a credential may come."""
    words = "The account's message quota is used up; it is sent when the platform allows it again."
    change(tx, row, {"state": "held", "due_at": now + HOLD_MS}, Reason(code="quota", text=words, whose="account"), now)


def _end(tx: Transaction, row: Any, reason: Reason, now: int) -> None:
    change(tx, row, {"state": "expired"}, reason, now)
