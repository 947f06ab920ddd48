"""The one place that speaks to the Graph API.

Source: https://developers.facebook.com/docs/messenger-platform/error-codes (read 2026-11-22)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx2

from trunkline import errors
from trunkline.contract import MediaStream, Services, wait_s
from trunkline.errors import RateLimited, SignInNeeded, TryLater, Uncertain, Undeliverable, WindowClosed
from trunkline_facebook.config import Config

Json = dict[str, Any]
Build = Callable[..., errors.DeliveryError]

_content = partial(Undeliverable, whose="content")
_recipient = partial(Undeliverable, whose="recipient")
_profile = partial(Undeliverable, whose="recipient", code="no_profile")
_elsewhere = partial(Undeliverable, whose="account", code="thread_elsewhere")
#: The platform's word for "it was sent, though it looks as if not".
SENT_ALL_THE_SAME = "sent_all_the_same"

#: (code, subcode) → what it means. The subcode None is for all others of a code; a number that the papers name alone
#: stands as a code here and is found as a subcode too.
ERRORS: Mapping[tuple[int, int | None], Build] = {
    (1, 99): partial(SignInNeeded, code="permission_missing"),
    (1, 1357046): partial(Uncertain, code=SENT_ALL_THE_SAME),
    (1, None): partial(TryLater, code="platform_trouble"),
    (2, 2018344): partial(SignInNeeded, code="terms_not_accepted"),
    (2, None): partial(TryLater, code="platform_trouble"),
    (3, None): _profile,
    (4, None): RateLimited,
    (9, 2018352): partial(RateLimited, scope="recipient"),
    (10, 1893015): partial(_recipient, code="topic_stopped"),
    (10, 1893063): partial(SignInNeeded, code="page_restricted"),
    (10, 2018065): WindowClosed,
    (10, 2018108): partial(_recipient, code="cannot_receive"),
    (10, 2018278): WindowClosed,
    (10, 2534022): WindowClosed,
    (10, 2534077): partial(SignInNeeded, code="permission_missing"),
    (10, None): partial(SignInNeeded, code="permission_missing"),
    (32, None): RateLimited,
    (100, 33): partial(_content, code="not_found"),
    (100, 2018001): partial(_recipient, code="recipient_unknown"),
    (100, 2018008): partial(_content, code="file_not_fetched"),
    (100, 2018047): partial(_content, code="file_wrong_type"),
    (100, 2018074): partial(_content, code="upload_gone"),
    (100, 2018109): partial(_content, code="file_too_large"),
    (100, 2018294): partial(_content, code="file_not_fetched"),
    (100, 2534013): partial(SignInNeeded, code="permission_missing"),
    (100, 2534014): partial(_recipient, code="recipient_unknown"),
    (100, 2534015): partial(_content, code="refused"),
    (100, 2534029): partial(SignInNeeded, code="permission_missing"),
    (100, 2534037): _elsewhere,
    (100, None): partial(_content, code="refused"),
    (190, None): SignInNeeded,
    (200, 1545041): partial(_recipient, code="recipient_unavailable"),
    (200, 2018028): partial(SignInNeeded, code="app_not_approved"),
    (200, 2534041): partial(SignInNeeded, code="message_access_off"),
    (200, None): partial(SignInNeeded, code="app_not_approved"),
    (551, 1545041): partial(_recipient, code="recipient_unavailable"),
    (551, None): partial(_recipient, code="recipient_unavailable"),
    (613, 2018338): partial(RateLimited, scope="recipient"),
    (613, 2534040): RateLimited,
    (613, None): RateLimited,
    (2022, None): partial(SignInNeeded, code="commerce_messages_off"),
    (80001, None): RateLimited,
    (2018218, None): _profile,
    (2018247, None): _profile,
    (2018300, None): _elsewhere,
    (2018321, None): partial(TryLater, code="question_running", after_s=300),
    (9000001, None): partial(_content, code="quote_gone"),
}
#: After so many attempts, about two hours, "temporary" is no more believed: the platform also says it of people who
#: blocked the Page.
_FEW = 9


class Api:
    """Requests of one account, with its Page token."""

    def __init__(self, services: Services[Config]) -> None:
        self._http, self._config = services.http, services.config

    async def call(self, method: str, path: str, *, says: bool = False, attempt: int = 1, **options: Any) -> Json:
        """Return the platform's answer or raise what it means.

        `says` is for what a customer would see: where such a request gets no clear answer it is Uncertain. A request
        that shows nothing is simply made again.
        """
        url = f"{self._config.api_base}/{self._config.api_version}/{path}"
        bearer = {"Authorization": f"Bearer {self._config.page_access_token.get_secret_value()}"}
        try:
            response = await self._http.request(method, url, headers=bearer, **options)
        except httpx2.TransportError as error:
            if says:
                raise
            raise TryLater("The Graph API did not answer.", code="no_answer") from error
        answer = _json_of(response)
        if response.is_success and answer is not None and "error" not in answer:
            return answer
        raise error_of(response, answer or {}, says=says, attempt=attempt)

    async def say(self, body: Json, *, attempt: int = 1) -> Json:
        """Send a message; the answer has its id."""
        answer = await self.call("POST", f"{self._config.page_id}/messages", says=True, attempt=attempt, json=body)
        if not isinstance(answer.get("message_id"), str):
            raise Uncertain("The platform took the message and named no id.")
        return answer

    async def upload(self, kind: str, stream: MediaStream) -> str:
        """Give a file to the platform and return its id there. Nothing is said yet: all of it can be done again."""
        content = b"".join([chunk async for chunk in stream.chunks])
        attachment = {"type": kind, "payload": {"is_reusable": True}}
        platform = {"platform": "instagram"} if self._config.channel == "instagram" else {}
        form = {"message": _compact({"attachment": attachment}), **platform}
        files = {"filedata": (stream.name or "file", content, stream.mime or "application/octet-stream")}
        answer = await self.call("POST", f"{self._config.page_id}/message_attachments", data=form, files=files)
        return str(answer["attachment_id"])


def error_of(response: httpx2.Response, answer: Json, *, says: bool, attempt: int) -> errors.DeliveryError:
    """Return what a refusal means, with the platform's words as evidence."""
    found = answer.get("error")
    error: Json = found if isinstance(found, dict) else {}
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    words = " ".join(str(error[name]) for name in ("message", "error_user_msg") if error.get(name))[:1000]
    told = errors.PlatformAnswer(
        status=response.status_code,
        code=None if code is None else f"{code}/{subcode}" if subcode else str(code),
        text=words or None,
        request_id=error.get("fbtrace_id") or response.headers.get("x-fb-trace-id"),
    )
    build = _row(code, subcode) or _by_status(response, says=says)
    said = f"Facebook: {words}" if words else f"Facebook answered {response.status_code}."
    after = wait_s(response)
    if build in _TEMPORARY and attempt >= _FEW:
        build = partial(_recipient, code="gave_up")
    refusal = build(said, answer=told)
    if isinstance(refusal, TryLater) and after is not None:
        refusal.after_s = after
    return refusal


_TEMPORARY = (ERRORS[1, None], ERRORS[2, None])


def _row(code: int | None, subcode: int | None) -> Build | None:
    if code is None:
        return None
    alone = ERRORS.get((subcode, None)) if subcode else None
    return ERRORS.get((code, subcode)) or alone or ERRORS.get((code, None))


def _by_status(response: httpx2.Response, *, says: bool) -> Build:
    """Return what an answer means that is none of the Graph API's."""
    status = response.status_code
    if status == 429:
        return RateLimited
    if response.is_server_error or response.is_success:
        return Uncertain if says else TryLater
    return SignInNeeded if status == 401 else partial(_content, code="refused")


def _json_of(response: httpx2.Response) -> Json | None:
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
