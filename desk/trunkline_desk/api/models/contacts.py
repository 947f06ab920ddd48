"""One customer: who they are on every account, what was said with them, and what is known of them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from trunkline_desk.api.models.content import Media
from trunkline_desk.api.models.threads import ThreadSummary
from trunkline_desk.api.models.words import Answer, Body, Line, Time

__all__ = ["Contact", "ContactChange"]


class ContactIdentity(Answer):
    """One address of a customer; `verified` when somebody other than they vouches for it."""

    id: str
    account_id: str
    account_title: str
    channel: str
    channel_title: str
    external_id: str
    kind: str
    name: str | None
    reachable: bool
    verified: bool


class Visit(Answer):
    """A page that they looked at."""

    url: str | None
    title: str | None
    at: Time | None


class Origin(Answer):
    """How they came to a site of ours: the page that they came from, and what its link said of a campaign (`utm_…`)."""

    referrer: str | None
    campaign: dict[str, str] = Field(examples=[{"source": "newsletter"}])


class Attributes(Answer):
    """What they say of themselves, and what a site of ours vouches for: name, email, phone, locale and the like.

    What a site adds of its own stands in `attributes`.
    """

    stated: dict[str, Any] = Field(examples=[{"email": "ann@mail.example"}])
    verified: dict[str, Any]


class Contact(Answer):
    """A customer."""

    id: str
    name: str | None
    avatar: Media | None
    language: str | None
    created_at: Time
    identities: list[ContactIdentity]
    #: The newest 50, newest message first.
    threads: list[ThreadSummary]
    #: The last 20, newest first.
    visits: list[Visit]
    #: None where nothing is known of it.
    origin: Origin | None
    attributes: Attributes


class ContactChange(Body):
    """What agents call them; what platforms tell changes it no more."""

    name: Line
