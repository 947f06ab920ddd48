"""The one place that speaks to Baidu.

Source: https://smartprogram.baidu.com/docs/develop/serverapi/contact_api/ (read 2026-11-22). That 110 and 111 are the
errors of a token here, and the address and scope with which one is fetched, are taken from Baidu's OAuth as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import msgspec

from trunkline import errors
from trunkline.contract import AccessToken, Services, wait_s
from trunkline.errors import RateLimited, SignInNeeded, TryLater, Uncertain, Undeliverable, WindowClosed
from trunkline_baidu.config import Config

#: Baidu's errno → what it means.
ERRORS: dict[int, Callable[..., errors.DeliveryError]] = {
    3001: partial(Undeliverable, whose="content", code="bad_parameter"),
    30022: partial(Undeliverable, whose="recipient", code="recipient_unknown"),
    # Very likely also what a closed window gives: either way nothing goes out before the customer writes again.
    90001: partial(WindowClosed, code="budget_spent"),
    90002: partial(SignInNeeded, code="service_not_enabled"),
    110: partial(SignInNeeded, code="token_invalid"),
    111: partial(SignInNeeded, code="token_expired"),
}
_BUSY = partial(TryLater, code="platform_busy")
#: HTTP status → what it means where Baidu gave no number.
STATUSES: dict[int, Callable[..., errors.DeliveryError]] = {
    401: partial(SignInNeeded, code="token_invalid"),
    403: partial(SignInNeeded, code="not_allowed"),
    429: RateLimited,
    503: _BUSY,
}
_OF_TOKENS = {"token_invalid", "token_expired"}
_SEND = "/rest/2.0/smartapp/message/custom/send"
#: Seconds before its end at which a token is no longer used, and how long one lasts that does not say.
_MARGIN_S, _USUAL_S = 300, 3600


class Api:
    """Requests of one mini program, with its access token."""

    def __init__(self, services: Services[Config]) -> None:
        self._http, self._clock, self._tokens = services.http, services.clock, services.tokens
        self._config = services.config

    async def send(self, open_id: str, fields: dict[str, str]) -> None:
        """Send one message; a token that is refused is renewed once."""
        form = {"user_type": str(self._config.user_type), "open_id": open_id, **fields}
        url = self._config.api_base + _SEND + ("bytp" if self._config.third_party else "")
        for last in (self._config.access_token is not None, True):
            token = await self.token()
            response = await self._http.post(url, params={"access_token": token}, data=form)
            body = _read(response)
            if response.is_success and _number(body) == 0:
                return
            error = error_of(response, once=True)
            if last or error.code not in _OF_TOKENS:
                raise error
            await self._tokens.forget(token)

    async def token(self) -> str:
        """Return the access token.

        Raises:
            DeliveryError: it cannot be had.
        """
        if own := self._config.access_token:
            return own.get_secret_value()
        return await self._tokens.get(self._renew)

    async def _renew(self) -> AccessToken:
        """Fetch a token. The message has not left yet: nothing that fails here leaves it in doubt."""
        secret = self._config.app_secret.get_secret_value() if self._config.app_secret else ""
        query = {"grant_type": "client_credentials", "client_id": self._config.app_key or "", "client_secret": secret}
        now, url = self._clock.now_ms(), f"{self._config.api_base}/oauth/2.0/token"
        try:
            response = await self._http.get(url, params={**query, "scope": "smartapp_snsapi_base"})
        except httpx2.TransportError as error:
            raise TryLater("Baidu did not answer when asked for an access token.", code="no_token") from error
        body = _read(response)
        token, lasts_s = body.get("access_token"), body.get("expires_in")
        if response.is_success and isinstance(token, str) and token:
            life_s = int(lasts_s) if isinstance(lasts_s, int | float) else _USUAL_S
            return AccessToken(value=token, expires_at_ms=now + max(0, life_s - _MARGIN_S) * 1000)
        refusal = error_of(response)
        later = isinstance(refusal, TryLater)
        raise refusal if later else SignInNeeded(str(refusal), answer=refusal.answer)

    async def file(self, url: str) -> httpx2.Response:
        """Open a customer's picture, without any credential; the guarded client speaks to Baidu's hosts alone."""
        if self._config.api_base.startswith("https:"):
            url = url.replace("http:", "https:", 1)
        response = await self._http.send(self._http.build_request("GET", url), stream=True)
        if response.is_success:
            return response
        await response.aclose()
        if response.is_server_error:
            raise TryLater(f"Baidu's host of files answered {response.status_code}.")
        raise Undeliverable(f"The picture is gone ({response.status_code}).", whose="platform", code="not_found")


def _read(response: httpx2.Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(response.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _number(body: dict[str, Any]) -> int | None:
    """Return errno, or the error_code of Baidu's OAuth."""
    code = str(body.get("errno", body.get("error_code", "")))
    return int(code) if re.fullmatch(r"-?[0-9]{1,9}", code) else None


def error_of(response: httpx2.Response, *, once: bool = False) -> errors.DeliveryError:
    """Return what a refusal means, with Baidu's words as evidence; `once`: what was sent must not be sent twice."""
    body, status = _read(response), response.status_code
    number = _number(body)
    told = (body.get(name) for name in ("msg", "error_description", "error_msg", "error"))
    words = next((word for word in told if isinstance(word, str) and word), "")[:1000]
    answer = errors.PlatformAnswer(status=status, code=None if number is None else str(number), text=words)
    said = f"Baidu: {words}" if words else f"Baidu answered {status}."
    meaning = ERRORS.get(number) if number is not None else None
    meaning = meaning or (None if number and not response.is_server_error else STATUSES.get(status))
    if meaning is None:
        doubtful = response.is_server_error or (response.is_success and number is None and not words)
        final = partial(Undeliverable, whose="platform", code="refused")
        meaning = (Uncertain if once else TryLater) if doubtful else final
    if meaning in {RateLimited, _BUSY} and (after_s := wait_s(response)) is not None:
        meaning = partial(meaning, after_s=after_s)
    return meaning(said, answer=answer)
