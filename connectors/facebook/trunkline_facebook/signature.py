"""The proof of a webhook: HMAC-SHA256 in hex over the bytes as received.

The platform signs a form in which what is not ASCII stands as escapes, and sends that very form: nothing may be parsed
and written again before the check.

Source: https://developers.facebook.com/docs/messenger-platform/webhooks (read 2026-11-22)
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

HEADER = "x-hub-signature-256"


def sign(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def is_proved(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` signed `body`. All are tried, so that the time does not tell which one did."""
    given = signature.encode(errors="replace")
    return any([hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets])  # noqa: C419 - see above
