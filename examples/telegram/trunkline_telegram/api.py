"""The one place that speaks to Telegram.

Source: https://core.telegram.org/bots/api#making-requests (read 2026-11-22); the descriptions of errors are documented
nowhere, these are the Bot API server's own words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
from trunkline import errors
from trunkline.contract import Services
from trunkline.errors import RateLimited, SignInNeeded, TryLater, Uncertain, Undeliverable
from trunkline.model import Media

from trunkline_telegram.config import Config

_GONE = partial(Undeliverable, whose="recipient")
#: (error_code, beginning of the description) → what it means; the first row that fits counts.
ERRORS: tuple[tuple[int, str, Callable[..., errors.DeliveryError]], ...] = (
    (400, "Bad Request: chat not found", partial(_GONE, code="recipient_unknown")),
    (400, "Bad Request: wrong file_id", partial(Undeliverable, whose="platform", code="not_found")),
    (400, "Bad Request: invalid file_id", partial(Undeliverable, whose="platform", code="not_found")),
    (400, "", partial(Undeliverable, whose="content", code="refused")),
    (401, "", partial(SignInNeeded, code="token_invalid")),
    (403, "Forbidden: bot was blocked", partial(_GONE, code="blocked")),
    (403, "Forbidden: user is deactivated", partial(_GONE, code="deactivated")),
    (403, "", partial(_GONE, code="not_allowed")),
    # A token of another shape is no bot at all.
    (404, "", partial(SignInNeeded, code="token_invalid")),
    (409, "", TryLater),
    (413, "", partial(Undeliverable, whose="content", code="too_large")),
    (429, "", RateLimited),
)


class Api:
    """Requests of one bot. The token stands in every address, so no address may get into an error."""

    def __init__(self, services: Services[Config]) -> None:
        self._http, self._media, self._config = services.http, services.media, services.config

    async def send(self, method: str, fields: dict[str, Any], file: tuple[str, Media] | None) -> dict[str, Any]:
        """Send one message, its file by upload, and return it as Telegram has it."""
        if file is None:
            return await self.call(method, fields, once=True)
        name, media = file
        stream = await self._media.open(media)
        body = b"".join([chunk async for chunk in stream.chunks])
        form = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
        files = {name: (stream.name or name, body, stream.mime or "application/octet-stream")}
        return await self._ask(method, once=True, data=form, files=files)

    async def call(self, method: str, fields: dict[str, Any] | None = None, *, once: bool = False) -> dict[str, Any]:
        """Call a method whose result is an object, {} if it is something else."""
        return await self._ask(method, once=once, json=fields or {})

    async def open(self, file_id: str) -> httpx2.Response:
        """Open a customer's file: up to 20 MB, its address is good for an hour."""
        path = (await self.call("getFile", {"file_id": file_id})).get("file_path", "")
        request = self._http.build_request("GET", f"{self._config.api_base}/file/bot{self._token}/{path}")
        response = await self._http.send(request, stream=True)
        if response.is_success:
            return response
        await response.aread()
        raise error_of(response, once=False)

    async def _ask(self, method: str, *, once: bool, **body: Any) -> dict[str, Any]:
        response = await self._http.post(f"{self._config.api_base}/bot{self._token}/{method}", **body)
        answer = _read(response)
        if not (response.is_success and answer.get("ok") is True):
            raise error_of(response, once=once)
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    @property
    def _token(self) -> str:
        return self._config.bot_token.get_secret_value()


def _read(response: httpx2.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def error_of(response: httpx2.Response, *, once: bool) -> errors.DeliveryError:
    """Return what a refusal means; what was sent `once` and has no readable answer is in doubt."""
    body, status = _read(response), response.status_code
    words = str(body.get("description", ""))[:1000]
    answer = errors.PlatformAnswer(status=status, code=str(body.get("error_code", status)), text=words)
    found = (meaning for code, start, meaning in ERRORS if code == status and words.startswith(start))
    doubt: Callable[..., errors.DeliveryError] = Uncertain if once else TryLater
    final = partial(Undeliverable, whose="platform", code="refused")
    in_doubt = response.is_server_error or response.is_success
    meaning = next(found, TryLater if status == 503 else doubt if in_doubt else final)
    if meaning is RateLimited:
        meaning = partial(RateLimited, after_s=_after_s(response, body))
    return meaning(f"Telegram: {words}" if words else f"Telegram answered {status}.", answer=answer)


def _after_s(response: httpx2.Response, body: dict[str, Any]) -> float | None:
    """Return how long to wait: Telegram says so in the body; a proxy before it may say so in a header."""
    parameters = body.get("parameters")
    told = parameters.get("retry_after") if isinstance(parameters, dict) else None
    header = response.headers.get("retry-after", "")
    return float(told) if isinstance(told, int) else float(header) if header.isdecimal() else None
