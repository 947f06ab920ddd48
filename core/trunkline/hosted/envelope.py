"""What is stored of a visitor's message: an envelope that holds everything, so that reading it is pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from trunkline.contract import Act, ContactActed, Item, MessageReceived, SubmissionReceived
from trunkline.errors import BodyUnreadable
from trunkline.model import Address, Content

__all__ = ["Envelope", "SentForm", "dedupe_key", "external_id", "items_of"]

_encode = msgspec.json.Encoder().encode


class SentForm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A leave-a-message form as it was filled in; its answers were checked."""

    values: dict[str, Any]
    form_version: str | None = None
    group_id: str | None = None
    client_version: str | None = None
    #: Why settings by group do not hold for this client, None where they do.
    by_group_refused: str | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of a visitor, complete in itself."""

    #: Our id of the visitor; never changes.
    visitor: str
    #: Their address on the account (`identity.external_id`), and the key of their live thread.
    address: str
    client_id: str
    #: When we took it, ms since the epoch.
    at: int
    content: Content
    name: str | None = None
    channel: str | None = None
    #: The external id of the quoted message.
    quotes: str | None = None
    #: The message whose button was pressed: it can be answered once.
    answers: str | None = None
    #: For a form; `content` is empty then.
    form: SentForm | None = None
    #: For what is no message; `content` is empty then.
    act: Act | None = None
    #: What the client told besides: its metadata, the page it was on, its version.
    context: dict[str, Any] = {}
    v: int = 1


_decoder = msgspec.json.Decoder(Envelope)


def external_id(visitor: str, client_id: str) -> str:
    """Return the id under which a visitor's message is stored: unique per visitor and client id."""
    return f"{visitor}:{client_id}"


def dedupe_key(envelope: Envelope) -> str:
    """Return a key that equal contents have in common."""
    if envelope.answers is not None:
        return f"answer:{envelope.answers}"
    said = _encode([envelope.content, envelope.quotes] if envelope.form is None else [envelope.form.values])
    return f"{external_id(envelope.visitor, envelope.client_id)}:{hashlib.sha256(said).hexdigest()[:32]}"


def items_of(body: bytes) -> Sequence[Item]:
    """Return the message in a stored envelope.

    Raises:
        BodyUnreadable: these bytes are no envelope of ours.
    """
    try:
        envelope = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise BodyUnreadable(f"This is no stored message of a visitor: {error}") from error
    if envelope.act is not None:
        return (_acted(envelope, envelope.act),)
    return (_message(envelope) if envelope.form is None else _submission(envelope, envelope.form),)


def _acted(envelope: Envelope, act: Act) -> ContactActed:
    return ContactActed(
        dedupe_key=dedupe_key(envelope),
        at_ms=envelope.at,
        platform_kind=act.value,
        thread_key=envelope.address,
        contact=Address(external_id=envelope.address, name=envelope.name),
        act=act,
        channel=envelope.channel,
    )


def _submission(envelope: Envelope, form: SentForm) -> SubmissionReceived:
    return SubmissionReceived(
        dedupe_key=dedupe_key(envelope),
        at_ms=envelope.at,
        platform_kind="submission",
        thread_key=envelope.address,
        contact=Address(external_id=envelope.address, name=envelope.name),
        external_id=external_id(envelope.visitor, envelope.client_id),
        values=form.values,
        form_version=form.form_version,
        group_id=form.group_id,
        client_version=form.client_version,
        by_group_refused=form.by_group_refused,
        channel=envelope.channel,
    )


def _message(envelope: Envelope) -> MessageReceived:
    return MessageReceived(
        dedupe_key=dedupe_key(envelope),
        at_ms=envelope.at,
        platform_kind="postback" if envelope.answers is not None else "message",
        thread_key=envelope.address,
        contact=Address(external_id=envelope.address, name=envelope.name),
        external_id=external_id(envelope.visitor, envelope.client_id),
        content=envelope.content,
        quotes=envelope.quotes,
        referral=envelope.context or None,
        channel=envelope.channel,
    )
