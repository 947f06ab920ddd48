"""Platforms as clients: signed webhooks over kept connections, every call written into a history."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.promises.history import History
from trunkline_line.signature import sign

__all__ = [
    "SECRET",
    "Answer",
    "Line",
    "Wire",
    "ask",
    "ask_and_leave",
    "deliver",
    "line_body",
    "line_event",
    "swarm",
    "swarm_bodies",
    "swarm_until",
    "wires",
]

#: Invented; the `channel_secret` of `line_account()`.
SECRET = "0123456789abcdef0123456789abcdef"
_ANSWER_S = 60.0

#: Status and headers (lower case) of an answer.
Answer = tuple[int, dict[str, str]]


def line_event(key: str, *, user: int = 0, text: str | None = None, at: int = 1_795_262_400_000) -> dict[str, Any]:
    """Return a LINE text message whose event id is `e-{key}` and whose message id is `key`."""
    return {
        "type": "message",
        "mode": "active",
        "timestamp": at,
        "webhookEventId": f"e-{key}",
        "deliveryContext": {"isRedelivery": False},
        "source": {"type": "user", "userId": f"U{user:032x}"},
        "replyToken": f"r-{key}",
        "message": {"type": "text", "id": key, "quoteToken": f"q-{key}", "text": text or f"message {key}"},
    }


def line_body(events: Iterable[dict[str, Any]]) -> bytes:
    """Return a webhook body of LINE."""
    return json.dumps({"destination": f"U{1:032x}", "events": list(events)}, separators=(",", ":")).encode()


class Line:
    """A LINE that posts to one account. A 2xx to `post` is an ack; a lost connection is an unknown outcome."""

    def __init__(self, history: History, *, account: str = "shop", secret: str = SECRET) -> None:
        self.history, self._account, self._secret = history, account, secret

    async def post(self, wire: Wire, keys: Sequence[str], body: bytes) -> Answer:
        """Post one body that holds the events named by `keys`; (0, {}) when the outcome is unknown."""
        call = self.history.invoke(keys)
        try:
            answer = await wire.post(f"/webhooks/{self._account}", body, {"x-line-signature": self._signed(body)})
        except (OSError, EOFError, TimeoutError):
            self.history.unknown(call)
            wire.close()
            return 0, {}
        if 200 <= answer[0] < 300:
            self.history.ok(call)
        else:
            self.history.fail(call, answer[0])
        return answer

    def _signed(self, body: bytes) -> str:
        return sign(body, self._secret).decode()


class Wire:
    """One kept HTTP/1.1 connection, opened at need."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Post and return the answer.

        Raises:
            OSError, EOFError, TimeoutError: there was none.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        return await self._exchange(head.encode() + body)

    async def get(self, path: str) -> Answer:
        """As `post`, without a body."""
        return await self._exchange(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    async def _exchange(self, request: bytes) -> Answer:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writer.write(request)
        async with asyncio.timeout(_ANSWER_S):
            status, headers = _head(await self._reader.readuntil(b"\r\n\r\n"))
            await self._reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers

    def close(self) -> None:
        """Drop the connection; the next call opens a new one."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


def _head(data: bytes) -> Answer:
    first, *lines = data.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


async def swarm(line: Line, port: int, keys: Iterator[str], *, clients: int = 16, enough: asyncio.Event) -> None:
    """Let `clients` connections post one key after another until it is enough, the keys end, or the server is gone."""

    async def customer(wire: Wire) -> None:
        for key in keys:
            status, _ = await line.post(wire, [key], line_body([line_event(key, user=zlib.crc32(key.encode()) % 64)]))
            if status == 0 or enough.is_set():
                return

    async with wires(port, clients) as made:
        await asyncio.gather(*map(customer, made))


@contextlib.asynccontextmanager
async def swarm_until(line: Line, port: int, keys: Iterator[str], *, clients: int = 16) -> AsyncIterator[None]:
    """Load the server while the block runs, with a breath after each refusal; then let what is under way end."""
    over = asyncio.Event()

    async def customer(wire: Wire) -> None:
        for key in keys:
            status, _ = await line.post(wire, [key], line_body([line_event(key, user=zlib.crc32(key.encode()) % 64)]))
            if over.is_set():
                return
            if not 200 <= status < 300:
                await asyncio.sleep(0.02)

    async with wires(port, clients) as made, asyncio.TaskGroup() as group:
        for wire in made:
            group.create_task(customer(wire))
        try:
            yield
        finally:
            over.set()


async def swarm_bodies(line: Line, port: int, bodies: Iterator[tuple[list[str], bytes]], *, clients: int = 16) -> None:
    """Let `clients` connections post one body after another, each once."""

    async def customer(wire: Wire) -> None:
        for keys, body in bodies:
            await line.post(wire, keys, body)

    async with wires(port, clients) as made:
        await asyncio.gather(*map(customer, made))


@contextlib.asynccontextmanager
async def wires(port: int, count: int) -> AsyncIterator[list[Wire]]:
    """Yield `count` connections; closes them."""
    made = [Wire(port) for _ in range(count)]
    try:
        yield made
    finally:
        for wire in made:
            wire.close()


async def ask(port: int, path: str) -> int:
    """Return the status of one GET on a connection of its own; 0 when there is no answer."""
    wire = Wire(port)
    try:
        async with asyncio.timeout(10):
            return (await wire.get(path))[0]
    except (OSError, EOFError, TimeoutError):
        return 0
    finally:
        wire.close()


async def ask_and_leave(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> None:
    """Send one request on a connection of its own and hang up before any answer."""
    given = {**headers, "Host": "127.0.0.1", "Content-Length": str(len(body))}
    given |= {"Content-Type": "application/json"} if body else {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    with contextlib.suppress(OSError, EOFError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def deliver(
    line: Line, ports: Sequence[int], bodies: list[tuple[list[str], bytes]], *, at_once: int = 32, seconds: float = 600
) -> None:
    """Post all bodies, each until it has a 2xx, spread over the ports; what was refused is sent again, as platforms do.

    Raises:
        TimeoutError: not all were taken in time.
    """
    left = deque(bodies)

    async def customer(wire: Wire) -> None:
        while left:
            keys, body = left.popleft()
            status, _ = await line.post(wire, keys, body)
            if not 200 <= status < 300:
                left.append((keys, body))
                await asyncio.sleep(0.05)

    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(seconds):
        groups = [await stack.enter_async_context(wires(port, at_once // len(ports))) for port in ports]
        await asyncio.gather(*(customer(wire) for group in groups for wire in group))
