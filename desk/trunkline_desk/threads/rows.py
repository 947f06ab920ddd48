"""What every reader of threads shares: a database to ask, and pages that survive what arrives meanwhile."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Concatenate, ParamSpec, Protocol, TypeVar

import msgspec
from sqlalchemy import CursorResult, Executable

from trunkline.http.problems import FieldError, Problem
from trunkline.store import Store

__all__ = ["Database", "Id", "Place", "ask", "bad_cursor", "cursor_of", "int_cursor", "not_found", "read_cursor"]

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")

#: A number that fits a BIGINT of both databases.
Place = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
#: An id of ours.
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]


class Database(Protocol):
    """What a reader asks: the connection of a reader, or the transaction of a write that answers with what it wrote."""

    def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None, /) -> CursorResult[Any]:
        """Run a statement."""
        ...


def ask(store: Store, reader: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
    """Run a reader on a read-only connection, in one transaction."""
    return store.ask(lambda database: reader(database, *args, **kwargs))


def cursor_of(*place: int | str) -> str:
    """Return an opaque cursor for a place in a list."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(cursor: str, shape: type[C]) -> C:
    """Return the place that a cursor of ours stands for.

    Raises:
        Problem: 400 when it is none of ours.
    """
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=shape)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise bad_cursor() from None


def int_cursor(cursor: str | None) -> int | None:
    """Return the place that a cursor made of one number stands for, None for the beginning."""
    return None if cursor is None else read_cursor(cursor, tuple[Place])[0]


def bad_cursor() -> Problem:
    """Return the refusal of a cursor."""
    words = "This cursor is none of ours; begin with the first page."
    return Problem(400, "bad_cursor", words, errors=[FieldError("cursor", words)])


def not_found(what: str) -> Problem:
    """Return the refusal of an id that leads nowhere: "thread", "message"."""
    return Problem(404, f"unknown_{what}", f"There is no such {what}.")
