"""Files: what strangers send and agents upload is shown only where nothing in it can run."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from tests.desk.harness import Answer, Client, Running
from tests.desk.test_messages import picture, upload
from trunkline_desk.api.resources.media import disposition

SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg'><script>window.__hit=1</script></svg>"
HOSTILE_BYTES = {
    "svg": SCRIPT,
    "html": b"<!doctype html><script>alert(1)</script>",
    "xhtml": b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "pdf": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj",
    "mhtml": b"MIME-Version: 1.0\nContent-Type: multipart/related\n\n<script>alert(1)</script>",
    "js": b"window.__hit=1",
}
CLAIMS = [
    "image/svg+xml",
    "image/svg+xml; x",
    "IMAGE/SVG+XML",
    "text/html",
    "text/html;charset=utf-7",
    "image/png",
    "image/png, text/html",
    "application/xhtml+xml",
    "text/javascript",
    "multipart/related",
]


async def send(
    client: Client, raw: bytes, *, claim: str = "application/octet-stream", name: str | None = "a"
) -> Answer:
    params = {} if name is None else {"name": name}
    headers = {"Content-Type": claim}
    return await client.call("POST", "/media", data=BytesIO(raw), params=params, headers=headers)


async def test_a_picture_comes_back_to_be_shown_in_place(ada: Client, bo: Client) -> None:
    media_id = await upload(ada)
    for variant in ("original", "preview"):
        answer = await bo.call("GET", f"/media/{media_id}?variant={variant}")
        assert answer.status == 200
        assert answer.headers["Content-Type"] in {"image/png", "image/jpeg"}
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


async def test_sec_36_what_a_browser_could_run_is_only_ever_saved(ada: Client) -> None:
    for raw in HOSTILE_BYTES.values():
        for claim in CLAIMS:
            answer = await send(ada, raw, claim=claim, name="photo.png")
            if answer.status != 201:
                assert answer.status == 422
                continue
            given = await ada.call("GET", f"/media/{answer.json['id']}")
            assert given.raw == raw
            assert given.headers["Content-Type"] == "application/octet-stream"
            assert given.headers["Content-Disposition"].startswith("attachment")
            assert given.headers["X-Content-Type-Options"] == "nosniff"
            assert given.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


NAMES = [
    "a.txt",
    "../../etc/passwd",
    "..\\..\\x",
    'a"; filename="evil.html',
    "a\r\nX-Evil: 1",
    "\u202etxt.exe",
    "\u200b.htaccess",
    "レシート.pdf",
    "x" * 255,
    "%00.png",
    "<img src=x onerror=alert(1)>.png",
    "CON",
    " ",
]


async def test_sec_38_a_name_is_words_and_nothing_else(ada: Client) -> None:
    """SEC-38, SEC-39."""
    for name in NAMES:
        answer = await send(ada, b"hello", name=name)
        assert answer.status == 201, name
        given = await ada.call("GET", f"/media/{answer.json['id']}")
        header = given.headers["Content-Disposition"]
        assert "X-Evil" not in given.headers
        assert not {"\r", "\n"} & set(header)
        assert header.isascii()
        assert header.count('"') in {0, 2}


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.txt", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"),
        ("a b.txt", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
        ('x"y\r\nz', "attachment; filename=\"x_yz\"; filename*=UTF-8''x%22yz"),
        ("茶", "attachment; filename=\"_\"; filename*=UTF-8''%E8%8C%B6"),
        ("\u202e", "attachment"),
        (None, "attachment"),
    ],
)
def test_a_name_is_written_so_that_no_header_ends_early(name: str | None, header: str) -> None:
    assert disposition(name, inline=False) == header


async def test_a_part_of_a_file_can_be_asked_for(ada: Client) -> None:
    media_id = (await send(ada, b"0123456789")).json["id"]
    answer = await _part(ada, media_id, "bytes=2-4")
    assert (answer.status, answer.raw) == (206, b"234")


async def _part(client: Client, media_id: str, wanted: str) -> Answer:
    url = f"{client.address}/api/v1/media/{media_id}"
    async with client.session.get(url, headers={**client.headers, "Range": wanted}) as response:
        return Answer(response.status, response.headers, await response.read())


async def test_a_file_that_is_too_large_is_refused_with_and_without_its_length(
    desk: Running, ada: Client, tmp_path: Any
) -> None:
    limit = desk.house.settings.media.max_bytes

    async def endless() -> Any:
        for _ in range(limit // 2**20 + 2):
            yield b"\0" * 2**20

    async def refused(**options: Any) -> bool:
        """A refused upload may be cut while it is sent: then no answer can be read, and that is an answer, too."""
        try:
            answer = await ada.call("POST", "/media", **options)
        except (ConnectionError, OSError):
            return True
        return (answer.status, answer.code) == (413, "too_large")

    assert await refused(data=endless())
    assert await refused(data=BytesIO(b"\0" * (limit + 1)))
    folder = desk.house.settings.media.folder
    assert [file for file in folder.rglob("*") if file.is_file()] == []


async def test_an_empty_or_a_compressed_upload_is_refused(ada: Client) -> None:
    assert (await send(ada, b"")).status == 422
    headers = {"Content-Encoding": "gzip", "Content-Type": "image/png"}
    assert (await ada.call("POST", "/media", data=BytesIO(b"x"), headers=headers)).status == 415


async def test_a_repeated_upload_is_one_file(ada: Client) -> None:
    options = {"params": {"name": "a.png"}, "headers": {"Idempotency-Key": "k1", "Content-Type": "image/png"}}
    first, second = [await ada.call("POST", "/media", data=BytesIO(picture()), **options) for _ in range(2)]
    assert first.json == second.json
    other = await ada.call("POST", "/media", data=BytesIO(b"another"), **options)
    assert (other.status, other.code) == (409, "idempotency_key_reused")


async def test_sec_26_files_are_given_to_nobody_without_a_token(ada: Client, nobody: Client, desk: Running) -> None:
    media_id = await upload(ada)
    assert (await nobody.call("GET", f"/media/{media_id}")).status == 401
    for file in desk.house.settings.media.folder.rglob("*"):
        async with nobody.session.get(f"{desk.address}/inbox/{file.name}") as response:
            assert response.content_type == "text/html"
        async with nobody.session.get(f"{desk.address}/media/{file.name}") as response:
            assert response.status == 404


async def test_a_file_that_is_not_there_is_told_from_one_that_never_was(desk: Running, ada: Client) -> None:
    assert (await ada.call("GET", "/media/unheard")).code == "unknown_media"
    thread = await desk.thread()
    await desk.customer("", content={"type": "image", "media": {"source": {"reference": "m1"}}})
    message = (await ada.get(f"/threads/{thread}/messages"))["items"][-1]
    answer = await ada.call("GET", f"/media/{message['content']['media']['id']}")
    # It is being fetched in the background, and this channel gives no files.
    assert (answer.status, answer.code in {"media_pending", "media_failed"}) == (404, True)
