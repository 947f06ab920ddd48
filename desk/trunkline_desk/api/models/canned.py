"""Prepared answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from trunkline_desk.api.models.words import Answer, Body, Line, Page, Prose, Time

__all__ = ["CannedReply", "CannedReplyBody", "CannedReplyChange", "CannedReplyPage"]

#: What is typed after a slash; kept in lower case.
Shortcut = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=40, pattern=r"^[^\s/\x00-\x1f]+$"),
    Field(examples=["thanks"]),
]


class CannedReply(Answer):
    """A prepared answer; `owner_id` is null when it is everybody's.

    `{{contact.name}}`, `{{agent.name}}` and `{{account.title}}` are filled in by the inbox when it is inserted.
    """

    id: str
    shortcut: str
    title: str
    text: str
    shared: bool
    owner_id: str | None
    updated_at: Time


class CannedReplyPage(Page[CannedReply]):
    """Everybody's prepared answers and one's own, by shortcut."""


class CannedReplyBody(Body):
    """A new prepared answer: everybody's if `shared`, else one's own."""

    shortcut: Shortcut
    title: Line
    text: Prose
    shared: bool = False


class CannedReplyChange(Body):
    """What to change; what is left out stays."""

    shortcut: Shortcut | None = None
    title: Line | None = None
    text: Prose | None = None
    #: True makes it everybody's, false the changer's own; only admins may.
    shared: bool | None = None
