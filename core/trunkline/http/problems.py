"""Errors to answers: RFC 9457 problem documents with a stable `code`, and a request id on everything.

Source: https://www.rfc-editor.org/rfc/rfc9457 (read 2026-11-21)
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from trunkline.errors import RequestRefused, StoreUnavailable, TrunklineError
from trunkline.log import bind, get_logger
from trunkline.model import new_id

__all__ = [
    "REQUEST_ID",
    "TRUSTED_PROXIES",
    "FieldError",
    "Network",
    "Problem",
    "client_address",
    "from_trusted_proxy",
    "harden",
    "problem_response",
    "problems",
    "request_id_of",
]

log = get_logger("http")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Peers whose X-Request-Id and X-Forwarded-For are believed; looked up in the application and the ones above it.
TRUSTED_PROXIES = web.AppKey("trusted_proxies", tuple[Network, ...])
#: The id that `request_id_of` gives.
REQUEST_ID = web.RequestKey("request_id", str)

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
#: Status of an exception of aiohttp → our code.
_CODES = {
    400: "bad_request",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    411: "length_required",
    413: "body_too_large",
    415: "unsupported_media_type",
    417: "expectation_failed",
    426: "upgrade_required",
}


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a body or one parameter."""

    #: Path from the top, "attachments.0".
    field: str
    message: str


class Problem(TrunklineError):
    """A request is answered with a problem document.

    `detail` is one sentence for a person: what is wrong and what to do. It never repeats input.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers = tuple(errors), dict(headers or {})

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the document's members."""
        members: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        return members | ({"errors": self.errors} if self.errors else {})


def problem_response(request: web.Request, problem: Problem) -> web.Response:
    """Return the answer for a problem."""
    request_id = request_id_of(request)
    return web.Response(
        status=problem.status,
        body=msgspec.json.encode(problem.document(request_id)),
        content_type="application/problem+json",
        headers={**problem.headers, "X-Request-Id": request_id},
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, and turn whatever the handler raises into a problem document."""
    request_id = request_id_of(request)
    with bind(request_id=request_id):
        try:
            response = await handler(request)
        except ConnectionError:
            # The client is gone: nobody is left to answer.
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the house: every request gets an answer
            response = problem_response(request, _as_problem(request, error))
    if not response.prepared:
        response.headers.setdefault("X-Request-Id", request_id)
    return response


def request_id_of(request: web.Request) -> str:
    """Return the id that follows this request through logs, rows and answers."""
    if REQUEST_ID not in request:
        given = request.headers.get("X-Request-Id", "")
        believed = from_trusted_proxy(request) and _REQUEST_ID.fullmatch(given)
        request[REQUEST_ID] = given if believed else new_id()
    return request[REQUEST_ID]


def from_trusted_proxy(request: web.Request) -> bool:
    """Whether the peer of the connection is a proxy that the configuration names."""
    return _is_trusted(request.remote or "", _trusted(request))


def client_address(request: web.Request) -> str:
    """Return the address the request came from: the last one that no trusted proxy added itself."""
    trusted = _trusted(request)
    address = request.remote or ""
    for hop in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
        if not hop.strip() or not _is_trusted(address, trusted):
            break
        address = hop.strip()
    return address


def _trusted(request: web.Request) -> tuple[Network, ...]:
    none: tuple[Network, ...] = ()
    return request.config_dict.get(TRUSTED_PROXIES, none)


def _is_trusted(address: str, networks: Sequence[Network]) -> bool:
    try:
        place = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(place in network for network in networks)


def _as_problem(request: web.Request, error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case RequestRefused(status=status, code=code):
            return Problem(status, code, str(error))
        case StoreUnavailable(code=code, after_s=after_s):
            return Problem(503, code, str(error), headers={"Retry-After": str(after_s)})
        case web.HTTPException():
            return _from_aiohttp(error)
        case _:
            route = request.match_info.route.resource
            place = route.canonical if route is not None else "unknown"
            log.error("request.failed", method=request.method, route=place, exc_info=error)
            return Problem(
                500, "internal_error", "Something went wrong on our side; the request id finds it in the log."
            )


def _from_aiohttp(error: web.HTTPException) -> Problem:
    """Translate aiohttp's own refusals; redirects and other answers go on as they are.

    Raises:
        web.HTTPException: it is no refusal.
    """
    if error.status < HTTPStatus.BAD_REQUEST:
        raise error
    headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    phrase = HTTPStatus(error.status).description or HTTPStatus(error.status).phrase
    return Problem(error.status, _CODES.get(error.status, "refused"), f"{phrase.rstrip('.')}.", headers=headers)


def harden(app: web.Application, *, policy: str, https: bool, store: bool = False) -> None:
    """Send the security headers with every answer of `app`, files and refusals included.

    `policy` is the Content-Security-Policy where an answer brings none of its own; `store` allows caches.
    """
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        **({} if store else {"Cache-Control": "no-store"}),
        **({"Strict-Transport-Security": "max-age=31536000; includeSubDomains"} if https else {}),
    }

    async def add(_request: web.Request, response: web.StreamResponse) -> None:
        for name, value in headers.items():
            response.headers.setdefault(name, value)

    app.on_response_prepare.append(add)
