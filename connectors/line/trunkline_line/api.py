"""The one place that speaks to LINE.

Source: https://developers.line.biz/en/reference/messaging-api/ (read 2026-11-21)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import msgspec

from trunkline import errors
from trunkline.contract import AccessToken, Services, wait_s
from trunkline.errors import RateLimited, SignInNeeded, TryLater, Undeliverable
from trunkline_line.config import Config

#: (status, beginning of LINE's words) → what it means; the first row that fits counts.
ERRORS: tuple[tuple[int, str, Callable[..., errors.DeliveryError]], ...] = (
    (400, "Invalid reply token", partial(errors.WindowClosed, code="reply_token_invalid")),
    (400, "Failed to send messages", partial(Undeliverable, whose="recipient", code="recipient_unknown")),
    (401, "", SignInNeeded),
    (403, "", partial(SignInNeeded, code="not_allowed")),
    (404, "", partial(Undeliverable, whose="recipient", code="not_found")),
    (410, "", partial(Undeliverable, whose="recipient", code="recalled")),
    (
        429,
        "You have reached your monthly limit",
        partial(RateLimited, scope="quota", after_s=3600, code="quota"),
    ),
    (429, "The API rate limit", RateLimited),
    (429, "", partial(RateLimited, scope="recipient")),
)


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int


class Api:
    """Requests of one account, with its access token."""

    def __init__(self, services: Services[Config]) -> None:
        self._http, self._clock, self._tokens = services.http, services.clock, services.tokens
        self._config = services.config

    async def call(self, method: str, path: str, *, once: bool = False, **options: Any) -> httpx2.Response:
        """Return LINE's answer or raise what it means: Uncertain for a 5xx to what may be sent only `once`.

        `data=True` asks the host that keeps media; `stream=True` leaves the body to the caller.
        """
        base = self._config.data_base if options.pop("data", False) else self._config.api_base
        stream, headers = options.pop("stream", False), options.pop("headers", {})
        own = self._config.access_token
        for last in (bool(own), True):
            token = own.get_secret_value() if own else await self._tokens.get(self._renew)
            bearer = {**headers, "Authorization": f"Bearer {token}"}
            request = self._http.build_request(method, base + path, headers=bearer, **options)
            response = await self._http.send(request, stream=stream)
            if last or response.status_code != 401:
                break
            await response.aclose()
            await self._tokens.forget(token)
        if response.is_success or response.status_code == 409:
            return response
        await response.aread()
        raise error_of(response, once=once)

    async def get(self, path: str, **options: Any) -> dict[str, Any]:
        return object_of(await self.call("GET", path, **options))

    async def _renew(self) -> AccessToken:
        """Fetch a token. The message has not left yet: nothing that fails here leaves it in doubt."""
        version, form = ("v2.1", self._assertion()) if self._config.private_key else ("v3", self._credentials())
        now, form = self._clock.now_ms(), {**form, "grant_type": "client_credentials"}
        try:
            response = await self._http.post(f"{self._config.api_base}/oauth2/{version}/token", data=form)
        except httpx2.TransportError as error:
            raise TryLater("LINE did not answer when asked for an access token.", code="no_token") from error
        if not response.is_success:
            refusal = error_of(response)
            later = isinstance(refusal, TryLater)
            raise refusal if later else SignInNeeded(str(refusal), answer=refusal.answer)
        try:
            answer = msgspec.convert(object_of(response), _Token)
        except msgspec.ValidationError as error:
            raise TryLater("LINE gave no access token.", code="no_token") from error
        return AccessToken(value=answer.access_token, expires_at_ms=now + (answer.expires_in - 120) * 1000)

    def _credentials(self) -> dict[str, str]:
        secret = self._config.channel_secret[0].get_secret_value()
        return {"client_id": self._config.channel_id, "client_secret": secret}

    def _assertion(self) -> dict[str, str]:
        from joserfc import jwk, jwt  # noqa: PLC0415 - a quarter of a second at start, for the few who use a key

        text = self._config.private_key.get_secret_value() if self._config.private_key else ""
        key = jwk.RSAKey.import_key(json.loads(text) if text.lstrip().startswith("{") else text)
        now, me = self._clock.now_ms() // 1000, self._config.channel_id
        # A day, not the possible thirty: LINE issues no 31st token, and a lost one shall not count for long.
        claims = {"iss": me, "sub": me, "aud": "https://api.line.me/", "exp": now + 1800, "token_exp": 86_400}
        assertion = jwt.encode({"alg": "RS256", "typ": "JWT", "kid": self._config.kid}, claims, key)
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return {"client_assertion_type": kind, "client_assertion": assertion}


def error_of(response: httpx2.Response, *, once: bool = False) -> errors.DeliveryError:
    """Return what a refusal means, with LINE's words and details as evidence."""
    try:
        body = response.json()
        words = str(body.get("message") or body.get("error_description") or body.get("error") or "")
        details = [f"{one.get('property', '')}: {one.get('message', '')}" for one in body.get("details", ())]
    except (ValueError, AttributeError, TypeError):
        words, details = response.text[:200], []
    status, request_id = response.status_code, response.headers.get("x-line-request-id")
    text = "; ".join((words, *details))[:1000]
    answer = errors.PlatformAnswer(status=status, text=text, request_id=request_id)
    said = f"LINE: {text}" if text else f"LINE answered {status}."
    if response.is_server_error:
        return (errors.Uncertain if once else TryLater)(said, answer=answer)
    refused = partial(Undeliverable, whose="content", code="refused")
    found = (error for at, start, error in ERRORS if at == status and words.startswith(start))
    error = next(found, refused)(said, answer=answer)
    if isinstance(error, RateLimited) and (after_s := wait_s(response)) is not None:
        # LINE gives no time; a gateway before it may.
        error.after_s = after_s
    return error


def object_of(response: httpx2.Response) -> dict[str, Any]:
    """Return LINE's answer. TryLater when it is none of LINE's: a gateway's page, a cut line."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        said = errors.PlatformAnswer(status=response.status_code, text=response.text[:200])
        raise TryLater("This is no answer of LINE's: something between us spoke for it.", code="nonsense", answer=said)
    return answer
