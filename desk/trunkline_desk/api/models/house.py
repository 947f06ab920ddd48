"""The house around the desk: accounts, channels, and refusals."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from trunkline_desk.api.models.words import Answer, Page, Query

__all__ = [
    "Account",
    "AccountPage",
    "Channel",
    "ChannelPage",
    "Problem",
    "UploadQuery",
    "VariantQuery",
]


class FieldError(Answer):
    """What is wrong with one field or parameter."""

    field: str
    message: str


class Problem(Answer):
    """What went wrong (RFC 9457); `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] | None = None


class Account(Answer):
    """One configured presence on a channel; locked when it comes from the configuration file."""

    id: str
    connector: str
    channel: str
    title: str
    state: Literal["connected", "connecting", "sign_in_needed", "failing", "disabled"]
    reason: str | None
    locked: bool


class AccountPage(Page[Account]):
    """All accounts."""


class Channel(Answer):
    """A kind of place that customers write from."""

    channel: str
    connector: str
    title: str
    capabilities: dict[str, Any]


class ChannelPage(Page[Channel]):
    """All channels."""


class UploadQuery(Query):
    """What the file is called; a name is words, never a path."""

    name: Annotated[str, StringConstraints(max_length=255)] | None = None


class VariantQuery(Query):
    """The file itself, or a picture of it."""

    variant: Literal["original", "preview"] = "original"
