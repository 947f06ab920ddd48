"""The proofs of a WhatsApp webhook: HMAC-SHA256 over the bytes as received, and the words of the handshake.

The platform signs an escaped spelling of its JSON, and sends that very spelling: the raw bytes are what is signed.

Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started (read 2026-11-22)
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable


def sign(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def is_proved(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` signed `body`. All are tried, so that the time does not tell which one did."""
    given = signature.encode(errors="replace")
    return any([hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets])  # noqa: C419 - see above


def is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
