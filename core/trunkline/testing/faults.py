"""What goes wrong on a simulated platform, and the journal of what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
from typing import Literal

import msgspec
from aiohttp import web

__all__ = ["Entry", "Fault", "abort", "slowly"]


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What goes wrong with the next `times` requests that match."""

    do: Literal["answer", "delay", "close_before", "close_after", "cut", "drip"]
    #: A pattern of the path, as in a shell.
    path: str = "*"
    method: str = "*"
    times: int = 1
    #: For "answer": it replaces the platform's own answer, and nothing is accepted.
    status: int = 500
    body: str = ""
    content_type: str = "application/json"
    #: For "answer": further headers.
    headers: dict[str, str] = {}
    #: For "delay" and "drip": seconds before the answer, or before each of its bytes.
    seconds: float = 0.05

    def fits(self, request: web.Request) -> bool:
        return self.method in {"*", request.method} and fnmatch.fnmatch(request.path, self.path)


class Entry(msgspec.Struct, kw_only=True):
    """One request of the platform's API."""

    at_ms: int
    method: str
    path: str
    #: Lower-case names; credentials are left out.
    headers: dict[str, str]
    body: str
    #: "answered", or the fault that hit it.
    outcome: str = ""
    status: int | None = None
    answer: str = ""


def abort(request: web.Request) -> web.Response:
    """Drop the connection as a broken network does; what is returned cannot be sent any more."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def slowly(request: web.Request, answer: web.Response, fault: Fault) -> web.StreamResponse:
    """Send half of an answer and drop the connection, or all of it byte by byte."""
    body = bytes(answer.body) if isinstance(answer.body, bytes | bytearray) else b""
    headers = {"Content-Type": answer.content_type, "Content-Length": str(len(body))}
    stream = web.StreamResponse(status=answer.status, headers=headers)
    await stream.prepare(request)
    if fault.do == "cut":
        await stream.write(body[: len(body) // 2])
        await asyncio.sleep(0.05)
        return abort(request)
    with contextlib.suppress(ConnectionError):
        for at in range(len(body)):
            await stream.write(body[at : at + 1])
            await asyncio.sleep(fault.seconds)
        await stream.write_eof()
    return stream
