"""What a failed or a strange answer means: never sent, maybe sent, or too much."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from tests.core.http_yard import OK, LyingResolver, Serve, connections, post, read_request, serving
from trunkline.errors import TryLater, Uncertain
from trunkline.service.platform_http import build_client, classify

__all__ = ["connections"]


async def test_a_closed_port_means_never_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(httpx2.ConnectError) as failed:
            await post(f"127.0.0.1:{taken.getsockname()[1]}")
    assert isinstance(classify(failed.value), TryLater)


async def test_a_name_without_an_address_means_never_sent() -> None:
    class Nowhere(LyingResolver):
        async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
            raise socket.gaierror(-2, "Name or service not known")

    async with build_client(["api.shop.example"], resolver=Nowhere()) as client:
        with pytest.raises(httpx2.ConnectError) as failed:
            await client.get("https://api.shop.example/")
    assert isinstance(classify(failed.value), TryLater)


async def test_a_failed_handshake_means_never_sent() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with serving(hang_up) as host, build_client((), allow_hosts=[host]) as client:
        with pytest.raises(httpx2.ConnectError) as failed:
            await client.post(f"https://{host}/")
    assert isinstance(classify(failed.value), TryLater)


async def test_a_connection_that_is_never_made_means_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(**_: Any) -> socket.socket:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", hang)
    # Far from the time for the whole answer: which of the two is over first must not depend on the machine.
    monkeypatch.setattr("trunkline.service.platform_http._CONNECT_S", 0.05)
    with pytest.raises(httpx2.ConnectTimeout) as failed:
        await post("127.0.0.1:9")
    assert isinstance(classify(failed.value), TryLater)


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and hang up."""
    await read_request(reader)


async def _cut_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 O")


async def _cut_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


async def _babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"220 mail.example ESMTP\r\n")


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("serve", [_swallow, _cut_head, _cut_body, _babble, _reset])
async def test_a_connection_lost_after_the_request_means_maybe_sent(serve: Serve) -> None:
    async with serving(serve) as host:
        with pytest.raises(httpx2.TransportError) as failed:
            await post(host)
    assert isinstance(classify(failed.value), Uncertain)


async def test_no_answer_in_time_means_maybe_sent() -> None:
    # Only the answer is waited for so shortly: a busy machine may take its time to connect.
    short = httpx2.Timeout(60, read=0.1)
    async with serving(_say_nothing) as host, build_client((), allow_hosts=[host], timeout_s=60) as client:
        with pytest.raises(httpx2.ReadTimeout) as failed:
            await client.post(f"http://{host}/push", json={"to": "U1"}, timeout=short)
    assert isinstance(classify(failed.value), Uncertain)


async def test_an_answer_that_drips_for_ever_ends_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.01)

    # What bounds the whole is short, and nothing else.
    async with serving(drip) as host, build_client((), allow_hosts=[host], timeout_s=0.2) as client:
        with pytest.raises(httpx2.ReadTimeout, match="No whole answer"):
            await client.post(f"http://{host}/push", json={"to": "U1"}, timeout=60)


async def test_a_reused_connection_that_the_server_closed_means_maybe_sent() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await read_request(reader)

    async with serving(once) as host, build_client((), allow_hosts=[host]) as client:
        assert (await client.post(f"http://{host}/")).status_code == 200
        with pytest.raises(httpx2.TransportError) as failed:
            await client.post(f"http://{host}/")
    assert isinstance(classify(failed.value), Uncertain)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (httpx2.ConnectError, TryLater),
        (httpx2.ConnectTimeout, TryLater),
        (httpx2.PoolTimeout, TryLater),
        (httpx2.ReadError, Uncertain),
        (httpx2.ReadTimeout, Uncertain),
        (httpx2.WriteError, Uncertain),
        (httpx2.WriteTimeout, Uncertain),
        (httpx2.RemoteProtocolError, Uncertain),
        (httpx2.CloseError, Uncertain),
    ],
)
def test_every_kind_of_failure_has_a_meaning(error: type[httpx2.TransportError], meaning: type) -> None:
    assert type(classify(error("words"))) is meaning


# ---------------------------------------------------------------- what is sent and what comes back


async def _echo(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "path": request.raw_path,
            "headers": [[name, value] for name, value in request.headers.items()],
            "body": (await request.read()).decode("latin-1"),
        }
    )


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    application = web.Application(client_max_size=8 * 1024 * 1024)
    application.router.add_route("*", "/{rest:.*}", _echo)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_request_arrives_as_it_was_written(echo: str) -> None:
    path = "/p%2Fq/a%7Eb?a=%2F%2B%3D%26&b=x%20y+z&c=%E4%BD%A0"
    async with build_client((), allow_hosts=[echo]) as client:
        answer = await client.post(f"http://{echo}{path}", content=b"\x00\xff", headers={"X-Line-Retry-Key": "k"})
    seen = answer.json()
    headers = {name.lower(): value for name, value in seen["headers"]}
    assert seen["path"] == path
    assert seen["body"] == "\x00\xff"
    assert headers["x-line-retry-key"] == "k"
    assert headers["host"] == echo
    assert headers["user-agent"] == "trunkline"
    assert "content-type" not in headers
    assert "cookie" not in headers


async def test_long_and_streamed_bodies_arrive_whole(echo: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"abc"

    async with build_client((), allow_hosts=[echo], max_response=8 * 1024 * 1024) as client:
        long = await client.post(f"http://{echo}/", content=b"x" * 3_000_000)
        streamed = await client.post(f"http://{echo}/", content=chunks())
    assert len(long.json()["body"]) == 3_000_000
    assert streamed.json()["body"] == "abcabcabc"


async def test_sec_54_names_and_types_cannot_break_out_of_their_header(echo: str) -> None:
    name = 'a"\r\nX-Evil: 1\r\n\r\n.png'
    async with build_client((), allow_hosts=[echo]) as client:
        answer = await client.post(f"http://{echo}/", files={"file": (name, b"bytes", "image/png")})
        with pytest.raises(httpx2.LocalProtocolError):
            await client.post(f"http://{echo}/", content=b"", headers={"Content-Type": "image/png\r\nX-Evil: 1"})
    assert "\r\nX-Evil" not in answer.json()["body"]
    assert all(header != "X-Evil" for header, _ in answer.json()["headers"])


def _answering(body: bytes, headers: bytes = b"") -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (headers, len(body)) + body)
        await writer.drain()

    return serve


async def test_an_answer_longer_than_allowed_is_not_read_to_its_end() -> None:
    async with serving(_answering(b"x" * 5000)) as host:
        with pytest.raises(httpx2.ReadError, match="longer than allowed"):
            await post(host, max_response=4999)
        assert len((await post(host, max_response=5000)).content) == 5000


async def test_an_answer_that_unpacks_to_more_than_allowed_is_refused() -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    async with serving(_answering(packed, b"Content-Encoding: gzip\r\n")) as host:
        with pytest.raises(httpx2.ReadError, match="longer than allowed"):
            await post(host)


async def test_a_packed_answer_is_unpacked() -> None:
    async with serving(_answering(gzip.compress(b'{"a": 1}'), b"Content-Encoding: gzip\r\n")) as host:
        assert (await post(host)).json() == {"a": 1}


async def test_a_streamed_answer_has_no_bound() -> None:
    async with (
        serving(_answering(b"x" * 5000)) as host,
        build_client((), allow_hosts=[host], max_response=10) as client,
        client.stream("GET", f"http://{host}/") as answer,
    ):
        assert sum([len(chunk) async for chunk in answer.aiter_bytes()]) == 5000
