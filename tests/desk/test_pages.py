"""The inbox as files: what the browser may do with them, and what is said when they are not built."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.desk.conftest import Opener, Template
from tests.desk.harness import Running
from trunkline.http.problems import TRUSTED_PROXIES, harden, problems
from trunkline_desk.api.pages import inbox_policy, inbox_routes


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Inbox</title>")
    (folder / "assets" / "index-4f2a.js").write_text("export {}")
    (folder / "mark.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
async def pages(built: Path) -> AsyncIterator[str]:
    inbox, app = web.Application(middlewares=[problems]), web.Application()
    inbox[TRUSTED_PROXIES] = ()
    harden(inbox, policy=inbox_policy(), https=True)
    inbox_routes(inbox, built)
    app.add_subapp("/inbox", inbox)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def _get(url: str) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as response:
        return response.status, await response.text(), dict(response.headers)


async def test_pages_of_the_app_are_the_index_and_assets_are_kept_for_ever(pages: str) -> None:
    for path in ("/inbox/", "/inbox/threads/1", "/inbox/setup?token=x", "/inbox/index.html"):
        status, body, headers = await _get(pages + path)
        assert (status, "<title>Inbox" in body, headers["Cache-Control"]) == (200, True, "no-cache")
    status, _, headers = await _get(f"{pages}/inbox/assets/index-4f2a.js")
    assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert "javascript" in headers["Content-Type"]
    assert (await _get(f"{pages}/inbox/mark.svg"))[0] == 200
    assert (await _get(f"{pages}/inbox/assets/old-1234.js"))[0] == 404


async def test_a_packed_copy_goes_to_whoever_can_unpack_it(pages: str, built: Path) -> None:
    (built / "assets" / "index-4f2a.js.gz").write_bytes(gzip.compress(b"export {}"))
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for accepted, sent in (("gzip", gzip.compress(b"export {}")), ("identity", b"export {}")):
            url = f"{pages}/inbox/assets/index-4f2a.js"
            async with session.get(url, headers={"Accept-Encoding": accepted}) as response:
                assert (await response.read())[10:] == sent[10:]  # Before that a time is written down.
                assert "javascript" in response.headers["Content-Type"]
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert (response.headers.get("Content-Encoding") == "gzip") == (accepted == "gzip")


async def test_nothing_outside_the_folder_is_served(pages: str) -> None:
    for path in ("..%2fsecret.txt", "%2e%2e/secret.txt", "assets/..%2f..%2fsecret.txt", "%00", "//etc/passwd"):
        _, body, _ = await _get(f"{pages}/inbox/{path}")
        assert "secret" not in body
        assert "root:" not in body


async def test_the_policy_lets_the_inbox_load_only_what_is_ours(pages: str) -> None:
    _, _, headers = await _get(f"{pages}/inbox/")
    parts = headers["Content-Security-Policy"].split("; ")
    policy = {name: value for name, _, value in (part.partition(" ") for part in parts)}
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")


async def test_the_short_address_leads_to_the_app(pages: str) -> None:
    status, _, headers = await _get(f"{pages}/inbox")
    assert (status, headers["Location"]) == (301, "/inbox/")


async def test_before_the_build_a_page_says_what_to_run(built: Path, pages: str) -> None:
    for file in built.rglob("*.*"):
        file.unlink()
    status, body, _ = await _get(f"{pages}/inbox/")
    assert (status, "make inbox" in body) == (503, True)


async def test_https_is_insisted_on_only_where_the_public_address_has_it(template: Template, open_desk: Opener) -> None:
    running: Running
    for public_url, expected in (("http://desk.example", False), ("https://desk.example", True)):
        async with open_desk(*template, **{"server.public_url": public_url}) as running:
            _, _, headers = await _get(f"{running.address}/api/openapi.json")
            assert ("Strict-Transport-Security" in headers) is expected
            # Whoever types the bare address is led to the inbox.
            status, _, headers = await _get(f"{running.address}/")
            assert (status, headers["Location"]) == (302, "/inbox/")
