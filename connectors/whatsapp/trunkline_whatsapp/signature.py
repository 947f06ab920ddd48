"""The proofs of a WhatsApp webhook: HMAC-SHA256 over the bytes as received, and the words of the handshake.

The platform signs an escaped spelling of its JSON, and sends that very spelling: the raw bytes are what is signed.

Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Iterable

from trunkline.contract import hub_signature, is_one_of


def is_proved(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of `secrets` signed `body`."""
    return is_one_of(signature, (hub_signature(body, secret) for secret in secrets))
