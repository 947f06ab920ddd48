"""Callers who speak bad HTTP, send bombs or knock without end: refused, with little said, and nobody else notices."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from tests.journeys.shop import ACCOUNT, Shop
from trunkline.http import sources
from trunkline.http.sources import FewLines
from trunkline.store import schema

PATH = f"/webhooks/{ACCOUNT}"
LENGTH = "Content-Length: 2"
CHUNKED = "Transfer-Encoding: chunked"

#: Requests that two servers in a row could read differently, or that are no HTTP: head and body, lines end with \r\n.
ROUGH: dict[str, tuple[str, bytes]] = {
    "two lengths": (f"POST {PATH} HTTP/1.1|Host: x|{LENGTH}|Content-Length: 3", b"{}x"),
    "a length and chunks": (f"POST {PATH} HTTP/1.1|Host: x|{LENGTH}|{CHUNKED}", b"0\r\n\r\n"),
    "a negative length": (f"POST {PATH} HTTP/1.1|Host: x|Content-Length: -1", b"{}"),
    "a length with a sign": (f"POST {PATH} HTTP/1.1|Host: x|Content-Length: +2", b"{}"),
    "a length in hex": (f"POST {PATH} HTTP/1.1|Host: x|Content-Length: 0x2", b"{}"),
    "a length with an underscore": (f"POST {PATH} HTTP/1.1|Host: x|Content-Length: 1_0", b"{}"),
    "a list of lengths": (f"POST {PATH} HTTP/1.1|Host: x|Content-Length: 2, 2", b"{}"),
    "chunks that are not last": (f"POST {PATH} HTTP/1.1|Host: x|{CHUNKED}, gzip", b"0\r\n\r\n"),
    "chunks twice": (f"POST {PATH} HTTP/1.1|Host: x|{CHUNKED}|{CHUNKED}", b"0\r\n\r\n"),
    "chunks by another name": (f"POST {PATH} HTTP/1.1|Host: x|Transfer-Encoding: xchunked", b"0\r\n\r\n"),
    "a space before a colon": (f"POST {PATH} HTTP/1.1|Host: x|Content-Length : 2", b"{}"),
    "a folded line": (f"POST {PATH} HTTP/1.1|Host: x|X-A: 1| X-B: 2|{LENGTH}", b"{}"),
    "no name": (f"POST {PATH} HTTP/1.1|Host: x|: 2|{LENGTH}", b"{}"),
    "a name with a NUL": (f"POST {PATH} HTTP/1.1|Host: x|X\0A: 2|{LENGTH}", b"{}"),
    "a value with a NUL": (f"POST {PATH} HTTP/1.1|Host: x|X-A: a\0b|{LENGTH}", b"{}"),
    "a bare line end in a value": (f"POST {PATH} HTTP/1.1|Host: x|X-A: a\rX-B: c|{LENGTH}", b"{}"),
    "an unknown version": (f"POST {PATH} HTTP/9.1|Host: x|{LENGTH}", b"{}"),
    "no version": (f"POST {PATH}|Host: x|{LENGTH}", b"{}"),
    "a method of signs": (f"P()ST {PATH} HTTP/1.1|Host: x|{LENGTH}", b"{}"),
    "an endless header": (f"POST {PATH} HTTP/1.1|Host: x|X-A: {'a' * 70_000}|{LENGTH}", b"{}"),
    "an endless path": (f"POST {PATH}{'a' * 70_000} HTTP/1.1|Host: x|{LENGTH}", b"{}"),
    "no text at all": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 20),
    "a chunk that lies": (f"POST {PATH} HTTP/1.1|Host: x|X-Line-Signature: a|{CHUNKED}", b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of a negative size": (f"POST {PATH} HTTP/1.1|Host: x|X-Line-Signature: a|{CHUNKED}", b"-2\r\n{}\r\n"),
}


async def _stored(shop: Shop) -> int:
    async with shop.house.store.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(schema.raw_request))).scalar_one())


async def _say(shop: Shop, raw: bytes) -> bytes:
    """Send bytes as they are; return all that comes until the other side closes."""
    host, _, port = shop.address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(raw)
        got = b""
        with suppress(ConnectionError):
            while more := await reader.read(65536):
                got += more
        return got
    finally:
        writer.close()


async def test_sec_48_what_two_servers_could_read_differently_is_refused_and_the_connection_closed(
    shop: Shop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, got = await _stored(shop), {}
    lines: list[Any] = []
    monkeypatch.setattr("trunkline.http.sources._LINES", 10_000)
    for name, (head, body) in ROUGH.items():
        follower = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{LENGTH}\r\nConnection: close\r\n\r\n{{}}".encode()
        with capture_logs() as told:
            answer = await _say(shop, head.replace("|", "\r\n").encode("latin-1") + b"\r\n\r\n" + body + follower)
        lines.append([line["event"] for line in told])
        # One answer: what came behind was not read as a request.
        got[name] = (answer[9:13], answer.count(b"\r\nServer: "))
    assert got == dict.fromkeys(ROUGH, (b"400 ", 1))
    assert await _stored(shop) == before
    # One line at the most, and no traceback of the server's.
    assert [one for one in lines if one not in ([], ["http.rejected"])] == []
    assert lines.count(["http.rejected"]) > len(ROUGH) // 2
    assert [record.getMessage() for record in caplog.records if record.name.startswith("aiohttp")] == []
    assert (await shop.knock()).status == 200


async def test_sec_47_a_bomb_of_many_members_is_refused_unread_with_one_line(shop: Shop) -> None:
    before, bomb = await _stored(shop), gzip.compress(b"") * 40_000
    with capture_logs() as lines:
        answer = await shop.knock(bomb, Content_Encoding="gzip")
    assert (answer.status, answer.code) == (415, "content_encoding")
    assert [line["event"] for line in lines] == ["webhook.rejected"]
    assert await _stored(shop) == before


async def test_sec_49_whoever_knocks_without_end_does_not_fill_the_log(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_WINDOW_S", 1e9)
    counted = shop.house.metrics.auth_failures.labels("webhook")
    before = counted._value.get()
    with capture_logs() as lines:
        for _ in range(350):
            await shop.knock(b"{}", x_line_signature="wrong")
    told = [line for line in lines if line["event"] == "webhook.rejected"]
    assert counted._value.get() == before + 350
    assert len(told) + sum(line.get("withheld", 0) for line in told) in range(300, 351)
    assert len(told) <= 103


def test_a_new_minute_is_told_again_with_what_was_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("trunkline.http.sources.monotonic", lambda: now)
    lines = FewLines()
    assert [lines.ask() for _ in range(100)] == [0] * 100
    assert [lines.ask() for _ in range(99)] == [None] * 99
    assert lines.ask() == 99
    assert lines.ask() is None
    now += 60
    assert lines.ask() == 1
