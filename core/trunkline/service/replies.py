"""The second walk's first half: what staff write becomes messages, deliveries and an event in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from sqlalchemy import bindparam, select, update

from trunkline.contract import Capabilities, Context, Quote
from trunkline.errors import Whose
from trunkline.model import Actor, Author, AuthorKind, Content, Media, Reason, new_id
from trunkline.service.arrivals import AccountFacts
from trunkline.service.drafts import Draft, contents_of, files_of, medium_of
from trunkline.service.media import publish
from trunkline.service.planning import Standing, Step, needs_no_window, steps_of
from trunkline.service.quotes import quoted_snapshot
from trunkline.service.reading import thread_snapshot
from trunkline.service.receipts import ACTIVE, announce
from trunkline.service.refusals import ReplyRefused
from trunkline.service.snapshots import media_snapshot, message_snapshot, preview_of
from trunkline.service.windows import REFUSALS, Verdict, judge, read_windows
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.service.account import Account
    from trunkline.service.house import House
    from trunkline.store import Transaction

__all__ = ["Draft", "ReplyRefused", "account_of", "capabilities_of", "judge_again", "post_reply", "retry_message"]

#: A reply that could not be sent for this long is given up.
GIVE_UP_MS = 24 * 3600 * 1000
_AGAIN = ("failed", "expired", "suppressed")

_encode = msgspec.json.Encoder().encode

_THREAD = Prepared(select(schema.thread).where(schema.thread.c.id == bindparam("thread")).with_for_update())
_Thread: Any = msgspec.defstruct("_Thread", [(str(column.name), Any) for column in schema.thread.c], frozen=True)


class _Posting(msgspec.Struct, kw_only=True):
    """One reply on its way into the store."""

    house: Any
    thread: Any
    facts: AccountFacts
    standing: Standing
    author: Author
    actor: Actor
    now: int
    quote: Quote | None
    #: What the message shows of the one that it answers, as `reply_to` in a snapshot.
    quoted: dict[str, Any] | None
    request_id: str | None


def post_reply(
    tx: Transaction, house: House, thread_id: str, draft: Draft, *, author: Author, actor: Actor, now: int
) -> str:
    """Store a reply with its deliveries and return the id of its last message.

    A reply that the platform would refuse (window over, budget spent) is stored too, as suppressed with its reason.

    Raises:
        ReplyRefused: no such thread, or the channel cannot carry it.
    """
    posting = _prepare(tx, house, thread_id, draft, author, actor, now)
    contents = contents_of(draft, lambda media_id: _publish(tx, house, media_id))
    message_id = ""
    for step in steps_of(contents, draft.quick_replies, posting.standing):
        message_id = _store(tx, posting, step)
        posting.quote = posting.quoted = None
    tx.wake("outbox")
    return message_id


def _prepare(  # noqa: PLR0917 - one call site, above
    tx: Transaction, house: House, thread_id: str, draft: Draft, author: Author, actor: Actor, now: int
) -> _Posting:
    found = tx.run(_THREAD, {"thread": thread_id})
    if not found:
        raise ReplyRefused("There is no such thread.", code="not_found", status=404)
    thread = _Thread(*found[0])
    account = account_of(house, thread.account_id)
    assert account.channel_spec is not None  # noqa: S101 - account_of refuses one without
    capabilities = capabilities_of(account, thread.channel, now)
    quote, quoted = _quote(tx, thread, draft.reply_to)
    windows = read_windows(tx, thread_id) if capabilities.windows else {}
    return _Posting(
        house=house,
        thread=thread,
        facts=AccountFacts(thread.account_id, account.channel_spec),
        standing=Standing(capabilities=capabilities, windows=windows, author=author.kind, now=now),
        author=author,
        actor=actor,
        now=now,
        quote=quote,
        quoted=quoted,
        request_id=draft.request_id,
    )


def account_of(house: House, account_id: str) -> Account:
    """Return an account by which replies go out.

    Raises:
        ReplyRefused: it is not configured any more.
    """
    account = house.accounts.get(account_id)
    if account is None or account.channel_spec is None:
        words = f"The account {account_id} is not configured any more."
        raise ReplyRefused(words, code="account_gone", status=409)
    return account


def capabilities_of(account: Account, channel: str | None, now: int) -> Capabilities:
    """Return what holds now on the channel by which a thread's customer writes, the account's own without one."""
    spec, others = account.channel_spec, account.spec.channels if account.spec else ()
    chosen = next((one for one in others if one.code == channel), spec)
    if chosen is None:
        return account.capabilities
    settings = {} if account.config is None else account.config.model_dump()
    return chosen.effective(Context(account_id=account.id, at_ms=now, settings=settings)).capabilities


def _quote(tx: Transaction, thread: Any, message_id: str | None) -> tuple[Quote | None, dict[str, Any] | None]:
    if message_id is None:
        return None, None
    table = schema.message
    row = tx.execute(select(table).where(table.c.id == message_id, table.c.thread_id == thread.id)).one_or_none()
    if row is None:
        raise ReplyRefused("The quoted message is not in this thread.", code="quote_not_found", field="reply_to")
    if row.external_id is None:
        return None, None
    return Quote(external_id=row.external_id, token=row.quote_token), quoted_snapshot(row)


def _publish(tx: Transaction, house: House, media_id: str) -> Media:
    row = tx.execute(select(schema.media).where(schema.media.c.id == media_id)).one_or_none()
    urls = publish(tx, [media_id], house.settings.server.public_url)
    return medium_of(row, *urls[media_id])


def _store(tx: Transaction, posting: _Posting, step: Step) -> str:
    message_id, thread, content = new_id(), posting.thread, step.content
    position = _take_position(tx, posting, content)
    message = _Message(
        id=message_id,
        thread_id=thread.id,
        position=position,
        account_id=thread.account_id,
        direction="out",
        author_kind=posting.author.kind.value,
        author_id=posting.author.id,
        author_name=posting.author.name,
        content=_encode(content).decode(),
        quick_replies=_encode(step.quick_replies).decode() if step.quick_replies else None,
        quotes=None if posting.quoted is None else posting.quoted["external_id"],
        at=posting.now,
        late=False,
    )
    tx.insert(schema.message, [msgspec.structs.astuple(message)], _MESSAGE)
    for media_id in files_of(content):
        tx.execute(
            schema.media.update()
            .where(schema.media.c.id == media_id)
            .values(message_id=message_id, thread_id=thread.id, account_id=thread.account_id)
        )
    _tell(tx, posting, message, _queue(tx, posting, message_id, position, step))
    return message_id


_MESSAGE = tuple(str(column.name) for column in schema.message.c)
_Message: Any = msgspec.defstruct("_Message", [(name, Any, None) for name in _MESSAGE], frozen=True)
_DELIVERY = tuple(str(column.name) for column in schema.delivery.c)
_Delivery: Any = msgspec.defstruct(
    "_Delivery", [(name, Any, 0 if name in {"fence", "attempts"} else None) for name in _DELIVERY], frozen=True
)


_t = schema.thread.c


def _move(**more: None) -> Prepared:
    values = {
        "last_position": _t.last_position + 1,
        "last_message_at": bindparam("now"),
        "preview": bindparam("preview"),
    }
    statement = update(schema.thread).where(_t.id == bindparam("thread")).values({**values, **more})
    return Prepared(statement.returning(_t.last_position))


#: Whether a person answers → how the thread moves on: what a bot or the house says ends no customer's wait.
_MOVE = {False: _move(), True: _move(first_unanswered_at=None)}


def _take_position(tx: Transaction, posting: _Posting, content: Content) -> int:
    """Give the message its place and move the thread's counters; a person's answer ends the customer's wait."""
    preview = _encode(preview_of(content, posting.author.kind.value)).decode()
    move = _MOVE[posting.author.kind is AuthorKind.AGENT]
    ((position,),) = tx.run(move, {"thread": posting.thread.id, "now": posting.now, "preview": preview})
    return int(position)


def _queue(tx: Transaction, posting: _Posting, message_id: str, position: int, step: Step) -> list[Any]:
    """Write the deliveries of a message and return their rows."""
    plan, verdict = step.plan, step.verdict
    state, reason = ("queued", None) if step.refusal is None else _suppressed(step.refusal)
    common = {
        "message_id": message_id,
        "thread_id": posting.thread.id,
        "account_id": posting.thread.account_id,
        "position": position,
        "parts": len(plan.requests),
        "state": state,
        "reason": None if reason is None else _encode(reason).decode(),
        "due_at": posting.now,
        "expires_at": min(posting.now + GIVE_UP_MS, verdict.expires_at or posting.now + GIVE_UP_MS),
        "author": _encode(posting.author).decode(),
        "level": plan.level.value,
        "window": verdict.window,
        "after_uncertain": False,
        "maybe_duplicate": False,
        "created_at": posting.now,
        "updated_at": posting.now,
        "request_id": posting.request_id,
    }
    rows = [
        _Delivery(
            **common,
            id=new_id(),
            part=number,
            key=str(uuid4()),
            plan=_encode(request.parts).decode(),
            quick_replies=_encode(request.quick_replies).decode() if request.quick_replies else None,
            quote=_encode(posting.quote).decode() if posting.quote and number == 1 else None,
        )
        for number, request in enumerate(plan.requests, 1)
    ]
    tx.insert(schema.delivery, [msgspec.structs.astuple(row) for row in rows], _DELIVERY)
    return rows


def _suppressed(code: str) -> tuple[str, Reason]:
    whose: Whose = "recipient"
    return "suppressed", Reason(code=code, text=REFUSALS[code], whose=whose)


def _tell(tx: Transaction, posting: _Posting, message: Any, deliveries: list[Any]) -> None:
    media = {}
    if '"media"' in message.content or '"image":{' in message.content:
        found = tx.execute(select(schema.media).where(schema.media.c.message_id == message.id))
        media = {row.id: media_snapshot(row) for row in found}
    snapshot = msgspec.structs.replace(message_snapshot(message, deliveries, media), reply_to=posting.quoted)
    payload = {
        "message": snapshot,
        "thread": thread_snapshot(tx, posting.thread, posting.facts),
    }
    at, thread_id = posting.now, posting.thread.id
    tx.append("reply_sent", actor=posting.actor, at=at, payload=payload, thread_id=thread_id)
    for delivery in deliveries:
        if delivery.state == "suppressed":
            announce(tx, delivery.id, at, actor=posting.actor)


def _deliveries(tx: Transaction, message_id: str) -> list[Any]:
    table = schema.delivery
    return list(tx.execute(select(table).where(table.c.message_id == message_id).order_by(table.c.part)).fetchall())


def retry_message(
    tx: Transaction, house: House, message_id: str, *, actor: Actor, now: int, request_id: str | None = None
) -> None:
    """Send the parts of a message that did not arrive again.

    Raises:
        ReplyRefused: it is on its way already ("already_trying"), or nothing of it failed ("not_retryable").
    """
    thread_id = tx.execute(
        select(schema.message.c.thread_id).where(schema.message.c.id == message_id)
    ).scalar_one_or_none()
    if thread_id is None:
        raise ReplyRefused("There is no such message.", code="not_found", status=404)
    thread = tx.execute(select(schema.thread).where(schema.thread.c.id == thread_id).with_for_update()).one()
    rows = _deliveries(tx, message_id)
    if any(row.state in ACTIVE for row in rows):
        raise ReplyRefused("The message is being sent already.", code="already_trying", status=409)
    again = [row for row in rows if row.state in _AGAIN]
    if not again:
        raise ReplyRefused("Nothing of this message failed.", code="not_retryable", status=409)
    verdict = judge_again(tx, house, thread, again[0], now)
    for row in again:
        _requeue(tx, row, verdict, now, request_id)
        announce(tx, row.id, now, actor=actor)
    tx.wake("outbox")


def judge_again(tx: Transaction, house: House, thread: Any, row: Any, now: int) -> Verdict:
    """Return whether a delivery may go out again now."""
    capabilities = capabilities_of(account_of(house, thread.account_id), thread.channel, now)
    parts = _parts.decode(row.plan)
    if all(needs_no_window(part, capabilities) for part in parts):
        return Verdict(allowed=True)
    author = msgspec.json.decode(row.author, type=Author)
    return judge(capabilities.windows, read_windows(tx, thread.id), author.kind, now)


_parts = msgspec.json.Decoder(tuple[Content, ...])


def _requeue(tx: Transaction, row: Any, verdict: Verdict, now: int, request_id: str | None) -> None:
    state, reason = ("queued", None) if verdict.allowed else _suppressed(verdict.code or "window_closed")
    values = {
        "state": state,
        "reason": None if reason is None else _encode(reason).decode(),
        "due_at": now,
        "expires_at": min(now + GIVE_UP_MS, verdict.expires_at or now + GIVE_UP_MS),
        "window": verdict.window,
        "owner": None,
        "fence": row.fence + 1,
        # A new send, by a person's wish: it may take a new credential, and may show a second time.
        "credential_id": None,
        "after_uncertain": False,
        "key": _key_again(tx, row),
        "maybe_duplicate": bool(row.maybe_duplicate) or bool(row.after_uncertain),
        "updated_at": now,
        "request_id": request_id,
    }
    tx.execute(schema.delivery.update().where(schema.delivery.c.id == row.id).values(values))


def _key_again(tx: Transaction, row: Any) -> str:
    """What the platform once took it would take for the same again, and a request of several is not this one alone."""
    table = schema.delivery
    same = (table.c.thread_id == row.thread_id, table.c.key == row.key, table.c.id != row.id)
    others = tx.execute(select(table.c.id).where(*same).limit(1)).first()
    return row.key if row.sent_at is None and others is None else str(uuid4())
