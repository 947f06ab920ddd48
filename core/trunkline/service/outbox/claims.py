"""Taking deliveries to work on: under a lease, oldest first, never two of one thread at once.

One claim looks at every account that has something on its way and room for it. What is found is read in one statement
per account and taken with one for all, so that the cost of a message hardly depends on how many go together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, exists, func, literal_column, or_, select, tuple_, update

from trunkline.contract import Afterwards, OutboundMessage, Quote, ReplyCredential
from trunkline.model import (
    Actor,
    ActorKind,
    Address,
    AddressKind,
    Author,
    AuthorKind,
    Content,
    Cost,
    QuickReply,
    Reason,
    Template,
)
from trunkline.service.aliases import known_aliases
from trunkline.service.outbox.schedule import HOLD_MS, PROBE_EVERY_MS
from trunkline.service.receipts import ACTIVE, announce
from trunkline.service.windows import REFUSALS, judge, read_windows
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.contract import Window
    from trunkline.store import Transaction

__all__ = ["IS_ACTIVE", "LEASE_MS", "AccountPlan", "Claim", "Taken", "claim"]

#: How long a claimed delivery belongs to its worker.
LEASE_MS = 60_000
#: Deliveries taken in one transaction at most.
PAGE = 200

_d = schema.delivery.c
#: Written as constants: only then does SQLite use the partial indexes over what is on its way.
_WORDS: list[Any] = [literal_column(f"'{state}'") for state in ACTIVE]
IS_ACTIVE = _d.state.in_(_WORDS)
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


class Claim(msgspec.Struct, frozen=True):
    """One delivery with its lease."""

    message: OutboundMessage
    account_id: str
    thread_id: str
    message_id: str
    fence: int
    attempts: int
    created_at: int
    expires_at: int
    credential_id: str | None
    window: str | None
    parts: int


class Taken(msgspec.Struct):
    """What one claim found."""

    claims: list[Claim] = []
    #: When to look again, ms since the epoch; None to wait for a wake-up.
    due_at: int | None = None

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
    _earlier.c.state.in_(_WORDS),
    tuple_(_earlier.c.position, _earlier.c.part) < tuple_(_d.position, _d.part),
)
_FREE = or_(_d.state != "sending", func.coalesce(_d.lease_until, 0) < bindparam("now"))
_READ = (
    select(
        schema.delivery,
        schema.thread.c.key.label("thread_key"),
        schema.thread.c.last_inbound_at,
        schema.identity.c.external_id,
        schema.identity.c.kind,
        schema.identity.c.name.label("identity_name"),
        schema.identity.c.same_as,
    )
    .join(schema.thread, schema.thread.c.id == _d.thread_id)
    .join(schema.identity, schema.identity.c.id == schema.thread.c.identity_id)
)
_DUE = Prepared(
    _READ.where(_d.account_id == bindparam("account"), IS_ACTIVE, _d.due_at <= bindparam("now"), _FREE, _IN_ORDER)
    .order_by(_d.due_at)
    .limit(bindparam("room"))
    .with_for_update(skip_locked=True, of=schema.delivery)
)
_NAMES = (*(str(column.name) for column in schema.delivery.c), "thread_key", "last_inbound_at", "external_id", "kind")
_Row: Any = msgspec.defstruct("_Row", [(name, Any) for name in (*_NAMES, "identity_name", "same_as")], frozen=True)
_NEXT = Prepared(
    select(_d.due_at)
    .where(_d.account_id == bindparam("account"), IS_ACTIVE, _d.due_at > bindparam("now"))
    .order_by(_d.due_at)
    .limit(1)
)
_TAKE = Prepared(
    update(schema.delivery)
    .where(_d.id == bindparam("delivery"))
    .values(
        state="sending",
        owner=bindparam("worker"),
        lease_until=bindparam("until"),
        fence=_d.fence + 1,
        attempts=_d.attempts + 1,
        after_uncertain=bindparam("unknown"),
        credential_id=bindparam("credential"),
        reason=None,
        due_at=bindparam("until"),
        updated_at=bindparam("now"),
    )
)
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
    taken, takes = Taken(), list[dict[str, Any]]()
    busy = {account_id for (account_id,) in tx.run(_BUSY)}
    brakes = {account_id: _Brake(*rest) for account_id, *rest in tx.run(_BRAKES)} if busy else {}
    for account_id, plan in plans.items():
        if account_id not in busy:
            continue
        if len(taken.claims) >= PAGE:
            taken.look_at(now)
            break
        for one, values in _claim_of(tx, account_id, plan, brakes.get(account_id, _Brake()), now, taken):
            taken.claims.append(one)
            takes.append({**values, "worker": worker, "until": now + LEASE_MS, "now": now})
    tx.run_many(_TAKE, takes)
    return taken


def _claim_of(  # noqa: PLR0917 - one call site, above
    tx: Transaction, account_id: str, plan: AccountPlan, brake: _Brake, now: int, taken: Taken
) -> Iterator[tuple[Claim, dict[str, Any]]]:
    """Take what is due of one account and note when to look again."""
    if brake.blocked_until is not None and brake.blocked_until > now:
        taken.look_at(brake.blocked_until)
        return
    room = min(plan.room, PAGE - len(taken.claims), 1 if brake.state == "open" else PAGE)
    rows = [_Row(*row) for row in tx.run(_DUE, {"account": account_id, "now": now, "room": room})]
    if rows and brake.state == "open" and not tx.run(_PROBE, _probe(account_id, now)):
        return
    quota_blocked = brake.quota_blocked_until is not None and brake.quota_blocked_until > now
    count = 0
    for row in _not_held(tx, rows, plan, taken):
        found = _take(tx, row, plan, now, quota_blocked=quota_blocked)
        if found is not None:
            count += 1
            yield found
    if count < len(rows) and brake.state != "open":
        taken.look_at(now)  # some of them ended or had to wait: others may take their place
    if len(rows) < room:  # else those under way wake us when they end
        for (due_at,) in tx.run(_NEXT, {"account": account_id, "now": now}):
            taken.look_at(due_at)


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


def _take(
    tx: Transaction, row: Any, plan: AccountPlan, now: int, *, quota_blocked: bool
) -> tuple[Claim, dict[str, Any]] | None:
    #: The attempt before may have reached the platform.
    unknown = bool(row.after_uncertain) or row.state == "sending"
    if row.expires_at <= now:
        _end(tx, row, _TOO_OLD_UNKNOWN if unknown else _TOO_OLD, now)
        return None
    if not _allowed(tx, row, plan, now):
        return None
    credential = _credential_of(tx, row, now, unknown=unknown) if plan.credentials else None
    if plan.quota and quota_blocked and credential is None:
        _hold(tx, row, now)
        return None
    credential_id, value = credential or (None, None)
    if credential_id is not None:
        tx.run(_USE, {"credential": credential_id, "delivery": row.id})
    aliases = known_aliases(tx, row.same_as, row.external_id) if row.same_as else ()
    return _claim(row, credential_id, value, aliases, unknown=unknown), {
        "delivery": row.id,
        "credential": credential_id,
        "unknown": unknown,
    }


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
    return all(isinstance(part, Template) for part in _contents.decode(row.plan))


def _credential_of(tx: Transaction, row: Any, now: int, *, unknown: bool) -> tuple[str, ReplyCredential] | None:
    """Return the newest credential that is still good.

    After an attempt without an answer only the one of that attempt counts, good or not: with another one, or with one
    where there was none, the platform would take a repeated message for a new one.
    """
    if unknown:
        found = tx.run(_OWN, {"credential": row.credential_id}) if row.credential_id else []
    else:
        found = tx.run(_NEWEST, {"thread": row.thread_id, "now": now})
    if not found:
        return None
    credential_id, value, expires_at, single_use, cost = found[0]
    return credential_id, ReplyCredential(
        value=value, expires_at_ms=expires_at, single_use=bool(single_use), cost=Cost(cost)
    )


def _claim(
    row: Any, credential_id: str | None, credential: ReplyCredential | None, aliases: tuple[str, ...], *, unknown: bool
) -> Claim:
    message = _outbound(row, credential, aliases, unknown=unknown)
    return Claim(
        message=message,
        account_id=row.account_id,
        thread_id=row.thread_id,
        message_id=row.message_id,
        fence=row.fence + 1,
        attempts=row.attempts + 1,
        created_at=row.created_at,
        expires_at=row.expires_at,
        credential_id=credential_id,
        window=row.window,
        parts=len(message.parts),
    )


_contents = msgspec.json.Decoder(tuple[Content, ...])
_choices = msgspec.json.Decoder(tuple[QuickReply, ...])
_author = msgspec.json.Decoder(Author)
_quote = msgspec.json.Decoder(Quote)


def _outbound(
    row: Any, credential: ReplyCredential | None, aliases: tuple[str, ...], *, unknown: bool
) -> OutboundMessage:
    to = Address(external_id=row.external_id, kind=AddressKind(row.kind), name=row.identity_name, aliases=aliases)
    return OutboundMessage(
        delivery_id=row.id,
        thread_key=row.thread_key,
        to=to,
        author=_author.decode(row.author),
        parts=_contents.decode(row.plan),
        quick_replies=_choices.decode(row.quick_replies) if row.quick_replies else (),
        quote=_quote.decode(row.quote) if row.quote else None,
        key=row.key,
        attempt=row.attempts + 1,
        after_uncertain=unknown,
        credential=credential,
        last_inbound_ms=row.last_inbound_at,
        window=row.window,
    )


def _hold(tx: Transaction, row: Any, now: int) -> None:
    """Keep back what would cost quota while there is none; looked at again soon, for a credential may come."""
    words = "The account's message quota is used up; it is sent when the platform allows it again."
    _change(tx, row, {"state": "held", "due_at": now + HOLD_MS}, Reason(code="quota", text=words, whose="account"), now)


def _end(tx: Transaction, row: Any, reason: Reason, now: int) -> None:
    _change(tx, row, {"state": "expired"}, reason, now)


def _change(tx: Transaction, row: Any, values: dict[str, Any], reason: Reason, now: int) -> None:
    changed = {**values, "reason": msgspec.json.encode(reason).decode(), "updated_at": now, "owner": None}
    tx.execute(schema.delivery.update().where(_d.id == row.id).values({**changed, "fence": row.fence + 1}))
    if (values["state"], row.reason) != (row.state, changed["reason"]):
        announce(tx, row.id, now, actor=Actor(ActorKind.SYSTEM))
