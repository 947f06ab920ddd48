"""The door of the visitor protocol: who calls, with which client, how often, with which body; then the handler.

Source: aiohttp 3.14, https://docs.aiohttp.org/en/stable/web_advanced.html (read 2026-11-21)
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from trunkline.errors import ContractError, StoreUnavailable
from trunkline.hosted import arriving, being, conversing, files, openapi, sockets, speaking, submitting
from trunkline.hosted.admission import admit, check_client, client_of
from trunkline.hosted.arriving import MAX_BODY
from trunkline.hosted.bodies import refused_body
from trunkline.hosted.call import Call
from trunkline.hosted.calls import ANYBODY, KEY, Answered, ClientCalls, ClientRoute, Inbox
from trunkline.hosted.front import Front
from trunkline.hosted.limiting import is_public
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.repeating import Told, is_repeatable, repeat_of
from trunkline.hosted.rotating import HEADER, follow
from trunkline.log import bind, get_logger
from trunkline.model import new_id

if TYPE_CHECKING:
    from trunkline.hosted.connector import Client
    from trunkline.hosted.visitors import Holder
    from trunkline.service.house import House
    from trunkline.service.media import StoredFile

__all__ = ["MAX_BODY", "build_calls", "client_app"]

log = get_logger("hosted")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
#: Status of aiohttp's own refusals → code.
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
_POLICY = "default-src 'none'; frame-ancestors 'none'"
_encode = msgspec.json.Encoder().encode
_ID = web.RequestKey("client_request_id", str)
_OPEN_HEADERS = "Authorization, X-Inbox-Key, X-Protocol, X-Request-Id, X-SDK-Platform, X-SDK-Version, X-SDK-Form"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_calls(house: House) -> ClientCalls:
    """Return the table of calls, those of applications at its end."""
    calls = ClientCalls()
    for room in (arriving, being, conversing, speaking, submitting, files):
        for route in room.ROUTES:
            calls.add(route)
    for name, application in house.applications.items():
        add = house.registry.applications[name].client_routes
        if add is not None:
            add(calls, house, application)
    return calls


def client_app(
    house: House,
    *,
    address_of: Callable[[web.Request], str],
    file_response: Callable[[StoredFile], web.FileResponse],
) -> web.Application:
    """Return the application to mount at `front.PREFIX`."""
    calls = build_calls(house)
    front = Front(house, calls, address_of=address_of, file_response=file_response, request_id_of=request_id_of)
    live = sockets.Sockets(front)
    app = web.Application(middlewares=[_edge])
    for route in calls:
        app.router.add_route(route.method, route.path, _open(front, route))
        if route.open_to_pages:
            app.router.add_route("OPTIONS", route.path, _preflight)
    app.router.add_get("/ws", live.serve)
    app.router.add_get("/openapi.json", _document(calls))
    app.on_response_prepare.append(_harden)

    async def run(_: web.Application) -> Any:
        front.hub.start()
        live.start()
        yield
        await live.stop()
        await front.settle()
        await front.hub.stop()

    async def hang_up(_: web.Application) -> None:
        front.hub.hang_up()

    app.cleanup_ctx.append(run)
    app.on_shutdown.extend((live.drain, hang_up))
    app[FRONT], app[SOCKETS] = front, live
    return app


#: For tests and applications.
FRONT = web.AppKey("front", Front)
SOCKETS = web.AppKey("sockets", sockets.Sockets)


def request_id_of(request: web.Request) -> str:
    """Return the id of a call: the client's own if it is one, else ours."""
    if _ID not in request:
        given = request.headers.get("X-Request-Id", "")
        request[_ID] = given if _REQUEST_ID.fullmatch(given) else new_id()
    return request[_ID]


# ---------------------------------------------------------------- the edge


@web.middleware
async def _edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the call its id, and every refusal its shape."""
    request_id = request_id_of(request)
    with bind(request_id=request_id):
        try:
            response = await handler(request)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the house: every call gets an answer
            response = _refusal(request, _as_refused(request, error))
    if not response.prepared:
        response.headers.setdefault("X-Request-Id", request_id)
    return response


def _refusal(request: web.Request, refused: ClientRefused) -> web.Response:
    document = {"error": refused.error(), "request_id": request_id_of(request), **refused.more}
    headers = {"Cache-Control": "no-store"}
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refused.code == "upgrade_required":
        headers |= {"Upgrade": "websocket", "Connection": "Upgrade"}
    if "allow" in refused.headers:
        headers["Allow"] = refused.headers["allow"]
    if hdrs.ORIGIN in request.headers and request.method == "GET":
        headers["Access-Control-Allow-Origin"] = "*"
    response = web.Response(
        status=refused.status, body=_encode(document), content_type="application/json", headers=headers
    )
    if request.can_read_body and not request.content.at_eof():
        response.force_close()
    return response


def _as_refused(request: web.Request, error: Exception) -> ClientRefused:
    match error:
        case ClientRefused():
            return error
        case StoreUnavailable(after_s=after_s):
            return ClientRefused("unavailable", retry_after=after_s)
        case web.HTTPException():
            return _from_aiohttp(error)
        case _:
            route = request.match_info.route.resource
            place = route.canonical if route is not None else "unknown"
            log.error("request.failed", method=request.method, route=place, exc_info=error)
            return ClientRefused("server_error")


def _from_aiohttp(error: web.HTTPException) -> ClientRefused:
    """Translate aiohttp's own refusals.

    Raises:
        web.HTTPException: it is no refusal.
    """
    if error.status < 400:
        raise error
    refused = ClientRefused(_CODES.get(error.status, "bad_request"))
    if "Allow" in error.headers:
        refused.headers["allow"] = error.headers["Allow"]
    return refused


async def _harden(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in (
        ("Content-Security-Policy", _POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    ):
        response.headers.setdefault(name, value)


async def _preflight(_request: web.Request) -> web.Response:
    """Let pages of other sites ask: without cookies, and for reading alone."""
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Headers": _OPEN_HEADERS,
        "Access-Control-Max-Age": "7200",
    }
    return web.Response(status=204, headers=headers)


def _document(calls: ClientCalls) -> Handler:
    @functools.cache
    def body() -> bytes:
        """Made at the first question: it takes as long as a tenth of the start."""
        return openapi.text(calls).encode()

    async def give(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body(), content_type="application/json")

    return give


# ---------------------------------------------------------------- one call


def _open(front: Front, route: ClientRoute) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if not all(map(_NAME.fullmatch, request.match_info.values())):
            raise ClientRefused("not_found")
        if request.method != "GET":
            _check_house(front)
        client = client_of(request)
        _check_protocol(request)
        inbox, holder = await _who(front, route, request, client)
        _check_limits(front, route, request, (inbox, holder))
        query = _parameters(route.query, request) if route.query else None
        raw = await _read(request) if route.body else b""
        call = Call(front, request, inbox, client, _parse(route.body, raw) if route.body else None, query)
        if holder is not None:
            call.held_by(holder)
        following = await follow(front, holder, _bearer(request)) if route.rotates and holder is not None else None
        response = await _once(route, call, raw)
        if following is not None:
            response.headers[HEADER] = following
        if route.open_to_pages:
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    return handle


async def _once(route: ClientRoute, call: Call, raw: bytes) -> web.StreamResponse:
    """Let a call be answered; one that comes again under its key is answered as before."""
    repeat = repeat_of(call.request, call.holder.visitor_id, raw, call.now) if is_repeatable(route) else None
    if repeat is None:
        return _answer(route, await route.handler(call))

    async def work() -> Told:
        result = await route.handler(call)
        if isinstance(result, web.StreamResponse):
            raise ContractError(f"{route.operation} changes something, so it answers with JSON: it may be repeated.")
        status, body = _told(route, result)
        return Told(status, b"" if body is None else _encode(body))

    # Whoever hangs up meanwhile must not leave a claim without its answer.
    told = await asyncio.shield(repeat.once(call.front.house.store, work))
    return web.Response(status=told.status, body=told.body or None, content_type="application/json")


def _check_house(front: Front) -> None:
    """Take nothing in that could not be kept."""
    vitals = front.house.vitals
    if vitals.draining or vitals.disk_is_full:
        raise ClientRefused("unavailable", retry_after=60 if vitals.disk_is_full else 5)


def _check_protocol(request: web.Request) -> None:
    if request.headers.get("X-Protocol", "1") != "1":
        raise ClientRefused("client_too_old", "This server speaks protocol 1.")


async def _who(
    front: Front, route: ClientRoute, request: web.Request, client: Client
) -> tuple[Inbox | None, Holder | None]:
    """Return the inbox and the holder that a call is for, as far as it needs them.

    Raises:
        ClientRefused: unknown_key, client_not_allowed, client_too_old, token_missing, token_invalid, token_expired,
            identity_required.
    """
    if route.auth == ANYBODY:
        return None, None
    if route.auth == KEY:
        inbox = front.directory.inbox(request.headers.get("X-Inbox-Key", ""))
        if inbox is None:
            raise ClientRefused("unknown_key")
        check_client(inbox, client)
        return inbox, None
    inbox, holder = await admit(front, _bearer(request))
    check_client(inbox, client)
    return inbox, holder


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ClientRefused("token_missing")
    return token.strip()


def _check_limits(
    front: Front, route: ClientRoute, request: web.Request, caller: tuple[Inbox | None, Holder | None]
) -> None:
    address, (inbox, holder) = front.address_of(request), caller
    for name in ("calls.ip", *route.limits):
        own = None if inbox is None else inbox.limit(name)
        if not name.endswith(".ip") and holder is not None:
            front.limiter.take(name, holder.visitor_id, own=own)
        elif is_public(address):
            who = address if inbox is None or own is None else f"{inbox.account.id} {address}"
            front.limiter.take(name, who, own=own)


async def _read(request: web.Request) -> bytes:
    """Read a JSON body of at most 256 KiB; only a script that may set headers sends this type."""
    if request.content_type != "application/json" or request.headers.get("Content-Encoding"):
        raise ClientRefused("unsupported_media_type")
    if (request.content_length or 0) > MAX_BODY:
        raise ClientRefused("too_large")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise ClientRefused("too_large")
    return bytes(body)


def _parse(model: type[BaseModel], raw: bytes) -> BaseModel:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise refused_body(error) from None


def _parameters(model: type[BaseModel], request: web.Request) -> BaseModel:
    given = {name: request.query.getall(name) for name in request.query}
    try:
        return model.model_validate({name: values[0] if len(values) == 1 else values for name, values in given.items()})
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ClientRefused("bad_parameter", field=place) from None


def _answer(route: ClientRoute, result: Any) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    status, body = _told(route, result)
    if body is None:
        return web.Response(status=status)
    return web.Response(status=status, body=_encode(body), content_type="application/json")


def _told(route: ClientRoute, result: Any) -> tuple[int, Any]:
    """Return the status and the JSON of what a handler returned."""
    status, body = (result.status, result.body) if isinstance(result, Answered) else (route.status, result)
    return (204 if body is None and status == 200 else status), body
