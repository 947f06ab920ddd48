"""The proof of a LINE webhook: base64 of HMAC-SHA256 over the bytes as received.

Source: https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/ (read 2026-11-21)
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable


def sign(body: bytes, secret: str) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))


def is_proved(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` signed `body`. All are tried, so that the time does not tell which one did."""
    given = signature.encode(errors="replace")
    return any([hmac.compare_digest(sign(body, secret), given) for secret in secrets])  # noqa: C419 - see above
