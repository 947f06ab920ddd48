"""Putting a message from outside into its thread: place, counters, media, row, and the event that tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam

from trunkline.clock import to_text
from trunkline.model import Actor, ActorKind, AuthorKind, Content, Media, Unsupported, media_of, new_id
from trunkline.service.media_rows import media_row, replace_media
from trunkline.service.quotes import find_quoted
from trunkline.service.snapshots import MessageSnapshot, decode, media_snapshot, preview_of, with_media
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.contract import ReplyCredential
    from trunkline.service.arrivals import Arrival, ThreadState, WorkingSet

__all__ = ["Said", "begin", "keep_credential", "say"]

encode = msgspec.json.Encoder().encode

#: Whose answer ends a customer's wait: greetings and bots leave it as it is.
_PEOPLE = frozenset({AuthorKind.AGENT, AuthorKind.STAFF_ELSEWHERE})
_ACTORS = {AuthorKind.CONTACT: ActorKind.CONTACT, AuthorKind.STAFF_ELSEWHERE: ActorKind.CONNECTOR}


class Said(msgspec.Struct, kw_only=True):
    """One message about to be stored. `place` fills the second half."""

    direction: str
    author_kind: AuthorKind
    author_id: str | None
    author_name: str | None
    content: Content
    external_id: str | None
    #: The platform's time, 0 if it gave none.
    at_ms: int = 0
    quotes: str | None = None
    quote_token: str | None = None
    read_token: str | None = None
    album: str | None = None
    referral: dict[str, Any] | None = None
    placeholder: str | None = None

    id: str = msgspec.field(default_factory=new_id)
    position: int = 0
    #: True when something later was stored before.
    late: bool = False
    encoded: bytes = b""


def begin(work: WorkingSet, thread: ThreadState) -> None:
    """Tell of a new thread before anything that happens in it."""
    if thread.is_new:
        thread.is_new = False
        thread.last_message_at = thread.last_message_at or work.now
        actor = Actor(ActorKind.CONTACT, thread.contact_id, thread.contact_name)
        payload = {"thread": thread.snapshot(), "address": thread.address}
        work.tx.append("created", actor=actor, at=work.now, payload=payload, thread_id=thread.id)
        work.touch(thread)


def keep_credential(work: WorkingSet, thread: ThreadState, reply: ReplyCredential | None) -> None:
    """Keep a right to answer."""
    if reply is not None:
        row = (new_id(), thread.id, reply.value, reply.expires_at_ms, reply.single_use, reply.cost.value)
        work.credentials.append(row)


def say(work: WorkingSet, arrival: Arrival, thread: ThreadState, said: Said) -> None:
    """Store a message and tell of it."""
    begin(work, thread)
    said.at_ms = said.at_ms or arrival.received_at
    said.content = _adopt_media(work, thread, said)
    said.encoded = encode(said.content)
    _place(work, thread, said)
    work.messages.append(_row(work, arrival, thread, said))
    work.touch(thread)
    work.tx.append(
        "message_received" if said.direction == "in" else "reply_sent",
        actor=Actor(_ACTORS[said.author_kind], said.author_id, said.author_name),
        at=work.now,
        payload={
            "message": _snapshot(work, arrival, thread, said),
            "thread": thread.snapshot(),
            "external_id": said.external_id,
        },
        thread_id=thread.id,
    )


def _place(work: WorkingSet, thread: ThreadState, said: Said) -> None:
    """Give the message its position and move the thread's counters."""
    said.late = said.at_ms < thread.last_inbound_at
    thread.last_position += 1
    said.position = thread.last_position
    thread.last_message_at = work.now
    thread.preview = preview_of(said.content, said.author_kind.value)
    if said.direction == "in":
        thread.unread += 1
        thread.last_inbound_at = max(thread.last_inbound_at, said.at_ms)
        thread.first_unanswered_at = thread.first_unanswered_at or work.now
    elif said.author_kind in _PEOPLE:
        thread.first_unanswered_at = None


def _row(work: WorkingSet, arrival: Arrival, thread: ThreadState, said: Said) -> tuple[Any, ...]:
    """Return the values of `arrivals.MESSAGE_COLUMNS`."""
    return (
        said.id,
        thread.id,
        said.position,
        thread.account.id,
        said.direction,
        said.author_kind.value,
        said.author_id,
        said.author_name,
        said.encoded.decode(),
        said.external_id,
        said.quotes,
        said.quote_token,
        said.read_token,
        said.album,
        work.now,
        said.at_ms,
        said.late,
        arrival.raw_id,
        said.placeholder,
        None if said.referral is None else encode(said.referral).decode(),
    )


def _snapshot(work: WorkingSet, arrival: Arrival, thread: ThreadState, said: Said) -> MessageSnapshot:
    """Return what `message_snapshot` would return for the row, without reading it back."""
    # What the platform sent is for the quarantine; it may hold credentials.
    plain = type(said.content) is not Unsupported and not media_of(said.content)
    return MessageSnapshot(
        id=said.id,
        thread_id=thread.id,
        position=said.position,
        direction=said.direction,
        author={"kind": said.author_kind.value, "id": said.author_id, "name": said.author_name},
        content=msgspec.Raw(said.encoded) if plain else with_media(decode.decode(said.encoded), _known(work, said)),
        quick_replies=[],
        reply_to=None if said.quotes is None else find_quoted(work.tx, thread.account.id, said.quotes),
        at=to_text(work.now),
        platform_at=to_text(said.at_ms),
        late=said.late,
        edited_at=None,
        previous=[],
        recalled_at=None,
        placeholder=None if said.placeholder is None else {"quarantine_id": arrival.raw_id, "reason": said.placeholder},
        deliveries=[],
        delivery_state=None,
        retryable=False,
    )


def _adopt_media(work: WorkingSet, thread: ThreadState, said: Said) -> Content:
    """Give every medium of the platform a row of ours, to be fetched in the background."""
    if not media_of(said.content):
        return said.content
    adopted: dict[int, Media] = {}
    for medium in media_of(said.content):
        if medium.source is not None:
            adopted[id(medium)] = mine = msgspec.structs.replace(medium, id=new_id())
            work.media.append(media_row(mine, said.id, (thread.account.id, thread.id), work.now))
        elif medium.id is not None:
            _take(work, thread, said, medium.id)
    replaced: Content = replace_media(said.content, adopted)
    return replaced


_m = schema.media.c
#: A file that was uploaded before the message came; it is taken once.
_TAKE = Prepared(
    schema.media.update()
    .where(_m.id == bindparam("medium"), _m.account_id == bindparam("account"), _m.message_id.is_(None))
    .values(message_id=bindparam("message"), thread_id=bindparam("thread"))
    .returning(*_m)
)
_Medium: Any = msgspec.defstruct("_Medium", [(str(column.name), Any) for column in _m], frozen=True)


def _take(work: WorkingSet, thread: ThreadState, said: Said, media_id: str) -> None:
    """Attach a file that is stored already; one that has a message already stays with it."""
    values = {"medium": media_id, "account": thread.account.id, "message": said.id, "thread": thread.id}
    for row in work.tx.run(_TAKE, values):
        work.taken[media_id] = _Medium(*row)


def _known(work: WorkingSet, said: Said) -> dict[str, dict[str, Any]]:
    """Return what is shown of the files that were stored before their message."""
    rows = (work.taken.get(medium.id or "") for medium in media_of(said.content))
    return {row.id: media_snapshot(row) for row in rows if row is not None}
