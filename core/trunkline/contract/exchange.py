"""Request and reply of a webhook, and the mark of a proved body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NewType

import msgspec

__all__ = ["TrustedBody", "WebhookReply", "WebhookRequest"]

#: Bytes whose sender was proved, and that were decrypted where the platform encrypts.
#: Only `Connector.authenticate` makes one; `Connector.parse` takes nothing else.
TrustedBody = NewType("TrustedBody", bytes)


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request to an account's webhook address."""

    method: str
    #: Decoded query parameters; a repeated name keeps its first value.
    query: Mapping[str, str]
    #: Looked up without regard to letter case.
    headers: Mapping[str, str]
    #: Exactly the bytes received, at most `Receiving.max_body`.
    body: bytes
    #: The client's address, taken from a proxy only if that proxy is configured.
    remote: str = ""


class WebhookReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform gets back: for some a word in the body, for others any 2xx."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
