"""Firebase on loopback: service accounts, access tokens, registration tokens, and its answers to what is wrong.

Sources: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode,
https://firebase.google.com/docs/cloud-messaging/error-codes (read 2026-11-22)
"""

from __future__ import annotations

import hmac
import json
import secrets
from typing import Any

from joserfc import jwk, jwt
from joserfc.errors import JoseError

from trunkline.contract import Clock

__all__ = ["Firebase"]

_PROJECT = "invented-bicycle-shop"
_ACCESS_S = 3600
_MOST_BYTES = 4096
_DETAIL = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
#: FCM's code → HTTP status and the status of Google's APIs.
_STATUS = {
    "UNREGISTERED": (404, "NOT_FOUND"),
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT"),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED"),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED"),
    "UNAVAILABLE": (503, "UNAVAILABLE"),
    "INTERNAL": (500, "INTERNAL"),
    "THIRD_PARTY_AUTH_ERROR": (401, "UNAUTHENTICATED"),
}
Json = dict[str, Any]


class Firebase:
    """One project."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = jwk.RSAKey.generate_key(2048)
        #: Registration token → device.
        self._devices: dict[str, str] = {}
        #: Access token → when it ends.
        self._access: dict[str, int] = {}
        self.sent: list[Json] = []
        #: The device of the last push.
        self.woken: str | None = None
        #: Codes with which the next messages are refused.
        self.refusals: list[str] = []

    @property
    def service_account(self) -> str:
        """The file that a deployer downloads."""
        private_key = self._key.as_pem(private=True).decode()
        known = {"type": "service_account", "project_id": _PROJECT, "private_key_id": "invented-1"}
        return json.dumps({**known, "private_key": private_key, "client_email": f"trunkline@{_PROJECT}.example"})

    def register(self, device: str) -> str:
        """Give a device a registration token, as the app's own library would."""
        token = secrets.token_urlsafe(24)
        self._devices[token] = device
        return token

    def uninstall(self, device: str) -> None:
        """Forget a device's tokens."""
        self._devices = {token: one for token, one in self._devices.items() if one != device}

    def revoke_access(self) -> None:
        """Let no access token be good any more."""
        self._access.clear()

    def exchange(self, assertion: str, audience: str) -> tuple[int, Json]:
        """Give an access token to a service account that signed."""
        try:
            claims = jwt.decode(assertion, self._key, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        now_s = self._clock.now_ms() // 1000
        good = claims["aud"] == audience and claims["iat"] <= now_s < claims["exp"] <= claims["iat"] + 3600
        if not good or "firebase.messaging" not in claims["scope"]:
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT."}
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._access[token] = self._clock.now_ms() + _ACCESS_S * 1000
        return 200, {"access_token": token, "expires_in": _ACCESS_S, "token_type": "Bearer"}

    def send(self, project: str, bearer: str, body: Json) -> tuple[int, Json]:
        """Take a message."""
        if not any(hmac.compare_digest(bearer.encode(), one.encode()) for one in self._good()):
            return 401, {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "Invalid credentials."}}
        if project != _PROJECT:
            return 404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "Requested entity was not found."}}
        if self.refusals:
            return _refused(self.refusals.pop(0))
        message = body["message"]
        if _too_large(message) or not _is_text(message.get("data", {})):
            return _refused("INVALID_ARGUMENT")
        if body.get("validate_only"):
            return 200, {"name": f"projects/{_PROJECT}/messages/fake_message_id"}
        device = self._devices.get(message.get("token", ""))
        if device is None:
            return _refused("UNREGISTERED")
        self.woken = device
        self.sent.append(message)
        return 200, {"name": f"projects/{_PROJECT}/messages/{len(self.sent)}"}

    def _good(self) -> list[str]:
        return [token for token, ends in self._access.items() if ends > self._clock.now_ms()]


def _is_text(data: Json) -> bool:
    return all(isinstance(value, str) for value in data.values())


def _too_large(message: Json) -> bool:
    told = {name: message.get(name) for name in ("data", "notification")}
    return len(json.dumps(told, ensure_ascii=False).encode()) > _MOST_BYTES


def _refused(code: str) -> tuple[int, Json]:
    status, word = _STATUS[code]
    details = [{"@type": _DETAIL, "errorCode": code}]
    return status, {"error": {"code": status, "status": word, "message": "Refused.", "details": details}}
