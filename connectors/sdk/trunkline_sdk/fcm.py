"""The one place that speaks to Firebase Cloud Messaging (HTTP v1).

Sources: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode,
https://firebase.google.com/docs/cloud-messaging/error-codes (read 2026-11-22)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from trunkline.contract import AccessToken, Services
from trunkline.errors import DeliveryError, PlatformAnswer, SignInNeeded, TryLater
from trunkline.hosted import Push, PushAnswer, PushResult, PushSender, PushTarget
from trunkline_sdk.config import Config, Fcm

__all__ = ["ERRORS", "FcmSender", "message_of"]

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_DETAIL = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_NAME = "fcm"

_UNREGISTERED, _REFUSED = PushResult.UNREGISTERED, PushResult.REFUSED
_LATER, _SIGN_IN = PushResult.LATER, PushResult.SIGN_IN_NEEDED
#: FCM's own code, else the status of Google's APIs, else the HTTP status → what it means.
ERRORS: Mapping[str, PushResult] = {
    "UNREGISTERED": _UNREGISTERED,
    "INVALID_ARGUMENT": _REFUSED,
    # A token of another project: with a wrong service account that is every token, so none of them is forgotten.
    "SENDER_ID_MISMATCH": _SIGN_IN,
    "THIRD_PARTY_AUTH_ERROR": _SIGN_IN,
    "QUOTA_EXCEEDED": _LATER,
    "UNAVAILABLE": _LATER,
    "INTERNAL": _LATER,
    "UNSPECIFIED_ERROR": _LATER,
    "UNAUTHENTICATED": _SIGN_IN,
    "PERMISSION_DENIED": _SIGN_IN,
    # Without FCM's own code it is the project that is not found.
    "NOT_FOUND": _SIGN_IN,
    "RESOURCE_EXHAUSTED": _LATER,
    "400": _REFUSED,
    "401": _SIGN_IN,
    "403": _SIGN_IN,
    "404": _SIGN_IN,
}
_WORDS = {
    "SENDER_ID_MISMATCH": "the service account is of another Firebase project than the app.",
    "THIRD_PARTY_AUTH_ERROR": "Firebase lacks the app's APNs key or web push key.",
    "PERMISSION_DENIED": "the service account may not send messages.",
    "NOT_FOUND": "there is no such Firebase project.",
}


class FcmSender(PushSender):
    """One project with its service account."""

    def __init__(self, services: Services[Config], settings: Fcm) -> None:
        self._http, self._clock, self._tokens = services.http, services.clock, services.tokens
        self._settings = settings
        self._account: dict[str, str] = json.loads(settings.service_account.get_secret_value())
        #: What a person has to repair, None while FCM takes what we send.
        self.trouble: str | None = None

    async def send_push(self, target: PushTarget, push: Push) -> PushAnswer:
        return await self._post({"message": message_of(target, push, self._clock.now_ms())})

    async def check(self) -> None:
        """Find out whether FCM would take a message; nothing is sent."""
        probe = {"topic": "trunkline-probe", "data": {"occ": "{}"}}
        await self._post({"validate_only": True, "message": probe})

    async def _post(self, body: dict[str, Any]) -> PushAnswer:
        try:
            answer = answer_of(await self._ask(body))
        except SignInNeeded as error:
            answer = PushAnswer(_SIGN_IN, code=error.answer.code if error.answer else None)
        except DeliveryError as error:
            answer = PushAnswer(_LATER, code=error.code)
        except httpx2.TransportError as error:
            answer = PushAnswer(_LATER, code=type(error).__name__)
        if answer.result is _SIGN_IN:
            words = _WORDS.get(answer.code or "", "Google refuses the service account.")
            self.trouble = f"FCM answers {answer.code}: {words}"
        elif answer.result is not _LATER:
            self.trouble = None
        return answer

    async def _ask(self, body: dict[str, Any]) -> httpx2.Response:
        """Post with an access token; one that is refused is renewed once."""
        url = f"{self._settings.api_base}/v1/projects/{self._account['project_id']}/messages:send"
        for last in (False, True):
            token = await self._tokens.get(self._renew, name=_NAME)
            response = await self._http.post(url, json=body, headers={"Authorization": f"Bearer {token}"})
            if response.status_code != 401 or last or _codes(response)[:1] == ["THIRD_PARTY_AUTH_ERROR"]:
                break
            await self._tokens.forget(token, name=_NAME)
        return response

    async def _renew(self) -> AccessToken:
        """Exchange a JWT of the service account for an access token.

        Source: https://developers.google.com/identity/protocols/oauth2/service-account (RFC 7523)
        """
        now = self._clock.now_ms()
        url = f"{self._settings.oauth_base}/token"
        try:
            response = await self._http.post(url, data={"grant_type": _GRANT, "assertion": self._assertion(now)})
        except httpx2.TransportError as error:
            raise TryLater("Google did not answer when asked for an access token.", code="no_token") from error
        if response.status_code == 429 or response.status_code >= 500:
            raise TryLater("Google gave no access token now.", code="no_token")
        if not response.is_success:
            code = _field(response, "error") or str(response.status_code)
            raise SignInNeeded(answer=PlatformAnswer(status=response.status_code, code=code))
        told = response.json()
        return AccessToken(value=told["access_token"], expires_at_ms=now + int(told["expires_in"]) * 1000)

    def _assertion(self, now_ms: int) -> str:
        from joserfc import jwk, jwt  # noqa: PLC0415 - a quarter of a second at start, for those who push

        try:
            key = jwk.RSAKey.import_key(self._account["private_key"])
        except ValueError:
            raise SignInNeeded(answer=PlatformAnswer(code="private_key_unreadable")) from None
        now = now_ms // 1000
        audience = f"{self._settings.oauth_base}/token"
        claims = {"iss": self._account["client_email"], "scope": SCOPE, "aud": audience, "iat": now, "exp": now + 3600}
        kid = self._account.get("private_key_id")
        return jwt.encode({"alg": "RS256", "typ": "JWT", **({"kid": kid} if kid else {})}, claims, key)


def message_of(target: PushTarget, push: Push, now_ms: int) -> dict[str, Any]:
    """Return a push as FCM takes it; a new one replaces the one that is shown of the same thread."""
    payload = push.payload()
    life_s = max(0, push.expires_at - now_ms) // 1000
    android: dict[str, Any] = {"collapse_key": push.collapse, "ttl": f"{life_s}s", "priority": "high"}
    aps: dict[str, Any] = {"badge": push.unread, "thread-id": push.collapse}
    headers = {"apns-collapse-id": push.collapse, "apns-expiration": str(push.expires_at // 1000)}
    message: dict[str, Any] = {
        "token": target.push_token.get_secret_value(),
        "data": {"occ": json.dumps(payload["occ"], separators=(",", ":"))},
        "android": android,
        "apns": {"headers": headers, "payload": {"aps": aps}},
    }
    if push.notice is None:
        android["priority"] = "normal"
        return message
    message["notification"] = {"title": push.notice.title, "body": push.notice.body}
    android["notification"] = {"tag": push.collapse, "notification_count": push.unread}
    aps["sound"] = "default"
    return message


def answer_of(response: httpx2.Response) -> PushAnswer:
    """Return what FCM's answer means."""
    if response.is_success:
        return PushAnswer(PushResult.SENT)
    codes = [*_codes(response), str(response.status_code)]
    code = next((one for one in codes if one in ERRORS), codes[-1])
    return PushAnswer(ERRORS.get(code, _LATER), after_s=_seconds(response.headers.get("Retry-After")), code=code)


def _codes(response: httpx2.Response) -> list[str]:
    """Return FCM's own code and the status of Google's APIs, as far as they are told."""
    error = _field(response, "error")
    if not isinstance(error, dict):
        return []
    details = [one for one in error.get("details") or () if isinstance(one, dict) and one.get("@type") == _DETAIL]
    return [str(code) for code in (*(one.get("errorCode") for one in details), error.get("status")) if code]


def _field(response: httpx2.Response, name: str) -> Any:
    try:
        told = response.json()
    except ValueError:
        return None
    return told.get(name) if isinstance(told, dict) else None


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
