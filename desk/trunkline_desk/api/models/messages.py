"""Messages and what became of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from trunkline.model import DeliveryState
from trunkline_desk.api.models.composing import NewContent
from trunkline_desk.api.models.content import Content
from trunkline_desk.api.models.people import AgentRef
from trunkline_desk.api.models.words import Answer, Body, Identifier, Page, Prose, Time

__all__ = ["Event", "EventPage", "Message", "MessagePage", "NewReply", "Note", "NoteBody", "NotePage"]


class Author(Answer):
    """Who wrote a message."""

    kind: Literal["contact", "agent", "bot", "system", "staff_elsewhere"]
    id: str | None
    name: str | None


class QuickReply(Answer):
    """A suggested answer shown with a message."""

    title: str
    data: str | None = None
    kind: str | None = None


class Reason(Answer):
    """Why a delivery is in its state, in words for the agent; `platform_text` are the platform's own."""

    code: str
    text: str
    whose: Literal["recipient", "content", "account", "platform", "us"] | None
    platform_text: str | None = None
    platform_code: str | None = None


class Delivery(Answer):
    """One attempt-bearing way out of a message."""

    id: str
    part: int
    parts: int
    state: DeliveryState
    reason: Reason | None
    attempts: int
    next_attempt_at: Time | None
    at: Time
    maybe_duplicate: bool
    level: Literal["full", "partial", "fallback", "dropped", "rejected"]
    cost: Literal["free", "quota", "paid"] | None


class ReplyTo(Answer):
    """The message that this one answers."""

    message_id: str | None
    external_id: str | None
    preview: str | None


class Placeholder(Answer):
    """Stands for something that could not be read."""

    quarantine_id: str
    reason: str


class Reaction(Answer):
    """What somebody thinks of a message; of ours the platform keeps one."""

    emoji: str
    author: Author


class Message(Answer):
    """What was said."""

    id: str
    thread_id: str
    position: int
    direction: Literal["in", "out"]
    author: Author
    content: Content
    quick_replies: list[QuickReply]
    reply_to: ReplyTo | None
    at: Time
    platform_at: Time | None
    late: bool
    edited_at: Time | None
    previous: list[Content]
    recalled_at: Time | None
    placeholder: Placeholder | None
    deliveries: list[Delivery]
    delivery_state: DeliveryState | None
    retryable: bool
    #: Those that stand now; told with a message that is read, not in events.
    reactions: list[Reaction] = Field(default_factory=list)


class MessagePage(Page[Message]):
    """Messages, oldest first; `next_cursor` is the `before` of the page above."""


class NewQuickReply(Body):
    """A suggested answer; `data` comes back when the customer takes it."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\x00]*$")]
    data: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")] | None = None


class NewReply(Body):
    """What an agent writes: files, a text, and one structured content, sent in this order."""

    text: Prose | None = Field(default=None, examples=["Good morning! Your parcel left today."])
    attachments: Annotated[list[Identifier], Field(max_length=20)] = Field(default_factory=list)
    quick_replies: Annotated[list[NewQuickReply], Field(max_length=50)] = Field(default_factory=list)
    content: NewContent | None = None
    reply_to: Identifier | None = None


class Note(Answer):
    """Words among agents; the customer never sees them."""

    id: str
    thread_id: str
    author: AgentRef
    text: str
    at: Time


class NotePage(Page[Note]):
    """Notes, oldest first."""


class NoteBody(Body):
    """What to note."""

    text: Prose


class Actor(Answer):
    """Who caused an event; the name as it was."""

    kind: Literal["contact", "agent", "bot", "system", "connector", "operator"]
    id: str | None
    name: str | None


class Event(Answer):
    """One fact of the log; the payload is a snapshot."""

    seq: int
    at: Time
    kind: str
    thread_id: str | None
    actor: Actor
    payload: dict[str, Any]
    #: In a thread's history: which round of the conversation it belongs to.
    round: int | None = None


class EventPage(Page[Event]):
    """A part of a thread's history, oldest first."""
