"""The one place that speaks to WhatsApp.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes (read 2026-11-22)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2

from trunkline import errors
from trunkline.contract import MediaStream, Services, wait_s
from trunkline.errors import RateLimited, SignInNeeded, TryLater, Undeliverable
from trunkline.log import get_logger
from trunkline_whatsapp.config import Config

log = get_logger("connector")

Json = dict[str, Any]
Making = Callable[..., errors.DeliveryError]

_nobody = partial(Undeliverable, whose="recipient")
_wrong = partial(Undeliverable, whose="content")
#: What is said in the answer to a request, in a status, in a message and of the account: one meaning each.
ERRORS: dict[int, Making] = {
    **dict.fromkeys((0, 190, 131005), SignInNeeded),
    **dict.fromkeys((3, 10, *range(200, 300)), partial(SignInNeeded, code="not_allowed")),
    **dict.fromkeys((368, 131031), partial(SignInNeeded, code="account_blocked")),
    131037: partial(SignInNeeded, code="name_not_approved"),
    131042: partial(SignInNeeded, code="payment_problem"),
    **dict.fromkeys((131045, 133010), partial(SignInNeeded, code="number_not_registered")),
    131063: partial(SignInNeeded, code="marketing_disabled"),
    134011: partial(SignInNeeded, code="payment_terms"),
    1: partial(TryLater, code="unknown_failure"),
    **dict.fromkeys((2, 131000, 131016, 133004), TryLater),
    131057: partial(TryLater, code="maintenance", after_s=60),
    134101: partial(TryLater, code="template_syncing", after_s=600),
    **dict.fromkeys((4, 80007, 130429), RateLimited),
    131048: partial(RateLimited, code="number_restricted", after_s=3600),
    131056: partial(RateLimited, code="too_many_to_one", scope="recipient"),
    131049: partial(RateLimited, code="marketing_held_back", scope="recipient", after_s=24 * 3600),
    131064: partial(RateLimited, code="template_limit", scope="recipient", after_s=3600),
    132069: partial(RateLimited, code="form_throttled", scope="recipient", after_s=3600),
    131047: errors.WindowClosed,
    131026: partial(_nobody, code="not_on_whatsapp"),
    130472: partial(_nobody, code="in_an_experiment"),
    130497: partial(_nobody, code="country_not_allowed"),
    131021: partial(_nobody, code="sent_to_oneself"),
    131030: partial(_nobody, code="not_on_the_test_list"),
    131050: partial(_nobody, code="marketing_stopped"),
    131062: partial(_nobody, code="phone_needed"),
    137000: partial(_nobody, code="identity_changed"),
    **dict.fromkeys((131041, 131020), partial(_nobody, code="group_unknown")),
    33: partial(Undeliverable, whose="account", code="number_gone"),
    **dict.fromkeys((100, 131008, 131009, 135000), partial(_wrong, code="wrong_parameter")),
    131051: partial(_wrong, code="kind_not_supported"),
    131053: partial(_wrong, code="media_refused"),
    **dict.fromkeys((132000, 132012), partial(_wrong, code="template_variables")),
    132001: partial(_wrong, code="template_missing"),
    **dict.fromkeys((132005, 132007, 132008), partial(_wrong, code="template_text")),
    **dict.fromkeys((132015, 132016), partial(_wrong, code="template_paused")),
    132068: partial(_wrong, code="form_blocked"),
    **dict.fromkeys((131055, 134100, 134102), partial(_wrong, code="not_for_marketing")),
    # About what customers sent: met when it is fetched, or beside a message that cannot be shown.
    131052: partial(Undeliverable, whose="platform", code="media_not_fetched"),
    131060: partial(Undeliverable, whose="platform", code="content_unavailable"),
}  # fmt: skip


class Api:
    """Requests of one account, with its access token."""

    def __init__(self, services: Services[Config]) -> None:
        self._http, self._config = services.http, services.config
        self._base = f"{services.config.api_base}/{services.config.api_version}"

    async def ask(self, method: str, path: str, *, attempt: int = 0, **options: Any) -> Json:
        """Return WhatsApp's answer, or raise what it means.

        `attempt` is the number of the attempt for what must not be done twice: then an answer that says neither
        yes nor no is Uncertain.
        """
        response = await self.open(method, f"{self._base}/{path}", **options)
        await response.aread()
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.is_success and isinstance(answer, dict) and "error" not in answer:
            return answer
        raise error_of(response, attempt=attempt)

    async def open(self, method: str, url: str, **options: Any) -> httpx2.Response:
        """Return an answer whose body was not read yet."""
        bearer = {"Authorization": f"Bearer {self._config.access_token.get_secret_value()}"}
        request = self._http.build_request(method, url, headers=bearer, **options)
        return await self._http.send(request, stream=True)

    async def upload(self, file: MediaStream) -> str:
        """Upload a file and return its id. The message has not left yet: nothing that fails here leaves it in doubt."""
        with tempfile.SpooledTemporaryFile(max_size=4_000_000) as kept:
            async for chunk in file.chunks:
                kept.write(chunk)
            kept.seek(0)
            named = (file.name or "file", kept, file.mime or "application/octet-stream")
            data = {"messaging_product": "whatsapp", "type": named[2]}
            path = f"{self._config.phone_number_id}/media"
            try:
                answer = await self.ask("POST", path, data=data, files={"file": named})
            except httpx2.TransportError as error:
                raise TryLater("WhatsApp did not answer to an upload.", code="not_uploaded") from error
        if not isinstance(answer.get("id"), str):
            raise TryLater("WhatsApp took an upload and told no id.", code="not_uploaded")
        return str(answer["id"])


def answer_of(error: Json, response: httpx2.Response | None = None) -> errors.PlatformAnswer:
    """Return what WhatsApp says of an error; its details tell more than its titles."""
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    text = str(details or error.get("message") or error.get("title") or "")[:1000] or None
    code, trace = (None if one is None else str(one) for one in (error.get("code"), error.get("fbtrace_id")))
    status = response.status_code if response else None
    return errors.PlatformAnswer(status=status, code=code, text=text, request_id=trace)


def is_trouble_of_account(error: Json) -> bool:
    return isinstance(_meaning(error), SignInNeeded)


def window_code_of(error: Json) -> str | None:
    """Return what a failure that came later says of the reply window."""
    meant = _meaning(error)
    return meant.code if isinstance(meant, errors.WindowClosed) else None


def _meaning(error: Json) -> errors.DeliveryError:
    code = error.get("code")
    return (ERRORS.get(code, _wrong) if type(code) is int else _wrong)()


def error_of(response: httpx2.Response, *, attempt: int = 0) -> errors.DeliveryError:
    """Return what a refusal means, by its code; by its status only where it has none."""
    try:
        body = response.json()["error"]
        error = body if isinstance(body, dict) else {}
    except (ValueError, TypeError, LookupError):
        error = {}
    answer, code = answer_of(error, response), error.get("code")
    said = f"WhatsApp: {answer.text}" if answer.text else f"WhatsApp answered {response.status_code}."
    if type(code) is not int:
        return _by_status(response.status_code, doubt=bool(attempt))(said, answer=answer)
    if code not in ERRORS:
        log.warning("answer.unknown", code=code, status=response.status_code)
    if code == 1 and attempt >= 5:
        return Undeliverable(said, whose="platform", code="unknown_failure", answer=answer)
    made = ERRORS.get(code, partial(_wrong, code="refused"))(said, answer=answer)
    if isinstance(made, TryLater):
        after_s = wait_s(response)
        made.after_s = made.after_s if after_s is None else after_s
        if code == 131056 and made.after_s is None:
            made.after_s = 4 ** min(max(attempt, 1) - 1, 8)
    return made


def _by_status(status: int, *, doubt: bool) -> Making:
    """Return the meaning of an answer without a code: of a gateway before the platform, or cut short."""
    if status >= 500 or status < 300:
        return errors.Uncertain if doubt and status != 503 else TryLater
    return {401: SignInNeeded, 429: RateLimited}.get(status, partial(_wrong, code="refused"))
