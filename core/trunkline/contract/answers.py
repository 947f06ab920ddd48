"""What every platform's HTTP answers have in common: a file, and a wish to wait."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from trunkline.contract.outbound import MediaStream
from trunkline.errors import TryLater

if TYPE_CHECKING:
    import httpx2

__all__ = ["file_of", "wait_s"]

#: What a gateway says beyond a day is no wish that anybody had.
_LONGEST_WAIT_S = 86_400.0
_HEX_DIGITS = 64


def file_of(
    response: httpx2.Response,
    *,
    name: str | None = None,
    mime: str | None = None,
    chunks: AsyncIterator[bytes] | None = None,
    sha256: Any = None,
) -> MediaStream:
    """Return an answer whose body was not read yet as a file; `mime` is for an answer that does not tell it.

    `size` is that of the whole file where the answer is a piece of it. `chunks` stand for the answer's own bytes. With
    `sha256`, in hex or base64, a file that is another one raises TryLater at its end; what is no digest is not checked.
    """
    headers = response.headers
    whole = headers.get("content-range", "").rpartition("/")[2] or headers.get("content-length", "")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower() or mime
    size = int(whole) if whole.isdecimal() else 0
    given, wanted = chunks or response.aiter_bytes(), _digest(sha256)
    return MediaStream(
        chunks=given if wanted is None else _checked(given, response, wanted), mime=kind, size=size or None, name=name
    )


def _digest(told: Any) -> bytes | None:
    """Return a SHA-256, None for what is none."""
    try:
        raw = bytes.fromhex(told) if len(told) == _HEX_DIGITS else base64.b64decode(told, validate=True)
    except (ValueError, TypeError):
        return None
    return raw if len(raw) == hashlib.sha256().digest_size else None


async def _checked(chunks: AsyncIterator[bytes], response: httpx2.Response, wanted: bytes) -> AsyncIterator[bytes]:
    """Pass the bytes on, and say at their end whether they are those that were sent."""
    found = hashlib.sha256()
    try:
        async for chunk in chunks:
            found.update(chunk)
            yield chunk
    finally:
        await response.aclose()
    if not hmac.compare_digest(found.digest(), wanted):
        raise TryLater("The file arrived damaged.", code="media_damaged")


def wait_s(response: httpx2.Response) -> float | None:
    """Return in how many seconds to come again, at most a day; None where the answer has no Retry-After in seconds."""
    told = response.headers.get("retry-after", "")
    return min(float(told), _LONGEST_WAIT_S) if told.isdecimal() else None
