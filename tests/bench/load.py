"""A load client that costs little: raw HTTP/1.1 over keep-alive connections, one request at a time on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

__all__ = ["Load", "Measured", "request_bytes"]


@dataclass
class Measured:
    """What one run of a load showed."""

    seconds: float = 0.0
    answers: dict[int, int] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Return 2xx answers per second."""
        return sum(count for status, count in self.answers.items() if 200 <= status < 300) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Return the latency that `share` of the requests stayed below."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def request_bytes(path: str, body: bytes, headers: dict[str, str] | None = None, *, method: str = "POST") -> bytes:
    """Return one request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, requests: Iterator[bytes], measured: Measured, done: Callable[[], None]) -> None:
        self._requests, self._measured, self._done = requests, measured, done
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(rest) < _length(head):
            return
        self._measured.latencies_s.append(time.perf_counter() - self._sent_at)
        status = int(head[9:12])
        self._measured.answers[status] = self._measured.answers.get(status, 0) + 1
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    return 0


@dataclass
class Load:
    """A number of connections that share one stream of requests."""

    host: str
    port: int
    connections: int = 32

    async def run(self, requests: Iterator[bytes]) -> Measured:
        """Send all requests and return what was seen."""
        measured, loop = Measured(), asyncio.get_running_loop()
        waiting: list[asyncio.Future[None]] = [loop.create_future() for _ in range(self.connections)]
        began = time.perf_counter()
        for future in waiting:

            def ended(future: asyncio.Future[None] = future) -> None:
                if not future.done():
                    future.set_result(None)

            await loop.create_connection(
                lambda ended=ended: _Connection(requests, measured, ended),  # type: ignore[misc]  # closure in a loop
                self.host,
                self.port,
            )
        await asyncio.gather(*waiting)
        measured.seconds = time.perf_counter() - began
        return measured
