"""Files that lie on somebody else's server: pictures of customers, media that a platform only points to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from trunkline.errors import TryLater, Undeliverable
from trunkline.service.media_files import MediaRefused

__all__ = ["open_stream"]

_BAD_ADDRESS = (httpx2.TooManyRedirects, httpx2.InvalidURL, httpx2.UnsupportedProtocol)


@asynccontextmanager
async def open_stream(web: httpx2.AsyncClient, url: str, max_bytes: int) -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield the bytes behind `url`, read through the open client.

    Raises:
        TryLater, Undeliverable: what the server's answer means.
        MediaRefused: it announces more than `max_bytes`.
    """
    try:
        response = await web.send(web.build_request("GET", url), stream=True)
    except _BAD_ADDRESS as error:
        raise Undeliverable("The address of the file is no good.", code="bad_address") from error
    try:
        _judge(response, max_bytes)
        yield response.aiter_bytes()
    finally:
        await response.aclose()


def _judge(response: httpx2.Response, max_bytes: int) -> None:
    status = response.status_code
    if status == 429 or status >= 500:
        after = response.headers.get("Retry-After", "")
        words = f"The file's server answered {status}."
        raise TryLater(words, after_s=float(after) if after.isdigit() else None)
    if status != 200:
        raise Undeliverable(f"The file's server answered {status}.", code="gone")
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise MediaRefused("too_large", f"A file may have at most {max_bytes} bytes.")
