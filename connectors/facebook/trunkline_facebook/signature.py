"""The proof of a webhook: HMAC-SHA256 in hex over the bytes as received.

The platform signs a form in which what is not ASCII stands as escapes, and sends that very form: nothing may be parsed
and written again before the check.

Source: https://developers.facebook.com/docs/messenger-platform/webhooks (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Iterable

from trunkline.contract import hub_signature, is_one_of

HEADER = "x-hub-signature-256"


def is_proved(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` signed `body`."""
    return is_one_of(signature, (hub_signature(body, secret) for secret in secrets))
