"""The loader, the frame and their headers."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import AsyncIterator

import pytest
from pytest_asyncio import fixture

from tests.connectors.web.conftest import DESK, KEY, House, Pages, served, widget
from trunkline_web.pages import BUILD

SITES = ("https://shop.example", "https://*.shop.example")
PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "`${alert(1)}`",
    "</script><script>alert(1)",
    "../../etc/passwd",
    "wk_x%22onload%3D1",
    "%3Csvg%2Fonload%3Dalert(1)%3E",
    "javascript:alert(1)",
    "\u2028alert(1)",
)


@fixture
async def open_pages() -> AsyncIterator[Pages]:
    async for client in served(House(widget(key=KEY, origins=SITES, accent="#0f766e"))):
        yield client


async def policy_of(client: Pages, key: str = KEY) -> dict[str, list[str]]:
    answer = await client.get(f"/widget/frame/{key}")
    assert answer.status == 200
    parts = (part.split() for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: sources for name, *sources in parts}


async def test_the_frame_may_stand_on_the_sites_of_the_settings_only(open_pages: Pages) -> None:
    assert (await policy_of(open_pages))["frame-ancestors"] == list(SITES)
    answer = await open_pages.get(f"/widget/frame/{KEY}")
    assert "X-Frame-Options" not in answer.headers


async def test_without_sites_any_may_show_it() -> None:
    async for client in served(House(widget(key=KEY))):
        assert (await policy_of(client))["frame-ancestors"] == ["*"]


async def test_the_frame_loads_what_is_ours_and_runs_nothing_inline(open_pages: Pages) -> None:
    policy = await policy_of(open_pages)
    assert policy["default-src"] == policy["object-src"] == policy["base-uri"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["img-src"] == ["'self'", "data:", "blob:"]
    assert policy["connect-src"] == ["'self'", DESK.replace("https", "wss")]
    assert "unsafe" not in str(policy)
    html = await (await open_pages.get(f"/widget/frame/{KEY}")).text()
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=", html)


async def test_the_frame_shows_files_from_where_they_are_served_alone() -> None:
    house = House(widget(key=KEY))
    house.files_url = "https://files.example.test"
    async for client in served(house):
        policy = await policy_of(client)
        assert policy["img-src"] == ["'self'", "data:", "blob:", house.files_url]
        assert policy["media-src"] == ["'self'", "blob:", house.files_url]
        assert house.files_url not in str({**policy, "img-src": [], "media-src": []})


async def test_what_the_frame_names_is_there_for_ever_and_is_not_guessed(open_pages: Pages) -> None:
    html = await (await open_pages.get(f"/widget/frame/{KEY}")).text()
    names = re.findall(r'"\.\./(assets/[^"]+)"', html)
    assert {name.rsplit(".", 1)[1] for name in names} == {"js", "css"}
    for name in names:
        answer = await open_pages.get(f"/widget/{name}")
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert re.fullmatch(r"(text|application)/(javascript|css)", answer.content_type)


async def test_the_frame_itself_is_asked_for_every_time(open_pages: Pages) -> None:
    answer = await open_pages.get(f"/widget/frame/{KEY}")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers


async def test_the_loader_brings_the_look_of_its_account(open_pages: Pages) -> None:
    answer = await open_pages.get(f"/widget/loader.js?key={KEY}")
    text = await answer.text()
    (literal,) = re.findall(r'JSON\.parse\(("(?:[^"\\]|\\.)*")\)', text)
    assert json.loads(json.loads(literal)) == {"key": KEY, "accent": "#0f766e", "mode": "auto", "position": "end"}
    assert answer.content_type == "text/javascript"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_who_has_the_loader_is_told_so(open_pages: Pages) -> None:
    first = await open_pages.get(f"/widget/loader.js?key={KEY}")
    again = await open_pages.get(f"/widget/loader.js?key={KEY}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    plain = await open_pages.get("/widget/loader.js")
    assert plain.headers["ETag"] != first.headers["ETag"]


async def on_the_wire(client: Pages, path: str) -> bytes:
    """Return the bytes of an answer as they travel to a browser."""
    headers = {"Accept-Encoding": "gzip, deflate, br, zstd"}
    answer = await client.get(f"/widget/{path}", headers=headers, auto_decompress=False)
    assert (answer.status, answer.headers["Content-Encoding"], answer.headers["Vary"]) == (
        200,
        "gzip",
        "Accept-Encoding",
    )
    return await answer.read()


async def test_a_first_open_is_25_kilobytes_at_most_as_it_travels(open_pages: Pages) -> None:
    """Loader, frame, program, styles, and the largest of the languages: packed by us, whatever stands before us."""
    frame = await on_the_wire(open_pages, f"frame/{KEY}")
    names = re.findall(r'"\.\./(assets/[^"]+)"', gzip.decompress(frame).decode())
    first = [await on_the_wire(open_pages, name) for name in names]
    words = await sizes_of(open_pages, r"src/words/[^/]+\.ts")
    assert len(first) == 2
    assert len(words) == 4
    loader = await on_the_wire(open_pages, f"loader.js?key={KEY}")
    assert len(loader) < 5 * 1024
    assert len(loader) + len(frame) + sum(map(len, first)) + max(words) <= 25 * 1024


async def sizes_of(client: Pages, sources: str) -> list[int]:
    """Return how much the files that were built from these sources are as they travel."""
    built = json.loads((BUILD / "manifest.json").read_text(encoding="utf-8"))
    return [len(await on_the_wire(client, one["file"])) for key, one in built.items() if re.fullmatch(sources, key)]


async def test_what_few_visitors_need_comes_later_and_is_8_kilobytes_at_most(open_pages: Pages) -> None:
    later = await sizes_of(open_pages, r"src/app/later\.ts")
    words = await sizes_of(open_pages, r"src/words/more/.+\.ts")
    assert (len(later), len(words)) == (1, 4)
    assert later[0] + max(words) <= 8 * 1024


@pytest.mark.parametrize("takes", ["identity", "br", "gzip;q=0", "gzip; q=0.0, br", "xgzip", ""])
async def test_who_unpacks_nothing_is_sent_it_unpacked(open_pages: Pages, takes: str) -> None:
    headers = {"Accept-Encoding": takes}
    answer = await open_pages.get(f"/widget/loader.js?key={KEY}", headers=headers, auto_decompress=False)
    assert "Content-Encoding" not in answer.headers
    packed = await open_pages.get(f"/widget/loader.js?key={KEY}", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert await answer.text() == await packed.text()
    assert answer.headers["ETag"] == packed.headers["ETag"]


async def test_there_is_no_frame_and_no_loader_for_a_key_that_nobody_has(open_pages: Pages) -> None:
    for path in ("frame/wk_nobody_has_this", "loader.js?key=wk_nobody_has_this"):
        assert (await open_pages.get(f"/widget/{path}")).status == 404


@pytest.mark.parametrize(
    "name", ["../pages.py", "..%2fmanifest.json", "%2e%2e/manifest.json", "x.html", "manifest.json"]
)
async def test_only_built_files_are_given_out(open_pages: Pages, name: str) -> None:
    assert (await open_pages.get(f"/widget/assets/{name}")).status == 404


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_sec_40_no_parameter_of_the_pages_comes_back(open_pages: Pages, payload: str) -> None:
    plain = await (await open_pages.get(f"/widget/frame/{KEY}")).text()
    loader = await (await open_pages.get(f"/widget/loader.js?key={KEY}")).text()
    for name in ("locale", "url", "title", "callback", "accent", "mode"):
        query = {name: payload}
        assert await (await open_pages.get(f"/widget/frame/{KEY}", params=query)).text() == plain
        assert await (await open_pages.get("/widget/loader.js", params={**query, "key": KEY})).text() == loader
    for answer in (
        await open_pages.get("/widget/loader.js", params={"key": payload}),
        await open_pages.get(f"/widget/frame/{payload}"),
    ):
        assert answer.status == 404
        assert "alert" not in await answer.text()


async def test_an_unbuilt_widget_says_what_to_do(open_pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["trunkline_web.pages"]
    monkeypatch.setattr(module, "BUILD", module.BUILD / "nowhere")
    module._document.cache_clear()
    for path in (f"frame/{KEY}", "loader.js"):
        answer = await open_pages.get(f"/widget/{path}")
        assert answer.status == 503
        assert "make widget" in await answer.text()
