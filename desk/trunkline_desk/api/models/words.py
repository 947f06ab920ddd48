"""Kinds of text, and the bases of what comes in and goes out.

What comes in is strict: no field that is not declared, no number where a string is meant. What goes out is described
here for the document and checked against it in the tests; at run time it is written as it is.

Models are built at their first use (`defer_build`): all of them together would take as long as the rest of the start.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["Answer", "Body", "EmptyBody", "Identifier", "Line", "Page", "Prose", "Query", "Time"]

T = TypeVar("T")

#: One line of text without control characters.
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
]
#: Text of several lines; a NUL is no text, and PostgreSQL refuses it.
Prose = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=r"^[^\x00]*$")]
#: An id of ours, or what may be one.
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]
#: RFC 3339 in UTC with milliseconds.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Body(BaseModel):
    """Base of what a request carries."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Query(BaseModel):
    """Base of the parameters of a list; they come as text, so numbers and truths are read from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Answer(BaseModel):
    """Base of what an answer carries."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class EmptyBody(Body):
    """`{}`: says that the request is ours and no form of somebody else's page."""


class Page(Answer, Generic[T]):
    """A part of a list; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None
