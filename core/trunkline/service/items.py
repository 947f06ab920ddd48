"""What each kind of item does to the store: a table from type to function.

A handler changes the working set or writes through its transaction, appends events, and returns nothing. It may be run
again from the start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, select, update

from trunkline.contract import (
    AccountChanged,
    Act,
    ContactActed,
    EchoReceived,
    IdentityLinked,
    Ignored,
    MessageEdited,
    MessageRecalled,
    MessageReceived,
    PullRequested,
    Reacted,
    ReceiptReceived,
    SubmissionReceived,
    Unknown,
)
from trunkline.model import Actor, ActorKind, AuthorKind, Content, Unsupported
from trunkline.service.aliases import moved_to
from trunkline.service.arrivals import MESSAGE_COLUMNS, placeholder_id
from trunkline.service.pull_cursors import request_pull
from trunkline.service.receipts import apply_receipt, reconcile_echo
from trunkline.service.redaction import TOMBSTONE, redact_log, redact_raw
from trunkline.service.saying import Said, begin, keep_credential, say
from trunkline.service.snapshots import (
    decode,
    message_snapshot,
    preview_of,
)
from trunkline.service.submissions.taking import submitted
from trunkline.service.windows import open_windows
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.service.arrivals import Arrival, ThreadState, WorkingSet

__all__ = ["HANDLERS"]

encode = msgspec.json.Encoder().encode

_REACHABLE = Prepared(
    update(schema.identity)
    .where(schema.identity.c.id == bindparam("identity"))
    .values(reachable=bindparam("reachable"))
)
_REMOVE_MEDIA = Prepared(
    update(schema.media)
    .where(schema.media.c.message_id == bindparam("message"))
    .values(state="removed", reason="recalled", due_at=None)
)


def _received(work: WorkingSet, arrival: Arrival, item: MessageReceived) -> None:
    thread = work.thread(arrival.account, item.thread_key)
    author = work.person(arrival.account, item.member or item.contact)
    thread.channel = item.channel or thread.channel
    said = Said(
        direction="in",
        author_kind=AuthorKind.CONTACT,
        author_id=author.contact_id,
        author_name=author.name,
        content=item.content,
        external_id=item.external_id,
        at_ms=item.at_ms,
        quotes=item.quotes,
        quote_token=item.quote_token,
        read_token=item.read_token,
        album=item.album,
        referral=item.referral,
    )
    begin(work, thread)
    _open_windows(work, thread, item.act, item.at_ms or arrival.received_at)
    say(work, arrival, thread, said)
    keep_credential(work, thread, item.reply)


def _open_windows(work: WorkingSet, thread: ThreadState, act: Act, at: int) -> None:
    windows = thread.account.channel.capabilities.windows
    if windows:
        thread.windows = open_windows(work.tx, thread.id, windows, act, at) or thread.windows


def _acted(work: WorkingSet, arrival: Arrival, item: ContactActed) -> None:
    thread = work.thread(arrival.account, item.thread_key)
    person = work.person(arrival.account, item.contact)
    actor = Actor(ActorKind.CONTACT, person.contact_id, person.name)
    thread.channel = item.channel or thread.channel
    begin(work, thread)
    _open_windows(work, thread, item.act, item.at_ms or arrival.received_at)
    keep_credential(work, thread, item.reply)
    payload = {"act": item.act.value, "details": item.details}
    work.tx.append("contact_acted", actor=actor, at=work.now, payload=payload, thread_id=thread.id)
    if item.reachable is not None and item.reachable != bool(person.reachable):
        person.reachable = thread.reachable = item.reachable
        work.tx.run(_REACHABLE, {"identity": person.identity_id, "reachable": item.reachable})
        told = {"reachable": item.reachable}
        work.tx.append("reachability_changed", actor=actor, at=work.now, payload=told, thread_id=thread.id)


def _edited(work: WorkingSet, arrival: Arrival, item: MessageEdited) -> None:
    rows = _find(work, arrival, item.external_id)
    if not rows:
        if item.by_staff:
            _echo(work, arrival, _as_echo(item))
        else:
            _received(work, arrival, _as_message(item))
        work.claim([(arrival.account.id, f"m:{item.external_id}", arrival.raw_id)])
        return
    row = rows[0]
    if row.recalled_at is not None or item.at_ms <= (row.edited_at or 0):
        return
    previous = [*(decode.decode(row.previous) if row.previous else []), decode.decode(row.content)]
    values = {
        "content": encode(item.content).decode(),
        "previous": encode(previous).decode(),
        "edited_at": item.at_ms or work.now,
        "quote_token": item.quote_token or row.quote_token,
    }
    _change(work, arrival, item, row, kind="message_edited", values=values)


def _as_message(item: MessageEdited) -> MessageReceived:
    """An edit that came before its message is the message."""
    return MessageReceived(
        dedupe_key=item.dedupe_key,
        at_ms=item.at_ms,
        platform_kind=item.platform_kind,
        thread_key=item.thread_key,
        contact=item.contact,
        member=item.member,
        reply=item.reply,
        external_id=item.external_id,
        content=item.content,
        quote_token=item.quote_token,
    )


def _as_echo(item: MessageEdited) -> EchoReceived:
    """So it is with what our staff wrote and changed in the platform's own client."""
    return EchoReceived(
        dedupe_key=item.dedupe_key,
        at_ms=item.at_ms,
        platform_kind=item.platform_kind,
        thread_key=item.thread_key,
        contact=item.contact,
        external_id=item.external_id,
        content=item.content,
        author_name=item.author_name,
    )


def _recalled(work: WorkingSet, arrival: Arrival, item: MessageRecalled) -> None:
    for row in _find(work, arrival, item.external_id):
        values = {
            "content": encode(TOMBSTONE).decode(),
            "previous": None,
            "recalled_at": item.at_ms or work.now,
        }
        _take_out(work, arrival, item, row)
        work.tx.run(_REMOVE_MEDIA, {"message": row.id})
        work.tx.wake("media")
        _change(work, arrival, item, row, kind="message_recalled", values=values)


def _take_out(work: WorkingSet, arrival: Arrival, item: MessageRecalled, row: Any) -> None:
    """Leave nothing of a message but its place: not in the log, the raw request, or the list."""
    words = [row.content, *(encode(one) for one in decode.decode(row.previous or "[]"))]
    lines = {preview_of(_content(one), row.author_kind).text for one in words}
    redact_log(work.tx, row.thread_id, row.id, lines)
    if row.raw_id is not None:
        redact_raw(work.tx, row.raw_id, work.now)
    thread = work.thread(arrival.account, item.thread_key)
    if thread.id == row.thread_id and thread.last_position == row.position:
        thread.preview = preview_of(TOMBSTONE, row.author_kind)
        work.touch(thread)


_content = msgspec.json.Decoder(Content).decode


def _find(work: WorkingSet, arrival: Arrival, external_id: str) -> list[Any]:
    """Return the stored messages with this platform id, those of this very group included."""
    work.tx.insert(schema.message, work.messages, MESSAGE_COLUMNS)
    work.messages.clear()
    table = schema.message
    found = work.tx.execute(
        select(table).where(table.c.account_id == arrival.account.id, table.c.external_id == external_id)
    )
    return list(found.fetchall())


def _change(
    work: WorkingSet,
    arrival: Arrival,
    item: MessageEdited | MessageRecalled,
    row: Any,
    *,
    kind: str,
    values: dict[str, Any],
) -> None:
    """Change a stored message and tell of it with its new face."""
    table = schema.message
    work.tx.execute(table.update().where(table.c.id == row.id).values(values))
    changed = work.tx.execute(select(table).where(table.c.id == row.id)).one()
    payload = {"message": message_snapshot(changed)}
    work.tx.append(kind, actor=_who(work, arrival, item), at=work.now, payload=payload, thread_id=row.thread_id)


def _who(work: WorkingSet, arrival: Arrival, item: MessageEdited | MessageRecalled) -> Actor:
    """Return who changed a message: the customer, or our staff in the platform's own client."""
    if item.by_staff:
        return Actor(ActorKind.CONNECTOR, arrival.account.id, item.author_name)
    person = work.person(arrival.account, item.member or item.contact)
    return Actor(ActorKind.CONTACT, person.contact_id, person.name)


def _reacted(work: WorkingSet, arrival: Arrival, item: Reacted) -> None:
    thread = work.thread(arrival.account, item.thread_key)
    person = work.person(arrival.account, item.member or item.contact)
    actor = Actor(ActorKind.CONTACT, person.contact_id, person.name)
    begin(work, thread)
    if item.emoji is not None:
        _open_windows(work, thread, Act.REACT, item.at_ms or arrival.received_at)
    rows = _find(work, arrival, item.external_id)
    payload = {
        "external_id": item.external_id,
        "message_id": rows[0].id if rows else None,
        "emoji": item.emoji,
    }
    work.tx.append("reacted", actor=actor, at=work.now, payload=payload, thread_id=thread.id)


def _receipt(work: WorkingSet, arrival: Arrival, item: ReceiptReceived) -> None:
    apply_receipt(work.tx, arrival.account.id, item, work.now)


def _echo(work: WorkingSet, arrival: Arrival, item: EchoReceived) -> None:
    if reconcile_echo(work.tx, arrival.account.id, item, work.now):
        return
    thread = work.thread(arrival.account, item.thread_key)
    said = Said(
        direction="out",
        author_kind=AuthorKind.STAFF_ELSEWHERE,
        author_id=None,
        author_name=item.author_name,
        content=item.content,
        external_id=item.external_id,
        at_ms=item.at_ms,
    )
    begin(work, thread)
    say(work, arrival, thread, said)


def _linked(work: WorkingSet, arrival: Arrival, item: IdentityLinked) -> None:
    payload = {
        "contact": None if item.contact is None else item.contact.external_id,
        "other": None if item.other is None else item.other.external_id,
        "verified_as": item.verified_as,
    }
    actor = Actor(ActorKind.CONNECTOR, arrival.account.id)
    work.tx.append("identity_linked", actor=actor, at=work.now, payload=payload)
    if item.contact is None:
        return
    table = schema.identity
    mine = (table.c.account_id == arrival.account.id, table.c.external_id == item.contact.external_id)
    if item.verified_as is not None:
        work.tx.execute(table.update().where(*mine).values(verified_as=item.verified_as))
    if item.other is not None:
        moved_to(work.tx, arrival.account.id, new=item.contact, old=item.other, now=work.now)


def _account_changed(work: WorkingSet, arrival: Arrival, item: AccountChanged) -> None:
    payload = {"account_id": arrival.account.id, "change": item.change, "severity": item.severity}
    actor = Actor(ActorKind.CONNECTOR, arrival.account.id)
    work.tx.append("account_notice", actor=actor, at=work.now, payload={**payload, "details": item.details})
    if item.severity != "info":
        table = schema.account
        values = {"reason": item.change, "state_at": work.now}
        work.tx.execute(table.update().where(table.c.id == arrival.account.id).values(values))


def _unknown(work: WorkingSet, arrival: Arrival, item: Unknown) -> None:
    """Show what we do not know where it belongs to somebody; the request is in the quarantine where it does not."""
    if item.thread_key is None or item.contact is None:
        return
    thread = work.thread(arrival.account, item.thread_key)
    author = work.person(arrival.account, item.member or item.contact)
    said = Said(
        direction="in",
        author_kind=AuthorKind.CONTACT,
        author_id=author.contact_id,
        author_name=author.name,
        content=Unsupported(platform_kind=item.platform_kind, raw=item.raw),
        external_id=placeholder_id(item.dedupe_key),
        at_ms=item.at_ms,
        placeholder="unknown_kind",
    )
    begin(work, thread)
    say(work, arrival, thread, said)
    keep_credential(work, thread, item.reply)


def _ignored(_work: WorkingSet, _arrival: Arrival, _item: Ignored) -> None:
    """Leave no trace but the reason on the raw request."""


def _pull(work: WorkingSet, arrival: Arrival, item: PullRequested) -> None:
    request_pull(work.tx, arrival.account.id, item.scope, item.token)


HANDLERS: dict[type, Callable[[WorkingSet, Arrival, Any], None]] = {
    MessageReceived: _received,
    SubmissionReceived: submitted,
    ContactActed: _acted,
    ReceiptReceived: _receipt,
    MessageEdited: _edited,
    MessageRecalled: _recalled,
    Reacted: _reacted,
    EchoReceived: _echo,
    IdentityLinked: _linked,
    AccountChanged: _account_changed,
    Ignored: _ignored,
    Unknown: _unknown,
    PullRequested: _pull,
}
