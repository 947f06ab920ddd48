"""What opens a door: 256 random bits, shown once, stored as SHA-256."""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["API_TOKEN", "SETUP_TOKEN", "STREAM_TICKET", "fingerprint", "new_secret"]

#: Prefixes, so that a scanner of leaked secrets knows ours.
API_TOKEN = "tla_"  # noqa: S105 - the prefix of a token, not one
SETUP_TOKEN = "tls_"  # noqa: S105 - the prefix of a token, not one
STREAM_TICKET = "tlt_"


def new_secret(prefix: str) -> str:
    """Return a new secret."""
    return prefix + secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """Return what is stored instead: a fast hash is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
