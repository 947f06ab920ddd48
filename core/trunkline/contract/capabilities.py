"""What a channel can do, as data: the API, the composer, the docs and the conformance cases derive from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from trunkline.contract.items import Act
from trunkline.model import AuthorKind, ContentKind, Cost, Level

__all__ = [
    "Adjustment",
    "Afterwards",
    "Capabilities",
    "CardLimit",
    "ContentRule",
    "Context",
    "Effective",
    "Extra",
    "Idempotency",
    "MediaLimit",
    "QuickReplyLimit",
    "Rate",
    "Receipts",
    "Receiving",
    "Sending",
    "Submissions",
    "TextLimit",
    "TextUnit",
    "Transport",
    "Window",
]


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything declared here."""


class TextUnit(StrEnum):
    """How a platform counts text."""

    CHARACTERS = "characters"
    UTF16 = "utf16"
    UTF8 = "utf8"
    GRAPHEMES = "graphemes"


class TextLimit(Declaration, frozen=True):
    """At most `max` units in one message; longer text is split at grapheme borders."""

    max: int
    unit: TextUnit = TextUnit.CHARACTERS


class MediaLimit(Declaration, frozen=True):
    """One row per group of MIME types; the first that matches counts."""

    #: "image/jpeg", or "image/*" for a family.
    mimes: tuple[str, ...]
    max_bytes: int
    max_duration_s: int | None = None


class CardLimit(Declaration, frozen=True):
    """The shape of a card, or of the cards of a carousel; 0 means that there is no such part."""

    title_max: int
    text_max: int = 0
    buttons_max: int = 0
    button_title_max: int = 0
    button_data_max: int = 0
    #: Cards side by side; 1 for a single card.
    cards_max: int = 1
    image: bool = True
    links: bool = True
    unit: TextUnit = TextUnit.CHARACTERS
    #: How the data of buttons is counted, where it is not as the words are.
    data_unit: TextUnit | None = None


class ContentRule(Declaration, frozen=True):
    """How one kind of content is carried in one direction."""

    level: Level
    #: Of a text; of all words of a link, which goes out as text where they are more.
    text: TextLimit | None = None
    media: tuple[MediaLimit, ...] = ()
    card: CardLimit | None = None
    #: Bytes of the longest address that a link or a button may have; a longer one is refused, never cut.
    url_max: int | None = None
    #: What it costs at most, where that is not `Sending.cost`.
    cost: Cost | None = None
    #: What `FALLBACK` turns it into.
    becomes: ContentKind | None = None
    #: Said to the agent where the level is not full, in English; catalogues translate by this text.
    note: str | None = None


class Afterwards(StrEnum):
    """What remains when a window is over."""

    NOTHING = "nothing"
    TEMPLATE = "template"
    TAG = "tag"
    #: Sending goes on, at a price.
    COSTS = "costs"


class Window(Declaration, frozen=True):
    """A right to write that the customer's acts open.

    Acts do not add up: each sets the budget to the larger of what is left and its own, and the end to the later one.
    """

    name: str
    opened_by: frozenset[Act]
    #: Seconds from the act; None for no end.
    lasts_s: int | None = None
    #: Messages to the platform; None for no limit.
    budget: int | None = None
    authors: frozenset[AuthorKind] = frozenset({AuthorKind.AGENT, AuthorKind.BOT, AuthorKind.SYSTEM})
    afterwards: Afterwards = Afterwards.NOTHING
    #: Acts after which the platform takes nothing more, whatever was left.
    closed_by: frozenset[Act] = frozenset()


class Submissions(Declaration, frozen=True):
    """Leave-a-message forms."""

    #: Its place in the table of channels, 0 for one that stands in none.
    serial: int = 0
    #: "offline_message", "ticket"; none where no forms are taken.
    modes: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    min_client_version: Mapping[str, str] = {}
    ticket_reply: bool = False
    prompt_limit: Mapping[str, Any] | None = None


class Receipts(Declaration, frozen=True):
    """What the platform tells after its yes."""

    delivered: bool = False
    read: bool = False
    #: True when a receipt covers all messages up to a time.
    watermark: bool = False
    #: True when a failure can arrive after the yes.
    late_failure: bool = False


class Idempotency(StrEnum):
    """What protects a repeated send."""

    #: A key: the same send again is refused or answered as the first.
    KEY = "key"
    #: A field of ours that comes back in receipts or echoes.
    CORRELATION = "correlation"
    NOTHING = "nothing"


class Rate(Declaration, frozen=True):
    """At most `limit` requests in `per_s` seconds; `scope` is "account" or "recipient"."""

    limit: int
    per_s: float = 1.0
    scope: str = "account"


class Sending(Declaration, frozen=True):
    """How messages go out."""

    idempotency: Idempotency = Idempotency.NOTHING
    #: How long a key is remembered by the platform, seconds.
    key_life_s: int | None = None
    rates: tuple[Rate, ...] = ()
    #: Requests in flight at once for one account.
    concurrency: int = 8
    #: Messages of one thread that one request may carry. The parts of one message share requests, and so do messages
    #: that wait together, unless `idempotency` is CORRELATION, whose field names one delivery. The platform takes a
    #: request whole or not at all, and what it costs does not depend on how many it carries.
    items_per_request: int = 1
    cost: Cost = Cost.FREE
    #: True when the platform keeps the order of consecutive requests to one recipient.
    ordered: bool = True
    #: True when events carry reply credentials that make an answer cheaper or possible.
    reply_credentials: bool = False
    #: Seconds that one attempt may take.
    timeout_s: float = 30.0


class Transport(StrEnum):
    """How messages come in."""

    PUSH = "push"
    #: A push that only says "pull".
    NOTIFY = "notify"
    PULL = "pull"
    HOSTED = "hosted"


class Receiving(Declaration, frozen=True):
    """How messages come in."""

    transport: Transport = Transport.PUSH
    #: Whether the platform repeats what we did not acknowledge.
    redelivers: bool = False
    #: Seconds within which the platform wants its answer.
    answer_within_s: float = 5.0
    dedupe_source: str = ""
    #: The header without which a request cannot be proved: refused before its body is read.
    proof_header: str | None = None
    #: Seconds between two pulls that nobody asked for; None where nothing is pulled.
    pull_every_s: int | None = None
    max_body: int = 1024 * 1024


class QuickReplyLimit(Declaration, frozen=True):
    """Suggested answers under a message."""

    max: int
    title_max: int
    title_unit: TextUnit = TextUnit.CHARACTERS
    data_max: int = 0
    data_unit: TextUnit = TextUnit.CHARACTERS
    kinds: frozenset[str] = frozenset({"text"})
    #: What they may stand under; under anything else they get a text of their own, which names them.
    under: frozenset[ContentKind] = frozenset({ContentKind.TEXT})
    #: Room of the text above them, where it is less than that of other texts: what is longer is split before it.
    text: TextLimit | None = None
    #: True where no two may have one title, or one data.
    distinct: bool = False


class Extra(StrEnum):
    """What a channel has besides messages."""

    TYPING = "typing"
    MARK_READ = "mark_read"
    REACTIONS_IN = "reactions_in"
    REACTIONS_OUT = "reactions_out"
    EDITS_IN = "edits_in"
    RECALLS_IN = "recalls_in"
    RECALL = "recall"
    QUOTES_IN = "quotes_in"
    QUOTE = "quote"
    TEMPLATES = "templates"
    PROFILE = "profile"
    SENDER_NAME = "sender_name"
    GROUPS = "groups"


class Capabilities(Declaration, frozen=True):
    """Everything a channel declares about itself."""

    receives: Mapping[ContentKind, ContentRule]
    sends: Mapping[ContentKind, ContentRule]
    windows: tuple[Window, ...] = ()
    submissions: Submissions = Submissions()
    receipts: Receipts = Receipts()
    sending: Sending = Sending()
    receiving: Receiving = Receiving()
    quick_replies: QuickReplyLimit | None = None
    extras: frozenset[Extra] = frozenset()

    def rule(self, kind: ContentKind) -> ContentRule:
        """Return how `kind` is sent; what is not declared is rejected."""
        return self.sends.get(kind, _REJECTED)


_REJECTED = ContentRule(level=Level.REJECTED, note="This channel has no such content.")


class Context(Declaration, frozen=True):
    """What a capability may depend on."""

    account_id: str
    group_id: str | None = None
    client_platform: str | None = None
    client_version: str | None = None
    #: "anonymous" or "verified", where the channel knows.
    identity_level: str | None = None
    address_kind: str | None = None
    #: Milliseconds since the epoch.
    at_ms: int = 0
    settings: Mapping[str, Any] = {}


class Effective(Declaration, frozen=True):
    """Capabilities in one context, and why they differ from the declared ones."""

    capabilities: Capabilities
    #: Capability path → reason code, e.g. "submissions.scopes" → "sdk_too_old".
    reasons: Mapping[str, str] = {}


#: Narrows the declared capabilities to a context.
Adjustment = Callable[[Capabilities, Context], Effective]
