"""What hostile customers send: types that lie, names that bite, pictures that swell."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from tests.core.media_yard import (
    BASE,
    HTML,
    SVG,
    chunks,
    files_in,
    film,
    folder,
    http,
    make,
    media,
    picture,
    png_claiming,
    published,
    receive,
)
from trunkline.service.filetypes import FileType, clean_name, recognise
from trunkline.service.media import MediaRefused, MediaStore
from trunkline.store import Store

__all__ = ["folder", "http", "make", "media"]


# ---------------------------------------------------------------- SEC-36: types


SPELLINGS = [
    "image/svg+xml",
    "image/svg+xml; x",
    "image/svg+xml;charset=utf-8",
    "IMAGE/SVG+XML",
    " image/svg+xml",
    "image/svg+xml\t",
    "image/svg",
    "image/png",
    "image/png, image/svg+xml",
    "image/jpeg;image/svg+xml",
    "image/gif\x00",
    "text/html",
    "TEXT/HTML;",
    "text/html; charset=utf-7",
    "application/xhtml+xml",
    "application/xml",
    "text/xml",
    "multipart/related",
    "message/rfc822",
    "application/pdf",
    "audio/mpeg",
    "video/mp4",
    "",
    "*/*",
    "image/*",
    "x",
    "image/png\r\nX-Evil: 1",
    "text/plain",
    "application/javascript",
    "image/x-icon",
]
ACTIVE = {
    "svg": SVG,
    "svg-xml": b'<?xml version="1.0"?>' + SVG,
    "svg-space": b"\n\n  \t" + SVG,
    "svg-bom": b"\xef\xbb\xbf" + SVG,
    "html": HTML,
    "html-lower": b"<html><body onload=alert(1)>",
    "script": b"<script>alert(1)</script>",
    "xml": b'<?xml version="1.0"?><?xml-stylesheet href="x.xsl"?><a/>',
    "xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script/></html>',
    "mhtml": b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n" + HTML,
    "pdf": b"%PDF-1.7\n1 0 obj<</JS(app.alert(1))>>",
    "js": b"alert(1)//",
}


@pytest.mark.parametrize("kind", sorted(ACTIVE))
async def test_sec_36_no_spelling_of_a_type_makes_active_content_more_than_a_download(
    media: MediaStore, kind: str
) -> None:
    for spelling in SPELLINGS:
        found = await receive(media, ACTIVE[kind], name="a.png", mime=spelling)
        assert (found.mime, found.inline) == ("application/octet-stream", False), spelling


@pytest.mark.parametrize("magic", [b"GIF89a", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"])
async def test_sec_36_markup_behind_a_pictures_signature_is_no_picture(media: MediaStore, magic: bytes) -> None:
    with pytest.raises(MediaRefused) as refused:
        await receive(media, magic + HTML)
    assert refused.value.code == "picture_unreadable"
    taken = await media.take(chunks(magic + HTML), name="a.gif", announced="image/gif", strict=False)
    assert taken.mime == "application/octet-stream"


@pytest.mark.parametrize(
    ("data", "name", "mime"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "a.pdf", "application/pdf"),
        (b"hello,there\n", "a.csv", "text/csv"),
        (b"hello\n", "a.txt", "text/plain"),
        (b"\x01\x02\x03\x04", "a.txt.bin", "application/octet-stream"),
    ],
)
def test_other_files_are_named_by_their_content(data: bytes, name: str, mime: str) -> None:
    found = recognise(data, name=name)
    assert (found.mime, found.inline) == (mime, False)


# ---------------------------------------------------------------- SEC-38, SEC-39: names


HOSTILE = [
    ".htaccess",
    "\u200b.htaccess",
    "..",
    "...",
    "../../x",
    "..\\..\\x",
    "/etc/passwd",
    "C:\\x",
    "CON",
    "con.txt",
    "NUL",
    "LPT1.png",
    "a\0b.png",
    "a\r\nb.png",
    "a\u202egnp.exe",
    "a\u2066b\u2069",
    "\u2028x\u2029",
    "x" * 4096 + ".pdf",
    "a.png.",
    "a.png ",
    "\uff0fetc\uff0fpasswd",
    "\u2044etc\u2215passwd",
    "a\uff3cb",
    '"; filename=evil.html',
    "a'b\"c<d>e.png",
    "<img src=x onerror=alert(1)>.png",
    "%2e%2e%2fx",
    "~root",
    "-rf",
    "a?b*c|d:e",
    "\ufeffx",
    "\ud7ff\ue000x",
    "\x7f\x80\x9fx",
    "",
    " ",
    ".",
    "\u3000",
    "a/b",
    "🙂.png",
    "你好.pdf",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_sec_38_a_name_is_data_that_no_system_trips_over(name: str) -> None:
    clean = clean_name(name, FileType("application/pdf"))
    assert clean
    assert len(clean) <= 120
    assert clean[0] not in ". "
    assert clean[-1] not in ". "
    assert not set(clean) & set('/\\\r\n\0"<>:|?*\u202e\u2066\u200b\u2028\ufeff\uff0f\u2044')
    assert clean.split(".")[0].upper() not in {"CON", "NUL", "LPT1"}
    assert clean_name(clean, FileType("application/pdf")) == clean


def test_sec_38_a_verified_kind_has_its_own_ending() -> None:
    assert clean_name("photo.exe", FileType("image/png", ".png", inline=True)) == "photo.exe.png"
    assert clean_name("PHOTO.PNG", FileType("image/png", ".png", inline=True)) == "PHOTO.PNG"


@pytest.mark.parametrize("name", HOSTILE)
async def test_sec_39_no_name_splits_the_header_that_carries_it(
    media: MediaStore, store: Store, http: TestClient[Any, Any], name: str
) -> None:
    media_id = await media.receive(chunks(b"%PDF-1.7 hello"), name, "agent-1", None)
    url = await published(store, media_id)
    answer = await http.get(url.removeprefix(BASE))
    assert answer.status == 200
    header = answer.headers["Content-Disposition"]
    assert header.startswith('attachment; filename="')
    assert header.count('"') == 2
    assert header.isascii()
    assert header.isprintable()


# ---------------------------------------------------------------- SEC-50: bombs


BOMBS: dict[str, Callable[[], bytes]] = {
    "claims 100k x 100k": lambda: png_claiming(100_000, 100_000),
    "claims 40001 x 1000": lambda: png_claiming(40_001, 1000),
    "claims 2^31": lambda: png_claiming(0x7FFFFFFF, 0x7FFFFFFF),
    "claims nothing": lambda: png_claiming(0, 0),
    "is mostly missing": lambda: png_claiming(6000, 6000),
    "has more pixels than allowed": lambda: picture("PNG", (8000, 5001)),
    "is a film of many frames": lambda: film("GIF", 5, (3000, 3000)),
    "is cut": lambda: picture("JPEG", (500, 500))[:600],
    "is a signature": lambda: b"\xff\xd8\xff",
    "has a long comment": lambda: b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 0x7FFFFFFF, b"tEXt") + b"x" * 1000,
    "is a gif of nothing": lambda: b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0;",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
async def test_sec_50_a_picture_bomb_is_refused(media: MediaStore, folder: Path, bomb: Callable[[], bytes]) -> None:
    with pytest.raises(MediaRefused) as refused:
        await receive(media, bomb())
    assert refused.value.code in {"picture_too_large", "picture_unreadable"}
    assert files_in(folder) == []


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PCX", "PPM", "TGA", "EPS", "PDF", "ICNS", "SGI", "DDS"])
async def test_sec_50_other_decoders_never_see_a_picture(media: MediaStore, kind: str) -> None:
    found = await receive(media, picture(kind, (64, 64)))
    assert (found.mime, found.inline) == ("application/octet-stream", False)


async def test_sec_50_a_decoder_that_asks_for_too_much_memory_takes_only_itself_down(
    make: Callable[..., MediaStore],
) -> None:
    media = make(picture_memory=120 * 1024 * 1024, max_pixels=100_000_000)
    with pytest.raises(MediaRefused):
        await receive(media, picture("PNG", (7000, 7000), mode="RGBA"))


async def test_the_largest_allowed_picture_fits_into_its_memory(media: MediaStore) -> None:
    assert (await receive(media, picture("JPEG", (8000, 5000)))).inline


# ---------------------------------------------------------------- the public door
