"""What the calls of the visitor protocol carry.

It is strict about kinds of values; fields that are not known are ignored, as the protocol says.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "CHANGES_PAGE",
    "MESSAGES_PAGE",
    "Body",
    "ChangesQuery",
    "ConfigQuery",
    "ContextBody",
    "DeviceBody",
    "ExchangeBody",
    "FileQuery",
    "ForceQuery",
    "FormQuery",
    "MeBody",
    "MessageBody",
    "MessagesQuery",
    "PostbackBody",
    "PutQuery",
    "Query",
    "ReadBody",
    "SubmissionBody",
    "TokenBody",
    "TypingBody",
]

#: How much a page holds at most.
MESSAGES_PAGE, CHANGES_PAGE = 100, 200
_NO_NUL = r"^[^\x00]*$"
#: One line of text.
Line = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Prose = Annotated[str, StringConstraints(pattern=_NO_NUL)]
Address = Annotated[str, StringConstraints(max_length=2048, pattern=r"^[^\x00-\x1f\x7f]*$")]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_.-]+$")]
ClientId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"),
]
Cursor = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Number = Annotated[int, Field(ge=0, le=2**53)]


class Body(BaseModel):
    """Base of what a call carries."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True)


class Query(BaseModel):
    """Base of the parameters in an address; they come as text."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


# ---------------------------------------------------------------- what calls carry


class HmacIdentity(Body):
    """The older proof: HMAC-SHA256 of the id in hex."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    hmac: Annotated[str, StringConstraints(min_length=64, max_length=64)]


#: A JWT, or the older proof.
Identity = Annotated[str, StringConstraints(min_length=1, max_length=8192)] | HmacIdentity


class MeBody(Body):
    """What visitors say of themselves; null takes a value back."""

    name: Line | None = None
    email: (
        Annotated[str, StringConstraints(max_length=254, pattern=r"^[^\x00-\x20\x7f@]+@[^\x00-\x20\x7f@]+$")] | None
    ) = None
    phone: Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9+ ()/.-]{3,32}$")] | None = None
    locale: Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z0-9-]{2,35}$")] | None = None
    timezone: Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_+/-]{1,64}$")] | None = None
    attributes: dict[str, str | int | float | bool | None] | None = None


class View(Body):
    """One page or screen that was seen."""

    url: Address | None = None
    screen: Line | None = None
    title: Annotated[str, StringConstraints(max_length=256, pattern=_NO_NUL)] | None = None
    at: Annotated[str, StringConstraints(max_length=40)] | None = None


class ContextBody(Body):
    """Where somebody is and where they came from."""

    views: Annotated[list[View], Field(max_length=20)] = []
    utm: dict[Line, Line] | None = None
    referrer: Address | None = None


class TokenBody(Body):
    """A wish for a token."""

    identity: Identity | None = None
    device_id: Identifier | None = None
    profile: MeBody | None = None
    context: ContextBody | None = None


class ExchangeBody(Body):
    """A proof of identity for a token that is there: sign-in, renewal, or with `switch` another user."""

    identity: Identity
    switch: bool = False


class DeviceBody(Body):
    """Where a push may wake an app."""

    provider: Literal["apns", "fcm", "hms", "webpush"]
    push_token: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    environment: Literal["production", "sandbox"] | None = None
    bundle_id: Line | None = None
    locale: Line | None = None
    enabled: bool = True


class Attached(Body):
    """One file of a message."""

    upload_id: Identifier


class MessageBody(Body):
    """A message. `kind` says what else is there."""

    client_id: ClientId
    kind: Annotated[str, StringConstraints(max_length=40)] = "text"
    text: Prose | None = None
    quoted_id: Identifier | None = None
    attachments: Annotated[list[Attached], Field(max_length=10)] = []
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    title: Line | None = None
    metadata: dict[str, Any] | None = None


class PostbackBody(Body):
    """A button that was pressed."""

    client_id: ClientId
    message_id: Identifier
    action_id: Identifier
    value: Line | None = None


class SubmissionBody(Body):
    """A form, filled in."""

    client_id: ClientId
    group_id: Identifier | None = None
    form_version: Identifier
    #: Key of the field → answer.
    values: Annotated[dict[str, str | bool | list[str] | None], Field(max_length=40)]
    attachments: Annotated[list[Attached], Field(max_length=10)] = []


class ReadBody(Body):
    """Up to where was read."""

    pos: Number


class TypingBody(Body):
    """Nothing."""


class UploadPlan(Body):
    """A file that will be put."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    size: Annotated[int, Field(ge=1, le=2**40)]
    mime: Line


class ConfigQuery(Query):
    """What the configuration is for."""

    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    url: Address | None = None


class FormQuery(Query):
    """Which group the customer is bound for."""

    group_id: Identifier | None = None


class ForceQuery(Query):
    """Whether a loss is wanted."""

    force: bool = False


class MessagesQuery(Query):
    """Which messages: before or after a position; the newest without either."""

    before: Number | None = None
    after: Number | None = None
    limit: Annotated[int, Field(ge=1, le=MESSAGES_PAGE)] = 30


class ChangesQuery(Query):
    """Which changes, and how long to wait for the first."""

    cursor: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=CHANGES_PAGE)] = 100
    wait: Annotated[float, Field(ge=0, le=25)] = 0


class FileQuery(Query):
    """The signature of an address of a file."""

    sig: Annotated[str, StringConstraints(max_length=64)] = ""
    variant: Literal["original", "preview"] = "original"


class PutQuery(Query):
    """The signature of a place to put a file."""

    sig: Annotated[str, StringConstraints(max_length=64)] = ""
    until: Number = 0
    size: Number = 0
    name: Annotated[str, StringConstraints(max_length=255)] | None = None
