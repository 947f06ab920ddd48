"""The one place that speaks to Weibo.

Source: https://open.weibo.com/wiki/发送客服消息 and https://open.weibo.com/wiki/Error_code (read 2026-11-22).
The numbers of errors are those of Weibo's platform as a whole; which of them this interface uses is not documented.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import msgspec

from trunkline import errors
from trunkline.contract import Services, wait_s
from trunkline.errors import RateLimited, SignInNeeded, TryLater, Uncertain, Undeliverable, WindowClosed
from trunkline_weibo.config import Config

_BUSY = partial(TryLater, code="platform_busy")
#: Weibo's error_code → what it means.
ERRORS: dict[int, Callable[..., errors.DeliveryError]] = {
    **dict.fromkeys(
        (21314, 21315, 21316, 21317, 21318, 21319, 21327, 21332), partial(SignInNeeded, code="token_invalid")
    ),
    10014: partial(SignInNeeded, code="not_allowed"),
    **dict.fromkeys((10022, 10023, 10024), RateLimited),
    **dict.fromkeys((10001, 10010), _BUSY),
    # Not a fan (any more), and too many: what Weibo says of private messages and of posts elsewhere.
    20301: WindowClosed,
    20016: partial(WindowClosed, code="budget_spent"),
    20003: partial(Undeliverable, whose="recipient", code="recipient_unknown"),
    **dict.fromkeys((20012, 20013), partial(Undeliverable, whose="content", code="text_too_long")),
}
#: HTTP status → what it means where Weibo gave no number.
STATUSES: dict[int, Callable[..., errors.DeliveryError]] = {
    401: partial(SignInNeeded, code="token_invalid"),
    403: partial(SignInNeeded, code="not_allowed"),
    429: RateLimited,
    503: _BUSY,
}


class Api:
    """Requests of one account, with its access token."""

    def __init__(self, services: Services[Config]) -> None:
        self._http, self._config = services.http, services.config

    async def reply(self, receiver: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        """Send one reply; the form encodes `data` once, and it must not be encoded before."""
        form = {
            "access_token": self._token,
            "receiver_id": receiver,
            "type": kind,
            "data": msgspec.json.encode(data).decode(),
            "save_sender_box": str(int(self._config.save_sender_box)),
        }
        response = await self._http.post(self._config.reply_address, data=form)
        return _answer(response, once=True)

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Ask for something."""
        params = {"access_token": self._token, **query}
        return _answer(await self._http.get(self._config.api_base + path, params=params))

    async def token_info(self) -> dict[str, Any]:
        """Return whose the token is and how long it lasts."""
        url = f"{self._config.api_base}/oauth2/get_token_info"
        return _answer(await self._http.post(url, data={"access_token": self._token}))

    async def media(self, fid: str) -> httpx2.Response:
        """Open a file; an error comes as JSON, with whatever status."""
        params = {"access_token": self._token, "fid": fid}
        request = self._http.build_request("GET", f"{self._config.media_base}/2/mss/msget", params=params)
        response = await self._http.send(request, stream=True)
        if response.is_success and "json" not in response.headers.get("content-type", ""):
            return response
        await response.aread()
        raise error_of(response)

    @property
    def _token(self) -> str:
        return self._config.access_token.get_secret_value()


def _answer(response: httpx2.Response, *, once: bool = False) -> dict[str, Any]:
    """Return the answer, or raise what it means; a yes that cannot be read leaves what is sent `once` in doubt."""
    body = _read(response)
    refused = "error_code" in body or body.get("result") is False
    if response.is_success and body and not refused:
        return body
    raise error_of(response, once=once)


def _read(response: httpx2.Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(response.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def error_of(response: httpx2.Response, *, once: bool = False) -> errors.DeliveryError:
    """Return what a refusal means, with Weibo's words as evidence."""
    body, status = _read(response), response.status_code
    code, words = body.get("error_code"), str(body.get("error") or body.get("error_description") or "")[:1000]
    number = int(code) if isinstance(code, int | str) and str(code).isdecimal() else None
    answer = errors.PlatformAnswer(status=status, code=None if code is None else str(code)[:20], text=words)
    said = f"Weibo: {words}" if words else f"Weibo answered {status}."
    meaning = ERRORS.get(number) if number is not None else None
    if meaning is None and (number is None or response.is_server_error):
        meaning = STATUSES.get(status)
    if meaning is None:
        meaning = _doubt(response, known=bool(body), once=once)
    if meaning in {RateLimited, _BUSY} and (after_s := wait_s(response)) is not None:
        meaning = partial(meaning, after_s=after_s)
    return meaning(said, answer=answer)


def _doubt(response: httpx2.Response, *, known: bool, once: bool) -> Callable[..., errors.DeliveryError]:
    """Return what an answer without a known number means: nobody knows, again later, or never."""
    if response.is_server_error or (response.is_success and not known):
        return Uncertain if once else TryLater
    return partial(Undeliverable, whose="platform", code="refused")
