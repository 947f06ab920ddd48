"""Pushes by the deployer's own server: one signed POST each, and its word on what became of it.

The README of this package is the specification for whoever writes that server.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import httpx2
import msgspec

from trunkline.contract import Services
from trunkline.hosted import Push, PushAnswer, PushResult, PushSender, PushTarget
from trunkline_sdk.config import Config, Relay

__all__ = ["SIGNATURE", "RelaySender", "signature_of"]

SIGNATURE = "X-Trunkline-Signature"
_encode = msgspec.json.Encoder().encode


class RelaySender(PushSender):
    def __init__(self, services: Services[Config], settings: Relay) -> None:
        self._http, self._clock, self._settings = services.http, services.clock, settings
        self.providers = frozenset(settings.providers)
        #: What a person has to repair, None while the relay takes what we send.
        self.trouble: str | None = None

    async def send_push(self, target: PushTarget, push: Push) -> PushAnswer:
        body = _encode({"device": _device(target), "push": _wish(push)})
        now_s = self._clock.now_ms() // 1000
        signature = signature_of(self._settings.secret.get_secret_value(), now_s, body)
        headers = {"Content-Type": "application/json", SIGNATURE: f"t={now_s},v1={signature}"}
        try:
            answer = answer_of(await self._http.post(self._settings.url, content=body, headers=headers))
        except httpx2.TransportError as error:
            return PushAnswer(PushResult.LATER, code=type(error).__name__)
        if answer.result is PushResult.SIGN_IN_NEEDED:
            self.trouble = f"The relay for pushes refuses us ({answer.code})."
        elif answer.result is not PushResult.LATER:
            self.trouble = None
        return answer


def signature_of(secret: str, now_s: int, body: bytes) -> str:
    """Return what proves that we posted this body at this time: HMAC-SHA256 of "<seconds>.<body>" in hex."""
    return hmac.new(secret.encode(), b"%d." % now_s + body, hashlib.sha256).hexdigest()


def answer_of(response: httpx2.Response) -> PushAnswer:
    """Return what a relay says: `result` of the table in the README; its status alone deletes no device."""
    status = response.status_code
    after_s = response.headers.get("Retry-After", "")
    pause = float(after_s) if after_s.isdecimal() else None
    if response.is_success:
        return _told(response, pause)
    refused = status in {401, 403, 404, 405, 410}
    return PushAnswer(PushResult.SIGN_IN_NEEDED if refused else PushResult.LATER, after_s=pause, code=str(status))


def _told(response: httpx2.Response, pause: float | None) -> PushAnswer:
    try:
        told = response.json() if response.content else {}
        result = PushResult(told.get("result", "sent"))
    except (ValueError, AttributeError):
        return PushAnswer(PushResult.LATER, code="relay_unreadable")
    after_s = told.get("retry_after")
    return PushAnswer(result, after_s=float(after_s) if isinstance(after_s, int | float) else pause)


def _device(target: PushTarget) -> dict[str, Any]:
    known = ("device_id", "provider", "environment", "bundle_id", "locale")
    told = {name: getattr(target, name) for name in known}
    return {**told, "push_token": target.push_token.get_secret_value()}


def _wish(push: Push) -> dict[str, Any]:
    rest = {"kind": push.kind, "collapse": push.collapse, "badge": push.unread, "expires_at": push.expires_at // 1000}
    return {**rest, "payload": push.payload()}
