"""The door of the API: who asks, may they, is the body what it says; then the handler; then the answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web
from pydantic import BaseModel, ValidationError

from trunkline.http.problems import FieldError, Problem
from trunkline_desk.api.idempotency import Repeat, fingerprint_of, key_of
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action, Actor, authorize
from trunkline_desk.people.tokens import TOUCH_MS, find_actor, touch_token

if TYPE_CHECKING:
    from trunkline_desk.api.desk import Desk

__all__ = ["MAX_BODY", "admit", "open_door"]

MAX_BODY = 1024 * 1024
#: What an id or a token in an address may be; everything else leads nowhere, and never to the database.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_encode = msgspec.json.Encoder().encode
#: Kinds of pydantic's complaints that mean that the body is no JSON at all.
_NO_JSON = frozenset({"json_invalid", "json_type"})


def open_door(desk: Desk, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of a route for aiohttp."""

    async def handle(request: web.Request) -> web.StreamResponse:
        actor = None if route.action is Action.ANYBODY else await admit(desk, request, route.action)
        if route.writes:
            _refuse_strangers(request)
        call = await _read(desk, request, route, actor)
        return _answer(route, await route.handler(call))

    return handle


async def admit(desk: Desk, request: web.Request, action: Action) -> Actor:
    """Return who asks.

    Raises:
        Problem: 401 without a good token, 403 when the role does not suffice.
    """
    token = _bearer(request)
    found = None
    if token is not None:
        found = await desk.house.store.ask(partial(find_actor, token=token, now=desk.now()))
    if found is None:
        words = "Sign in first." if token is None else "This token is over; sign in again."
        raise Problem(401, "sign_in_needed", words, headers={"WWW-Authenticate": "Bearer"})
    actor, last_used_at = found
    authorize(actor, action)
    now = desk.now()
    if now - last_used_at > TOUCH_MS:
        desk.later(desk.house.store.writer.write(lambda tx: touch_token(tx, actor.token_id, now)), "touch")
    return actor


def _bearer(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _refuse_strangers(request: web.Request) -> None:
    """Refuse writes that a browser says another site began, whatever they carry."""
    if request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
        raise Problem(403, "cross_site", "Writes from another site are refused.")


async def _read(desk: Desk, request: web.Request, route: Route, actor: Actor | None) -> Call[Any, Any]:
    if not all(map(_NAME.fullmatch, request.match_info.values())):
        raise Problem(404, "not_found", "There is nothing at this address.")
    query = _parameters(route.query, request) if route.query else None
    raw = await _body(request) if route.body else b""
    body = _parse(route.body, raw) if route.body else None
    call: Call[Any, Any] = Call(desk, request, actor, body=body, query=query)
    key = key_of(request) if route.takes_key else None
    if key is not None and actor is not None:
        call.repeat = Repeat(
            actor=actor.id,
            key=key,
            fingerprint=fingerprint_of(request, hashlib.sha256(raw).hexdigest()),
            status=route.status,
            now=call.now,
            box=desk.house.secrets if route.secret else None,
        )
    return call


async def _body(request: web.Request) -> bytes:
    """Read a JSON body of at most 1 MiB."""
    if request.content_type != "application/json" or request.headers.get("Content-Encoding"):
        raise Problem(415, "json_only", "Send application/json, not compressed.")
    if (request.content_length or 0) > MAX_BODY:
        raise _too_large()
    chunks, size = [], 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> Problem:
    return Problem(413, "body_too_large", "The body is longer than 1 MiB.")


def _parse(model: type[BaseModel], raw: bytes) -> BaseModel:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if any(one["type"] in _NO_JSON for one in error.errors(include_input=False, include_url=False)):
            raise Problem(400, "body_unreadable", "The body is no JSON.") from None
        raise Problem(422, "invalid", _sentence(error), errors=_fields(error)) from None


def _parameters(model: type[BaseModel], request: web.Request) -> BaseModel:
    given = {name: request.query.getall(name) for name in request.query}
    try:
        return model.model_validate({name: values[0] if len(values) == 1 else values for name, values in given.items()})
    except ValidationError as error:
        raise Problem(400, "bad_parameter", _sentence(error), errors=_fields(error)) from None


def _fields(error: ValidationError) -> list[FieldError]:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [FieldError(".".join(map(str, one["loc"])), _words(one["msg"])) for one in found][:20]


def _words(message: str) -> str:
    """Return pydantic's words without the pattern that nobody wants to read."""
    if message.startswith("String should match pattern"):
        return "This holds characters that are not allowed here."
    return f"{message}."


def _sentence(error: ValidationError) -> str:
    first = _fields(error)[0]
    return f"{first.field}: {first.message}" if first.field else first.message


def _answer(route: Route, result: Any) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    if route.answer is None:
        return web.Response(status=route.status)
    return web.Response(status=route.status, body=_encode(result), content_type="application/json")
