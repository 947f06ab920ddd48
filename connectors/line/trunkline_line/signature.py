"""The proof of a LINE webhook: base64 of HMAC-SHA256 over the bytes as received.

Source: https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/ (read 2026-11-21)
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable

from trunkline.contract import is_one_of


def sign(body: bytes, secret: str) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))


def is_proved(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` signed `body`."""
    return is_one_of(signature, (sign(body, secret).decode() for secret in secrets))
