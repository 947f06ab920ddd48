"""What the answers of the visitor protocol carry: written as they are made, held against these shapes in the tests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Answer",
    "ChangesAnswer",
    "Config",
    "Contact",
    "Device",
    "Form",
    "MessagesPage",
    "ReadAnswer",
    "Refusal",
    "Sent",
    "SubmissionList",
    "SubmissionSent",
    "ThreadList",
    "TokenAnswer",
    "Unread",
    "Upload",
]

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Answer(BaseModel):
    """Base of what an answer carries."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class RefusalError(Answer):
    """What was refused, and what to do."""

    code: str
    message: str
    field: str | None = None
    retry_after: int | None = None


class FieldMistake(Answer):
    """One answer of a form that is wrong."""

    field: str
    code: str
    message: str


class Refusal(Answer):
    """The answer to everything that is refused."""

    error: RefusalError
    request_id: str
    #: With 422 `field_errors`: what is wrong where.
    errors: list[FieldMistake] | None = None
    #: With 409 `form_outdated`: the form as it is now.
    form: dict[str, Any] | None = None
    #: With 410 `cursor_expired`: where to go on after everything was read anew.
    reset: bool | None = None
    cursor: str | None = None


class Limits(Answer):
    """What is too much."""

    text: int
    upload_bytes: int
    upload_types: list[str]
    attachments: int
    metadata_bytes: int
    frame_bytes: int
    body_bytes: int
    attributes: int
    messages_page: int
    changes_page: int
    messages_per_minute: int
    messages_at_once: int


class Config(BaseModel):
    """What a client needs to know of an inbox. The connector's own words stand beside (theme, texts, …)."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    inbox: dict[str, Any]
    protocol: dict[str, int]
    server_time: Time
    features: dict[str, bool]
    feature_reasons: dict[str, str]
    identity: dict[str, str]
    heartbeat_s: int
    availability: dict[str, Any]
    limits: Limits
    locale: str


class ContactRef(Answer):
    """Who one is."""

    id: str
    name: str | None
    locale: str | None


class Contact(ContactRef):
    """What is known of oneself."""

    email: str | None
    phone: str | None
    timezone: str | None
    attributes: dict[str, Any]
    identity: Literal["anonymous", "verified"]
    #: Names of fields that were signed and that only a signed value replaces.
    verified_fields: list[str]


class Author(Answer):
    """Who said something."""

    kind: Literal["contact", "agent", "bot", "system"]
    id: str | None
    name: str | None


class Attachment(Answer):
    """One file. Addresses are paths on this host."""

    upload_id: str | None
    url: str | None
    preview_url: str | None
    name: str | None
    size: int | None
    mime: str | None
    width: int | None
    height: int | None
    duration_ms: int | None


class Action(Answer):
    """A button."""

    id: str
    label: str
    type: Literal["postback", "url"]
    url: str | None = None


class Card(Answer):
    """A titled picture with buttons."""

    title: str
    body: str | None
    image: Attachment | None
    actions: list[Action]


class Quoted(Answer):
    """The message that one answers."""

    id: str | None
    text: str | None


class Message(Answer):
    """A message. Show `fallback` for a kind that you do not know."""

    id: str
    client_id: str | None
    thread_id: str
    pos: int
    rev: int
    author: Author
    kind: str
    text: str | None = None
    attachments: list[Attachment] = []
    latitude: float | None = None
    longitude: float | None = None
    title: str | None = None
    body: str | None = None
    image: Attachment | None = None
    actions: list[Action] = []
    cards: list[Card] = []
    options: list[Action] = []
    quoted: Quoted | None = None
    origin: str
    state: str
    created_at: Time
    edited_at: Time | None = None
    fallback: str


class Thread(Answer):
    """A conversation. New messages go to the one that is `live`."""

    id: str
    live: bool
    state: Literal["open", "closed"]
    last_pos: int
    #: Up to where the visitor has read.
    read_pos: int
    unread: int
    #: How many of the visitor's messages no agent has read.
    agent_unread: int
    agent: Author | None
    last_message_at: Time


class FormField(Answer):
    """One question of a form."""

    key: str
    kind: Literal["text", "textarea", "email", "phone", "date", "select", "multi_select", "checkbox"]
    label: str
    required: bool
    placeholder: str | None
    options: list[str]
    max_length: int


class Form(Answer):
    """The leave-a-message form, in the client's language."""

    mode: Literal["offline_message", "ticket"]
    #: Which setting decided, and why it was not the group's where groups decide.
    setting_dimension: Literal["channel", "group"]
    reason: str | None = None
    fields: list[FormField]
    notice: str | None
    version: str


class Submission(Answer):
    """A form that was sent."""

    id: str
    #: What one can quote: "S-12".
    reference: str | None
    mode: Literal["offline_message", "ticket"]
    state: str
    setting_dimension: Literal["channel", "group"]
    reason: str | None
    sdk_version: str | None
    created_at: Time


class SubmissionSent(Answer):
    """What became of a form; `message` holds its words in offline-message mode."""

    submission: Submission
    thread_id: str
    message: Message | None
    replayed: bool


class SubmissionShown(Submission):
    """A form with what came of it."""

    thread_id: str
    last_reply: Message | None


class SubmissionList(Answer):
    """One's own forms, the newest first."""

    submissions: list[SubmissionShown]


class TokenAnswer(Answer):
    """A token and where one stands."""

    token: str
    expires_at: Time
    identity: Literal["anonymous", "verified"]
    contact: ContactRef
    merged: bool
    thread: Thread | None
    unread: int
    cursor: str
    server_time: Time
    features: dict[str, bool]
    feature_reasons: dict[str, str]


class Device(Answer):
    """A device; its token is not shown."""

    device_id: str
    provider: str
    environment: str | None
    bundle_id: str | None
    locale: str | None
    enabled: bool


class Unread(Answer):
    """How much is unread."""

    unread: int
    cursor: str


class ThreadList(Answer):
    """All threads, the live one first."""

    threads: list[Thread]
    cursor: str


class MessagesPage(Answer):
    """A page of a thread, oldest first."""

    messages: list[Message]
    has_more: bool


class Sent(Answer):
    """What became of a message."""

    message: Message
    seq: int | None
    replayed: bool


class ReadAnswer(Answer):
    """How far was read, and what is left."""

    read_pos: int
    unread: int


class Change(Answer):
    """One change; apply it by the id in `data`, ignore a lower `rev`."""

    seq: int
    type: str
    at: Time
    data: dict[str, Any]


class ChangesAnswer(Answer):
    """Changes in rising order."""

    changes: list[Change]
    cursor: str
    more: bool
    reset: bool
    server_time: Time


class Upload(Answer):
    """A stored file, or with `put_url` a place for one."""

    upload_id: str
    kind: str | None = None
    name: str | None = None
    size: int | None = None
    mime: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    put_url: str | None = None
