"""The door for platforms: prove, read, store, then answer.

This is the hottest path of the house, so it is one handler without middlewares.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from trunkline.clock import monotonic
from trunkline.contract import Item, Transport, TrustedBody, WebhookReply, WebhookRequest
from trunkline.errors import (
    BodyRefused,
    BodyUnreadable,
    RequestRefused,
    SignatureInvalid,
    StoreUnavailable,
    UnknownAccount,
)
from trunkline.http.problems import client_address, request_id_of
from trunkline.http.sources import FewLines, WrongProofs
from trunkline.log import get_logger
from trunkline.model import new_id
from trunkline.service.arrivals import AccountFacts, Arrival

if TYPE_CHECKING:
    from trunkline.service.account import Account
    from trunkline.service.house import House

__all__ = ["Webhooks"]

log = get_logger("webhooks")

#: The most that any channel may declare; what one declares is its own limit.
MAX_BODY = 4 * 1024 * 1024
_MAX_DEPTH = 100
_NOT_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[^][{}]')
_encode = msgspec.json.Encoder().encode
_NO_QUERY: dict[str, str] = {}


class Webhooks:
    """Handles `/webhooks/{account}` for every channel that pushes."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._wrong, self._lines = WrongProofs(), FewLines()
        self._facts: dict[str, AccountFacts] = {}

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_route("*", "/webhooks/{account}", self.handle)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request; the 2xx goes out after the commit."""
        began, account_id, request_id = monotonic(), request.match_info["account"], self._request_id(request)
        connector, outcome = "-", "stored"
        try:
            account = self._account(account_id)
            connector = account.connector_name
            return await self._take(request, account, request_id)
        except RequestRefused as error:
            outcome = error.code
            return self._refuse(request, account_id, request_id, error)
        except StoreUnavailable as error:
            outcome = error.code
            self._tell(account=account_id[:64], request_id=request_id, reason=error.code, status=503)
            return _problem(503, error.code, request_id, {"Retry-After": str(error.after_s)})
        finally:
            self._house.metrics.webhook(connector, outcome, monotonic() - began)

    def _request_id(self, request: web.Request) -> str:
        """Return the id that follows a request through answer, log and rows. That of a configured proxy is kept."""
        return request_id_of(request) if self._house.settings.server.trusted_proxies else new_id()

    def _account(self, account_id: str) -> Account:
        account = self._house.accounts.get(account_id)
        if account is None or account.connector is None or account.channel_spec is None:
            raise UnknownAccount
        if account.channel_spec.capabilities.receiving.transport is Transport.HOSTED:
            raise UnknownAccount
        if self._house.vitals.draining:
            raise StoreUnavailable("Trunkline is stopping.", code="draining")
        if self._house.vitals.disk_is_full:
            raise StoreUnavailable("The disk has too little room.", code="disk_full", after_s=60)
        return account

    async def _take(self, request: web.Request, account: Account, request_id: str) -> web.Response:
        self._check_head(request, account)
        webhook = WebhookRequest(
            method=request.method,
            query=request.query if request.query_string else _NO_QUERY,
            headers=request.headers,
            body=await _read(request, account.capabilities.receiving.max_body),
            remote=self._source(request),
        )
        connector = account.connector
        assert connector is not None  # noqa: S101 - `_account` proved it
        answer = connector.handshake(webhook)
        if answer is not None:
            return _reply(answer, request_id)
        if request.method != "POST":
            raise RequestRefused("Only POST is expected here.", code="method_not_allowed", status=405)
        body = connector.authenticate(webhook)
        items, error = _parsed(connector, body)
        arrival = self._arrival(account, webhook, request_id, body=body, items=items, error=error)
        outcome = await self._house.intake.take(arrival)
        if outcome.duplicates:
            self._house.metrics.webhook_duplicates.inc(outcome.duplicates)
        return _reply(connector.acknowledge(items), request_id)

    def _source(self, request: web.Request) -> str:
        """Return the client's address; what a proxy says of it counts only if that proxy is configured."""
        if self._house.settings.server.trusted_proxies:
            return client_address(request)
        return request.remote or ""

    def _check_head(self, request: web.Request, account: Account) -> None:
        """Refuse what the head alone betrays, before a byte of the body is read."""
        if self._wrong.too_many(self._source(request)):
            raise RequestRefused("Too many unproved requests came from there.", code="too_many_wrong", status=429)
        assert account.channel_spec is not None  # noqa: S101 - `_account` proved it
        receiving = account.channel_spec.capabilities.receiving
        if "Content-Encoding" in request.headers:
            raise BodyRefused("Compressed bodies are not accepted.", code="content_encoding", status=415)
        if (request.content_length or 0) > min(receiving.max_body, MAX_BODY):
            raise BodyRefused("The body is too large.", code="body_too_large", status=413)
        if receiving.proof_header and request.method == "POST" and receiving.proof_header not in request.headers:
            raise SignatureInvalid(f"The header {receiving.proof_header} is missing.", code="signature_missing")

    def _arrival(
        self,
        account: Account,
        webhook: WebhookRequest,
        request_id: str,
        *,
        body: TrustedBody,
        items: Sequence[Item],
        error: str | None,
    ) -> Arrival:
        facts = self._facts.get(account.id)
        assert account.channel_spec is not None  # noqa: S101 - `_account` proved it
        if facts is None or facts.channel is not account.channel_spec:
            facts = self._facts[account.id] = AccountFacts(account.id, account.channel_spec)
        proof = facts.channel.capabilities.receiving.proof_header
        headers = {} if proof is None else {proof: webhook.headers.get(proof)}
        return Arrival(
            # A proxy may name two requests alike.
            raw_id=new_id() if self._house.settings.server.trusted_proxies else request_id,
            account=facts,
            received_at=self._house.clock.now_ms(),
            request_id=request_id,
            method=webhook.method,
            query=_encode(dict(webhook.query)).decode() if webhook.query else "{}",
            headers=_encode(headers).decode(),
            body=body,
            items=items,
            error=error,
        )

    def _refuse(self, request: web.Request, account_id: str, request_id: str, error: RequestRefused) -> web.Response:
        """Answer a refusal with one log line; nothing was stored."""
        if isinstance(error, SignatureInvalid):
            self._house.metrics.auth_failures.labels("webhook").inc()
            self._wrong.count(self._source(request))
        self._tell(account=account_id[:64], request_id=request_id, reason=error.code, status=error.status)
        response = _problem(error.status, error.code, request_id, {})
        if request.can_read_body and not request.content.at_eof():
            response.force_close()
        return response

    def _tell(self, **refusal: Any) -> None:
        """Write one line about a refusal, of very many only some."""
        withheld = self._lines.ask()
        if withheld is not None:
            log.warning("webhook.rejected", **refusal, **({"withheld": withheld} if withheld else {}))


async def _read(request: web.Request, most: int) -> bytes:
    """Read a body; one that does not tell its length is known to be too large only then."""
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyRefused("The body is too large.", code="body_too_large", status=413) from None
    if len(body) > most:
        raise BodyRefused("The body is too large.", code="body_too_large", status=413)
    return body


def _parsed(connector: Any, body: Any) -> tuple[Sequence[Item], str | None]:
    """Return the items of a proved body, or the words for the quarantine.

    Raises:
        BodyRefused: it is no text, or nested so deeply that nobody wrote it in good faith.
    """
    try:
        items = connector.parse(body)
        if not all(isinstance(item, Item) for item in items):
            return (), f"{type(connector).__name__}.parse returned something that is no item."
    except BodyUnreadable as error:
        _refuse_hostile(body)
        return (), str(error)
    except Exception as error:
        log.exception("webhook.parse_failed", connector=type(connector).__name__)
        _refuse_hostile(body)
        return (), f"{type(error).__name__}: {error}"[:500]
    return items, None


def _refuse_hostile(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise BodyRefused("The body is not UTF-8.", code="not_utf8") from None
    depth = 0
    for bracket in _NOT_BRACKETS.sub(b"", body):
        depth += 1 if bracket in b"[{" else -1
        if depth > _MAX_DEPTH:
            raise BodyRefused("The body is nested too deeply.", code="too_deep")


def _reply(reply: WebhookReply, request_id: str) -> web.Response:
    headers = {"X-Request-Id": request_id}
    return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type, headers=headers)


def _problem(status: int, code: str, request_id: str, headers: dict[str, str]) -> web.Response:
    body = _encode({"type": "about:blank", "status": status, "code": code, "request_id": request_id})
    headers = {**headers, "X-Request-Id": request_id}
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)
