"""httpx2 over aiohttp's connector, which is five times as fast as httpx2's own pool.

`httpx-aiohttp` does the same, but reports a connection that the server closed after reading the request as
a time-out of connecting, and spells addresses anew, which spoils signed ones. The outbox lives on the
difference between "never sent" and "maybe sent", so the errors are mapped here, one by one.
"""

from __future__ import annotations

import functools
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

import aiohttp
import httpx2
import yarl
from aiohttp.abc import AbstractResolver

__all__ = ["MAX_RESPONSE", "Transport"]

#: Key in a request's extensions: bytes that the answer may have at most, after decoding.
MAX_RESPONSE = "trunkline.max_response"

_PIECE = 256 * 1024
#: aiohttp warns about longer bodies that are one piece.
_ONE_PIECE = 1024 * 1024
_POOL = 100
#: A reused connection that the server has closed makes a send uncertain: rather open a new one.
_KEEP_ALIVE_S = 10

#: What aiohttp raises → what httpx2 calls it; the first that matches counts.
_ERRORS: tuple[tuple[type[BaseException], type[httpx2.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.InvalidURL, httpx2.UnsupportedProtocol),
    # A header with a line break in it; nothing was written.
    (ValueError, httpx2.LocalProtocolError),
    # From here on the request may have left, in whole or in part.
    (aiohttp.ServerTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ClientConnectionResetError, httpx2.WriteError),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),
    (aiohttp.ClientError, httpx2.ReadError),
    (TimeoutError, httpx2.ReadTimeout),
    (OSError, httpx2.ReadError),
    (zlib.error, httpx2.ReadError),
)
_CAUGHT = tuple(kind for kind, _ in _ERRORS)
_SKIPPED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


def _mapped(error: BaseException, request: httpx2.Request) -> httpx2.TransportError:
    kind = next(new for old, new in _ERRORS if isinstance(error, old))
    return kind(f"{type(error).__name__} at {request.url.host}", request=request)


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once for all clients: reading the certificates takes longer than a request."""
    return httpx2.create_ssl_context(trust_env=False)


class Transport(httpx2.AsyncBaseTransport):
    """Sends one request over a pool of connections that is opened with the first.

    `check` may raise before anything is resolved; `resolver` is built on the running loop.
    """

    def __init__(self, check: Callable[[httpx2.Request], None], resolver: Callable[[], AbstractResolver]) -> None:
        self._check, self._resolver = check, resolver
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send; the answer's body is read as it is asked for."""
        self._check(request)
        session = self._session or self._open()
        data = _body(request)
        try:
            answer = await session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=_headers(request),
                data=data,
                allow_redirects=False,
                timeout=_timeout(request),
            )
        except _CAUGHT as error:
            raise _mapped(error, request) from error
        reason = (answer.reason or "").encode("latin-1", "replace")
        return httpx2.Response(
            answer.status,
            headers=[pair for pair in answer.raw_headers if pair[0].lower() != b"content-encoding"],
            stream=_Stream(answer, request),
            request=request,
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": reason},
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver(), ssl=_tls(), limit=_POOL, keepalive_timeout=_KEEP_ALIVE_S
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_SKIPPED,
            trust_env=False,
        )
        return self._session


def _headers(request: httpx2.Request) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw]


def _timeout(request: httpx2.Request) -> aiohttp.ClientTimeout:
    timeout = request.extensions.get("timeout", {})
    return aiohttp.ClientTimeout(
        total=None,
        connect=timeout.get("pool"),
        sock_connect=timeout.get("connect"),
        sock_read=timeout.get("read"),
    )


def _body(request: httpx2.Request) -> bytes | AsyncIterator[bytes] | None:
    try:
        content = request.content
    except httpx2.RequestNotRead:
        request.headers.pop("Transfer-Encoding", None)  # aiohttp frames the body itself
        return aiter(request.stream)  # type: ignore[arg-type] # an async client's requests have async streams
    if len(content) > _ONE_PIECE:
        return _pieces(content)
    return content or None


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]


class _Stream(httpx2.AsyncByteStream):
    """The body of an answer, decoded in bounded pieces and, where asked for, bounded as a whole."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx2.Request) -> None:
        self._answer, self._request = answer, request
        self._encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        self._left: int | None = request.extensions.get(MAX_RESPONSE)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        decode = self._decoder()
        try:
            async for chunk in self._answer.content.iter_any():
                for piece in decode(chunk):
                    self._count(len(piece))
                    yield piece
        except _CAUGHT as error:
            raise _mapped(error, self._request) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._answer.release()

    def _count(self, size: int) -> None:
        if self._left is None:
            return
        self._left -= size
        if self._left < 0:
            raise httpx2.ReadError("The answer is longer than allowed.", request=self._request)

    def _decoder(self) -> Callable[[bytes], Iterator[bytes]]:
        if self._encoding in {"identity", ""}:
            return _as_is
        if self._encoding in {"gzip", "deflate"}:
            return _Inflate()
        words = f"The answer has the encoding {self._encoding[:20]!r}, which was not asked for."
        raise httpx2.RemoteProtocolError(words, request=self._request)


def _as_is(chunk: bytes) -> Iterator[bytes]:
    yield chunk


class _Inflate:
    """Unpacks one gzip or zlib member; what follows it is ignored."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        while chunk and not self._zlib.eof:
            yield self._zlib.decompress(chunk, _PIECE)
            chunk = self._zlib.unconsumed_tail
