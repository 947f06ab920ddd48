"""One delivery that waits: as it is read for a claim, and as a connector gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import exists, literal_column, select, tuple_

from trunkline.contract import OutboundMessage, Quote, ReplyCredential
from trunkline.model import Actor, ActorKind, Address, AddressKind, Author, Content, QuickReply, Reason
from trunkline.service.receipts import ACTIVE, announce
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = ["IS_ACTIVE", "READ", "WORDS", "Claim", "Row", "change", "claim_of", "contents", "is_unknown"]

_d = schema.delivery.c
#: Written as constants: only then does SQLite use the partial indexes over what is on its way.
WORDS: list[Any] = [literal_column(f"'{state}'") for state in ACTIVE]
IS_ACTIVE = _d.state.in_(WORDS)
_later = schema.delivery.alias("later")
_HAS_LATER = exists().where(
    _later.c.thread_id == _d.thread_id,
    _later.c.state.in_(WORDS),
    tuple_(_later.c.position, _later.c.part) > tuple_(_d.position, _d.part),
)
READ = (
    select(
        schema.delivery,
        schema.thread.c.key.label("thread_key"),
        schema.thread.c.last_inbound_at,
        schema.identity.c.external_id,
        schema.identity.c.kind,
        schema.identity.c.name.label("identity_name"),
        schema.identity.c.same_as,
        _HAS_LATER.label("has_later"),
    )
    .join(schema.thread, schema.thread.c.id == _d.thread_id)
    .join(schema.identity, schema.identity.c.id == schema.thread.c.identity_id)
)
Row: Any = msgspec.defstruct("Row", [(str(column.key), Any) for column in READ.selected_columns], frozen=True)


class Claim(msgspec.Struct, frozen=True):
    """One delivery with its lease."""

    #: What is handed to the connector: with `riders`, the parts of all.
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
    #: Parts of this delivery alone.
    parts: int
    #: The request that asked for it.
    request_id: str | None = None
    #: Later deliveries of the thread that go in the same request.
    riders: tuple[Claim, ...] = ()

    @property
    def all(self) -> tuple[Claim, ...]:
        """Everything that goes in this request, in order."""
        return (self, *self.riders)


contents = msgspec.json.Decoder(tuple[Content, ...])
_choices = msgspec.json.Decoder(tuple[QuickReply, ...])
_author = msgspec.json.Decoder(Author)
_quote = msgspec.json.Decoder(Quote)


def is_unknown(row: Any) -> bool:
    """Whether the attempt before may have reached the platform."""
    return bool(row.after_uncertain) or row.state == "sending"


def claim_of(
    row: Any, credential_id: str | None, credential: ReplyCredential | None, aliases: tuple[str, ...]
) -> Claim:
    """Return the claim of a row that is about to be taken."""
    message = _outbound(row, credential, aliases)
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
        request_id=row.request_id,
    )


def _outbound(row: Any, credential: ReplyCredential | None, aliases: tuple[str, ...]) -> OutboundMessage:
    to = Address(external_id=row.external_id, kind=AddressKind(row.kind), name=row.identity_name, aliases=aliases)
    return OutboundMessage(
        delivery_id=row.id,
        thread_key=row.thread_key,
        to=to,
        author=_author.decode(row.author),
        parts=contents.decode(row.plan),
        quick_replies=_choices.decode(row.quick_replies) if row.quick_replies else (),
        quote=_quote.decode(row.quote) if row.quote else None,
        key=row.key,
        attempt=row.attempts + 1,
        after_uncertain=is_unknown(row),
        credential=credential,
        last_inbound_ms=row.last_inbound_at,
        window=row.window,
    )


def change(tx: Transaction, row: Any, values: dict[str, Any], reason: Reason, now: int) -> None:
    """Put a delivery into another state before it was taken, and tell of it if that is news."""
    changed = {**values, "reason": msgspec.json.encode(reason).decode(), "updated_at": now, "owner": None}
    tx.execute(schema.delivery.update().where(_d.id == row.id).values({**changed, "fence": row.fence + 1}))
    if (values["state"], row.reason) != (row.state, changed["reason"]):
        announce(tx, row.id, now, actor=Actor(ActorKind.SYSTEM))
