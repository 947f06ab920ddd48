"""Dead letters: what could not be read, what did not go out, and what is done about it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from trunkline_desk.api.models.threads import PageQuery
from trunkline_desk.api.models.words import Answer, Body, Identifier, Page, Query, Time

__all__ = [
    "ExportBody",
    "LetterDetail",
    "LetterPage",
    "LetterQuery",
    "Quarantined",
    "ReasonBody",
    "SweepBody",
    "Swept",
]

Kind = Literal["received", "sent"]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Filter(Query):
    """Which letters: all that is given must hold."""

    kind: Kind | None = None
    account_id: Identifier | None = None
    channel: Identifier | None = None
    #: Why: "unreadable", "window_closed", …
    reason: Word | None = None
    #: The platform's own error code, or the class of the error that could not be handled.
    code: Word | None = None
    #: From then on, when it was received or written; with an offset.
    since: AwareDatetime | None = None
    #: Before then.
    until: AwareDatetime | None = None


class LetterQuery(Filter, PageQuery):
    """Which part of the list, and of which letters."""


class ExportBody(Filter):
    """Which letters to write out."""

    model_config = Body.model_config


class SweepBody(Filter):
    """Which letters to try again, and how far the batches before this one came."""

    model_config = Body.model_config

    kind: Kind
    #: Only tell what it would come to.
    dry_run: bool
    #: Those of the batch before.
    upto: Identifier | None = None
    after: Identifier | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class ReasonBody(Body):
    """Why, in words that stay."""

    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$")
    ]


class Quarantined(Answer):
    """A request that could not be read, or a reply that did not go out."""

    id: str
    kind: Kind
    account_id: str
    #: When it was received, or written.
    at: Time
    state: Literal[
        "quarantined", "processed", "skipped", "deleted", "queued", "failed", "expired", "suppressed", "cancelled"
    ]
    reason: str | None
    error: str | None
    code: str | None
    attempts: int
    #: Our own: of the webhook, or of the call that asked for the reply.
    request_id: str | None
    thread_id: str | None
    message_id: str | None
    body_preview: str


class LetterPage(Page[Quarantined]):
    """What waits for a person, newest first."""


class LetterPayload(Answer):
    """What was received or would have been sent, as text; secrets are masked."""

    text: str
    #: Bytes of the whole.
    size: int
    #: Whether there is more of it than `text`.
    cut: bool


class LetterTry(Answer):
    """One attempt to send, and what the platform answered."""

    number: int
    started_at: Time
    ended_at: Time
    #: "accepted", or the code of the error.
    outcome: str
    route: str | None
    status: int | None
    code: str | None
    text: str | None
    request_id: str | None


class LetterDetail(Quarantined):
    """One of them with all that is stored."""

    #: Only the header that proved the sender is stored, and it is never shown.
    headers: dict[str, str]
    query: dict[str, str]
    payload: LetterPayload
    tries: list[LetterTry]


class SweepFailure(Answer):
    """One that is as dead as before."""

    id: str
    words: str


class Swept(Answer):
    """What a batch came to; of a dry run, what it would."""

    #: How many match from here on, this batch among them.
    matching: int
    tried: int
    done: int
    failed: int
    #: The first twenty.
    failures: list[SweepFailure]
    #: Say both for the next batch; without `after` there is none.
    upto: str | None
    after: str | None
