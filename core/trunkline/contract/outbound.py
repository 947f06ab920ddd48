"""What the core hands to a connector, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from trunkline.contract.items import ReplyCredential
from trunkline.model import Address, Author, Content, Cost, QuickReply

__all__ = [
    "Accepted",
    "AcceptedPart",
    "Health",
    "MediaStream",
    "OutboundMessage",
    "Page",
    "PullRequest",
    "Quote",
    "Remedy",
    "Signal",
    "TemplateInfo",
    "TemplateVariable",
]


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The message that this one answers."""

    external_id: str
    token: str | None = None


class OutboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One request: at most `items_per_request` parts, already split and rendered for this channel.

    Mostly one delivery; where the platform takes several parts at once, also later ones that waited with it.
    """

    #: Of the first delivery.
    delivery_id: str
    thread_key: str
    #: `aliases` are the other ids under which the same person is known on this account, the newest first.
    to: Address
    author: Author
    #: In order; every kind is one that the channel sends at level full or partial.
    parts: tuple[Content, ...]
    quick_replies: tuple[QuickReply, ...] = ()
    quote: Quote | None = None
    #: A UUID stored before the first attempt and the same in all of them.
    key: str
    #: 1 for the first.
    attempt: int = 1
    #: True when the attempt before this one ended without an answer.
    after_uncertain: bool = False
    #: The newest unused one that is still good; the same again after an uncertain attempt.
    credential: ReplyCredential | None = None
    #: When the customer last wrote, ms since the epoch; 0 if never.
    last_inbound_ms: int = 0
    #: Name of the window under which this is sent, None when there is none open.
    window: str | None = None


class AcceptedPart(msgspec.Struct, frozen=True, kw_only=True):
    """The platform's id of one part, in the order of `OutboundMessage.parts`."""

    external_id: str
    quote_token: str | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The platform said yes."""

    #: May be empty where the platform gives no ids.
    parts: tuple[AcceptedPart, ...] = ()
    #: Which of the platform's ways was taken, e.g. "reply", "push".
    route: str = ""
    cost: Cost = Cost.FREE
    #: False when the yes is concluded rather than heard (a single-use credential that is already used).
    verified: bool = True
    #: True when the credential was consumed.
    credential_used: bool = False
    #: The platform's request id or another proof, kept with the attempt.
    evidence: str | None = None
    #: Another address the platform answered with for this person.
    address: Address | None = None


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """Something beside the messages: `kind` is "typing", "read", "reaction" or "recall"."""

    kind: str
    to: Address
    thread_key: str
    #: The `read_token` of the newest message read.
    token: str | None = None
    #: The message that is meant: the newest one read, the one reacted to, the one of ours to take back.
    external_id: str | None = None
    #: For "reaction"; None takes ours away.
    emoji: str | None = None


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of a channel that notifies or is polled."""

    #: One of `Connector.scopes()`, or what a `PullRequested` named; each has a cursor of its own.
    scope: str
    #: Where the last stored page ended, None before the first.
    cursor: str | None = None
    #: From the newest `PullRequested`; None when nobody asked (the start, the timer).
    token: str | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a pull. The cursor is stored in the transaction that stores the items."""

    #: What the platform answered, kept as the raw request. `Connector.parse` reads the items from these bytes.
    raw: bytes
    cursor: str | None
    more: bool = False


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be done about what a probe found, at the press of a button."""

    code: str
    #: What the button says, in English: "Subscribe again".
    title: str


class TemplateVariable(msgspec.Struct, frozen=True, kw_only=True):
    """One blank of a template; its key in `Template.variables` is `name`."""

    name: str
    #: "text", "image", "video", "file", "url", "currency", "date_time" or "payload".
    kind: str = "text"
    #: Where it stands, as the platform says: "header", "body", "button".
    place: str = "body"
    example: str | None = None
    max_length: int | None = None


class TemplateInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A template that the platform approved for this account."""

    name: str
    #: As the platform writes it: "en_US".
    language: str
    category: str = ""
    #: What the customer will read, blanks as {{name}}.
    text: str = ""
    variables: tuple[TemplateVariable, ...] = ()
    #: False for one that may not be sent now; `note` says why.
    usable: bool = True
    note: str | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe found; shown beside the account."""

    #: "connected", "sign_in_needed", "failing".
    state: str
    #: One sentence.
    summary: str
    #: Name on the platform, if it tells.
    title: str | None = None
    #: Things the deployer should change in the platform's console, one sentence each.
    advice: tuple[str, ...] = ()
    #: Sends left in the plan, None when unlimited or unknown.
    quota_left: int | None = None
    remedies: tuple[Remedy, ...] = ()
    details: dict[str, Any] = {}


class MediaStream(msgspec.Struct, kw_only=True):
    """The bytes of an inbound medium, in chunks; the core counts them and closes the iterator."""

    chunks: AsyncIterator[bytes]
    mime: str | None = None
    size: int | None = None
    name: str | None = None
