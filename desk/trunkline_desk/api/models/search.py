"""The search: what is asked, and what was found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from trunkline_desk.api.models.messages import Author
from trunkline_desk.api.models.threads import ContactSummary, Limit, ThreadSummary
from trunkline_desk.api.models.words import Answer, Query, Time

__all__ = ["SearchPage", "SearchQuery"]

#: Start and end of a found place, in characters (code points), the end not included.
Mark = Annotated[list[int], Field(min_length=2, max_length=2)]


class SearchQuery(Query):
    """What to find. Every word must occur, the last one may be unfinished; no sign has a meaning of its own."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=200), Field(examples=["parcel"])]
    scope: Literal["all", "contacts", "messages"] = "all"
    #: The last six months, or everything.
    period: Literal["recent", "all"] = "recent"
    cursor: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    limit: Limit = 20


class FoundContact(Answer):
    """A customer; `marks` are places in their name, `thread` is the newest of theirs."""

    contact: ContactSummary
    threads: int
    thread: ThreadSummary | None
    marks: list[Mark]


class FoundMessage(Answer):
    """A message; `marks` are places in the snippet."""

    message_id: str
    position: int
    at: Time
    direction: Literal["in", "out"]
    author: Author
    snippet: str
    marks: list[Mark]
    thread: ThreadSummary


class SearchPage(Answer):
    """What was found, newest first. Contacts stand on the first page of scope "all".

    `indexed_upto` is the number of the last event that the search knows of.
    """

    contacts: list[FoundContact]
    messages: list[FoundMessage]
    next_cursor: str | None
    indexed_upto: int
