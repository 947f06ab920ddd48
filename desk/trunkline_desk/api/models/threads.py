"""Threads: the rows of the inbox, and what the composer may do in one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trunkline_desk.api.models.content import Media
from trunkline_desk.api.models.people import AgentRef
from trunkline_desk.api.models.words import Answer, Body, Identifier, Page, Query, Time

__all__ = [
    "AssigneeBody",
    "BeforeQuery",
    "Composer",
    "PageQuery",
    "ReadBody",
    "Thread",
    "ThreadCounts",
    "ThreadPage",
    "ThreadSummary",
    "ThreadsQuery",
]

Unit = Literal["characters", "utf16", "utf8", "graphemes"]
Limit = Annotated[int, Field(ge=1, le=100)]
Cursor = Annotated[str, Field(min_length=1, max_length=400)]


class ContactSummary(Answer):
    """A customer, as shown in lists."""

    id: str
    name: str | None
    avatar: Media | None


class Preview(Answer):
    """The newest message in one line."""

    author: Literal["contact", "agent", "bot", "system", "staff_elsewhere"]
    type: str
    text: str | None


class Window(Answer):
    """What is left of the right to write; `afterwards` says what remains when it is over."""

    open: bool
    expires_at: Time | None
    remaining: int | None
    afterwards: Literal["nothing", "template", "tag", "costs"]
    reason: str | None


class ThreadSummary(Answer):
    """A row of the inbox."""

    id: str
    account_id: str
    channel: str
    channel_title: str
    contact: ContactSummary
    state: Literal["new", "in_service", "closed"]
    assignee: AgentRef | None
    unread: int
    last_message_at: Time
    last_position: int
    preview: Preview | None
    first_unanswered_at: Time | None
    window: Window | None
    reachable: bool
    round: int


class CardLimits(Answer):
    """The shape of a card; 0 means that there is no such part."""

    title_max: int
    text_max: int
    buttons_max: int
    button_title_max: int
    button_data_max: int
    #: Cards side by side.
    cards_max: int
    image: bool
    links: bool
    unit: Unit


class KindLimits(Answer):
    """How one kind of content is carried, and its limits; those that do not apply are left out or null."""

    level: Literal["full", "partial", "fallback", "dropped", "rejected"]
    max: int | None = None
    unit: Unit | None = None
    mimes: list[str] | None = None
    max_bytes: int | None = None
    max_duration_s: int | None = None
    card: CardLimits | None = None
    #: What it is carried as at level fallback.
    becomes: str | None = None
    #: Said to the agent where the level is not full.
    note: str | None = None


class QuickReplyLimits(Answer):
    """Suggested answers under a message."""

    max: int
    title_max: int
    title_unit: Unit


class Composer(Answer):
    """What may be written in a thread, now."""

    content: dict[str, KindLimits]
    quick_replies: QuickReplyLimits | None
    items_per_request: int
    extras: list[str]
    cost: Literal["free", "quota", "paid"]
    free_until: Time | None
    quota_left: int | None


class Identity(Answer):
    """One address of a customer."""

    id: str
    external_id: str
    kind: str
    name: str | None


class Thread(ThreadSummary):
    """A thread with what an agent needs to answer in it."""

    composer: Composer
    identities: list[Identity]


class ThreadPage(Page[ThreadSummary]):
    """Threads, newest message first; the live feed from `stream_cursor` on tells what changed since."""

    stream_cursor: int


class ThreadCounts(Answer):
    """How many threads are open."""

    mine: int
    unassigned: int
    all: int


class PageQuery(Query):
    """Which part of a list."""

    cursor: Cursor | None = None
    limit: Limit = 50


class BeforeQuery(Query):
    """Which messages: those before a position."""

    before: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    limit: Limit = 50


class ThreadsQuery(PageQuery):
    """Which threads."""

    view: Literal["all", "mine", "unassigned"] = "all"
    #: "me", "none", or an agent.
    assignee: Identifier | None = None
    state: Literal["open", "closed", "any"] = "open"
    account: Identifier | None = None
    channel: Identifier | None = None
    unread: bool = False


class ReadBody(Body):
    """Up to which message the agent has read."""

    position: Annotated[int, Field(ge=0, le=2**53)]


class AssigneeBody(Body):
    """To whom; "me", or null for nobody."""

    agent_id: Identifier | None
