"""The guarded client against real servers on loopback and resolvers that lie."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.core.http_yard import OK, LyingResolver, Serve, connections, post, read_request, serving
from tests.core.test_addresses import SPECIAL_V4, SPECIAL_V6, ends
from trunkline.errors import Undeliverable
from trunkline.service.platform_http import EgressRefused, build_client, build_open_client

__all__ = ["connections"]


# ---------------------------------------------------------------- SEC-03, SEC-04, SEC-06, SEC-07


@pytest.mark.parametrize("network", [*SPECIAL_V4, *SPECIAL_V6])
async def test_sec_03_a_name_that_resolves_to_a_special_range_is_refused_before_connecting(
    network: str, connections: list[str]
) -> None:
    for address in ends(network):
        resolver = LyingResolver((address,))
        async with build_client(["api.shop.example"], resolver=resolver) as client:
            with pytest.raises(EgressRefused):
                await client.get("https://api.shop.example/")
        assert resolver.asked == ["api.shop.example"]
    assert connections == []


async def test_sec_03_one_private_answer_among_public_ones_refuses_the_name(connections: list[str]) -> None:
    resolver = LyingResolver(("93.184.216.34", "10.0.0.7", "93.184.216.35"))
    async with build_client(["api.shop.example"], resolver=resolver) as client:
        with pytest.raises(EgressRefused, match="private"):
            await client.get("https://api.shop.example/")
    assert connections == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0",
        "169.254.169.254",
        "10.1.2.3",
        "168.63.129.16",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fec0::1]",
        "[fd00:ec2::254]",
    ],
)
async def test_sec_06_a_literal_private_address_is_refused_without_a_resolver(
    host: str, connections: list[str]
) -> None:
    resolver = LyingResolver(("93.184.216.34",))
    async with build_open_client(resolver=resolver) as client:
        with pytest.raises(EgressRefused):
            await client.get(f"http://{host}/")
    assert connections == []
    assert resolver.asked == []


async def test_sec_04_a_name_that_changes_its_mind_is_connected_to_at_the_checked_address(
    connections: list[str],
) -> None:
    resolver = LyingResolver(("93.184.216.34",), ("127.0.0.1",))
    async with build_client(["api.shop.example"], resolver=resolver) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("https://api.shop.example/")
    assert connections == ["93.184.216.34"]
    assert resolver.asked == ["api.shop.example"]


async def test_sec_04_a_name_that_changed_its_mind_is_refused_when_asked_again(
    connections: list[str],
) -> None:
    resolver = LyingResolver(("127.0.0.1",))
    async with build_open_client(resolver=resolver) as client:
        with pytest.raises(EgressRefused, match="loopback"):
            await client.get("https://pictures.example/a.png")
    assert connections == []


async def test_sec_07_a_redirect_to_a_private_address_is_not_followed() -> None:
    hits: list[str] = []
    async with serving(_record(hits)) as canary:
        for location in (f"http://{canary}/", "http://localhost:1/", "http://[::1]/", "file:///etc/passwd"):
            async with (
                serving(_redirect_to(location)) as host,
                build_open_client(allow_hosts=[host]) as client,
            ):
                with pytest.raises((EgressRefused, httpx2.UnsupportedProtocol)):
                    await client.get(f"http://{host}/a.png")
    assert hits == []


async def test_sec_07_at_most_three_redirects_are_followed() -> None:
    async def loop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hops.append(1)
        await read_request(reader)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    hops: list[int] = []
    async with serving(loop) as host, build_open_client(allow_hosts=[host]) as client:
        with pytest.raises(httpx2.TooManyRedirects):
            await client.get(f"http://{host}/")
    assert len(hops) == 4


async def test_sec_07_the_platform_client_follows_no_redirect_and_keeps_no_cookie() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example/\r\n"
            b"Set-Cookie: session=abc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )

    async with serving(serve) as host, build_client((), allow_hosts=[host]) as client:
        for _ in range(2):
            answer = await client.get(f"http://{host}/", headers={"Authorization": "Bearer invented"})
            assert answer.status_code == 307
        assert not list(client.cookies.jar)
    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()


def _redirect_to(location: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())

    return serve


def _record(hits: list[str]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hits.append("hit")
        await read_request(reader)
        writer.write(OK)

    return serve


# ---------------------------------------------------------------- where it may go


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://api.shop.example/", "scheme"),
        ("https://api.shop.example:8443/", "port"),
        ("https://shop.example/", "host"),
        ("https://evil-shop.example/", "host"),
        ("https://api.shop.example.evil.example/", "host"),
        ("https://api.shop.example@evil.example/", "credentials_in_url"),
        ("https://8.8.8.8/", "host"),
    ],
)
async def test_only_https_to_the_platforms_own_hosts(url: str, reason: str, connections: list[str]) -> None:
    async with build_client(["api.shop.example"], resolver=LyingResolver(("93.184.216.34",))) as client:
        with pytest.raises(EgressRefused) as refused:
            await client.get(url)
    assert refused.value.reason == reason
    assert refused.value.whose == "account"
    assert connections == []


@pytest.mark.parametrize("host", ["api.shop.example", "API.Shop.Example", "eu.api.shop.example."])
async def test_a_family_of_hosts_may_be_reached(host: str, connections: list[str]) -> None:
    resolver = LyingResolver(("93.184.216.34",))
    async with build_client(["*.shop.example"], resolver=resolver) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"https://{host}/")
    assert connections == ["93.184.216.34"]


async def test_an_allowed_host_and_port_is_that_port_alone() -> None:
    async with serving(_record([])) as host:
        assert (await post(host)).status_code == 200
        async with build_client((), allow_hosts=["127.0.0.1:9"]) as client:
            with pytest.raises(EgressRefused):
                await client.get(f"http://{host}/")


async def test_an_allowed_name_may_be_private() -> None:
    async with serving(_record([])) as host:
        port = host.rpartition(":")[2]
        async with build_client((), allow_hosts=["localhost"]) as client:
            assert (await client.get(f"http://localhost:{port}/")).status_code == 200


async def test_the_open_client_only_reads(connections: list[str]) -> None:
    async with build_open_client(resolver=LyingResolver(("93.184.216.34",))) as client:
        with pytest.raises(EgressRefused, match="method"):
            await client.post("https://pictures.example/")
        with pytest.raises(EgressRefused, match="port"):
            await client.get("https://pictures.example:22/")
    assert connections == []


async def test_a_refusal_is_final_counted_and_names_no_query() -> None:
    counted: list[str] = []
    async with build_client(["api.shop.example"], on_refused=counted.append) as client:
        with pytest.raises(Undeliverable) as refused:
            await client.get("https://elsewhere.example/send?access_token=invented")
    assert "invented" not in str(refused.value)
    assert "server.allow_hosts" in str(refused.value)
    assert counted == ["host"]


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(_record([])) as host:
        assert (await post(host)).status_code == 200


# ---------------------------------------------------------------- never sent, or maybe sent
