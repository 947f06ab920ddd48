"""What `parse` may yield: one value per thing that happened, each complete in itself.

An item never refers to its neighbours in the same request: it carries its own thread, person, time and dedupe key,
so that any of them can be stored, repeated, delayed or replayed alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from trunkline.errors import PlatformAnswer
from trunkline.model import Address, Content, Cost, DeliveryState

__all__ = [
    "AccountChanged",
    "Act",
    "ContactActed",
    "EchoReceived",
    "IdentityLinked",
    "Ignored",
    "Item",
    "MessageEdited",
    "MessageRecalled",
    "MessageReceived",
    "PullRequested",
    "Reacted",
    "ReceiptReceived",
    "ReplyCredential",
    "SubmissionReceived",
    "ThreadItem",
    "Unknown",
]


class Act(StrEnum):
    """What a customer can do besides writing; windows and budgets name the acts that open them."""

    MESSAGE = "message"
    #: Named us in public, where that gives another right to answer than a message.
    MENTION = "mention"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    JOIN = "join"
    LEAVE = "leave"
    MEMBER_JOINED = "member_joined"
    MEMBER_LEFT = "member_left"
    CLICK = "click"
    SCAN = "scan"
    ENTER = "enter"
    REACT = "react"
    CALL = "call"
    PAY = "pay"
    REFERRAL = "referral"
    CONSENT = "consent"
    LINK = "link"
    BEACON = "beacon"
    WATCH = "watch"
    MEMBERSHIP = "membership"


class ReplyCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A right to answer one event, given by the platform."""

    value: str
    #: Milliseconds since the epoch; after it the credential is not offered to `deliver` any more.
    expires_at_ms: int
    single_use: bool = True
    cost: Cost = Cost.FREE


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all items."""

    #: A pure function of the payload; unique together with the account. Equal payloads have equal keys.
    dedupe_key: str
    #: The platform's time of the event in ms since the epoch, 0 where it gives none (the time of receipt counts).
    at_ms: int = 0
    #: The platform's word for the kind of event, for logs and metrics.
    platform_kind: str = ""


class ThreadItem(Item, frozen=True, kw_only=True):
    """Base of the items that belong to a conversation."""

    #: Which conversation of the account this is: the group's id, else the person's.
    thread_key: str
    #: The counterpart of the thread: a person, or the group itself.
    contact: Address
    #: Who acted inside a group, where the platform tells; None in a one-to-one thread.
    member: Address | None = None
    reply: ReplyCredential | None = None
    #: False where the platform forbids an answer to this very event (another app holds the thread).
    may_reply: bool = True
    #: Which of the connector's channels it came by, where one account has several; None for the account's own.
    channel: str | None = None


class MessageReceived(ThreadItem, frozen=True, kw_only=True):
    """The customer wrote."""

    external_id: str
    content: Content
    #: Which windows it opens.
    act: Act = Act.MESSAGE
    #: The platform's id of the message that this one quotes.
    quotes: str | None = None
    #: What `deliver` needs to quote this message.
    quote_token: str | None = None
    #: What `signal` needs to mark this message as read.
    read_token: str | None = None
    #: Pictures sent together share one album.
    album: str | None = None
    #: Where the customer came from (advertisement, link); shown beside the thread.
    referral: dict[str, Any] | None = None


class SubmissionReceived(ThreadItem, frozen=True, kw_only=True):
    """The customer sent a leave-a-message form."""

    external_id: str
    #: Key of the field → answer.
    values: dict[str, Any]
    #: Of the form that was filled in.
    form_version: str | None = None
    #: The group that the customer is bound for.
    group_id: str | None = None
    client_version: str | None = None
    #: Why settings by group do not hold for this client ("sdk_too_old"), None where they do.
    by_group_refused: str | None = None


class ContactActed(ThreadItem, frozen=True, kw_only=True):
    """The customer did something that is no message: may open a window, may end reachability."""

    act: Act
    #: False when the customer can no longer be reached, True when they can again, None if the act says nothing.
    reachable: bool | None = None
    details: dict[str, Any] = {}


class ReceiptReceived(Item, frozen=True, kw_only=True):
    """What became of a message of ours: by its id, by our correlation, or for all up to a time."""

    state: DeliveryState
    external_id: str | None = None
    #: Our delivery id, echoed by the platform.
    correlation: str | None = None
    #: Everything of the thread sent at or before this time; needs `thread_key`.
    watermark_ms: int | None = None
    thread_key: str | None = None
    answer: PlatformAnswer | None = None
    #: Of a failure: the code that a `WindowClosed` would carry at sending, "window_closed" or "budget_spent". What is
    #: counted of the window under which the message went is put right, unless the customer has opened it anew since.
    window_code: str | None = None


class MessageEdited(ThreadItem, frozen=True, kw_only=True):
    """The customer changed a message. Applied only if `at_ms` is newer than the last edit."""

    external_id: str
    content: Content
    quote_token: str | None = None
    #: True when our staff did it in the platform's own client.
    by_staff: bool = False
    #: Of the staff, where the platform tells.
    author_name: str | None = None


class MessageRecalled(ThreadItem, frozen=True, kw_only=True):
    """The customer took a message back: text and media are removed, a tombstone stays."""

    external_id: str
    #: True when our staff did it in the platform's own client.
    by_staff: bool = False
    #: Of the staff, where the platform tells.
    author_name: str | None = None


class Reacted(ThreadItem, frozen=True, kw_only=True):
    """The customer reacted to a message; `emoji` None means that the reaction was removed."""

    external_id: str
    emoji: str | None = None


class EchoReceived(ThreadItem, frozen=True, kw_only=True):
    """A message that our side sent: by us, seen again, or by staff in the platform's own client."""

    external_id: str
    content: Content
    #: Our delivery id, where the platform echoes it: then it is no new message but a reconciliation.
    correlation: str | None = None
    author_name: str | None = None


class IdentityLinked(Item, frozen=True, kw_only=True):
    """Two addresses are one person; or, with `verified_as`, the person proved who they are."""

    thread_key: str | None = None
    contact: Address | None = None
    other: Address | None = None
    #: A nonce or subject that an application can look up.
    verified_as: str | None = None
    reply: ReplyCredential | None = None


class PullRequested(Item, frozen=True, kw_only=True):
    """The platform says only that there is something to pull; `scope` names the cursor."""

    scope: str
    token: str | None = None


class AccountChanged(Item, frozen=True, kw_only=True):
    """Something about the account itself: suspended, resumed, quality, subscription."""

    change: str
    #: "info" is kept in the history; "warning" and "error" are shown to operators.
    severity: str = "info"
    details: dict[str, Any] = {}


class Ignored(Item, frozen=True, kw_only=True):
    """Known and deliberately without effect; the reason is counted and kept with the raw request."""

    reason: str


class Unknown(Item, frozen=True, kw_only=True):
    """A kind that this connector does not know: shown as a placeholder where it belongs to a thread."""

    raw: dict[str, Any]
    thread_key: str | None = None
    contact: Address | None = None
    member: Address | None = None
    reply: ReplyCredential | None = None
