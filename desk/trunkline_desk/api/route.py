"""One row of the route table: everything that is true of an operation, for the door and for the document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel

from trunkline.http.problems import Problem
from trunkline_desk.people.roles import Action, Actor

if TYPE_CHECKING:
    from aiohttp import web

    from trunkline.store import Transaction
    from trunkline_desk.api.desk import Desk
    from trunkline_desk.api.idempotency import Repeat

__all__ = ["Call", "Handler", "Route"]

B = TypeVar("B")
Q = TypeVar("Q")
T = TypeVar("T")


class Call(Generic[B, Q]):
    """One request that passed the door: who asks, for what, with which body and parameters."""

    def __init__(self, desk: Desk, request: web.Request, actor: Actor | None, *, body: B, query: Q) -> None:
        self.desk, self.request, self.body, self.query = desk, request, body, query
        self._actor = actor
        self.now = desk.now()
        #: What makes a repeated write one write; None where the caller asks for nothing of the kind.
        self.repeat: Repeat | None = None

    @property
    def actor(self) -> Actor:
        """Who asks. Only routes for anybody have nobody here."""
        if self._actor is None:
            raise Problem(401, "sign_in_needed", "Sign in first.", headers={"WWW-Authenticate": "Bearer"})
        return self._actor

    def path(self, name: str) -> str:
        """Return a part of the address."""
        return self.request.match_info[name]

    async def commit(self, work: Callable[[Transaction], T]) -> T:
        """Run a write whose result is the answer; with an Idempotency-Key both are stored together."""
        write = self.desk.house.store.writer.write
        if self.repeat is None:
            return await write(work)
        return await write(self.repeat.once(work))


Handler = Callable[[Call[Any, Any]], Awaitable[Any]]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """An operation. `handler` returns what is written as JSON, or a response of its own."""

    method: str
    #: Below /api/v1, with {names}.
    path: str
    handler: Handler
    action: Action
    #: Name of the operation in generated clients.
    operation: str
    summary: str
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    #: Refusals of its own besides those that every operation has: status → code.
    refusals: tuple[tuple[int, str], ...] = ()
    #: "application/json", or "application/octet-stream" where the handler reads the body itself.
    consumes: str = "application/json"
    produces: str = "application/json"
    #: False where the handler takes care of repeats itself, or where there is nothing to repeat.
    repeatable: bool = True
    #: True when the answer holds a secret: it is kept sealed for repeats.
    secret: bool = False

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.method not in {"GET", "HEAD"}

    @property
    def takes_key(self) -> bool:
        """Whether it heeds an Idempotency-Key: the key belongs to somebody."""
        return self.writes and self.repeatable and self.action is not Action.ANYBODY
