"""Files of every kind, and a place to keep them, for the tests of the media store."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from sqlalchemy import select

from tests.core.conftest import HandClock
from trunkline.http.public_media import add_public_media
from trunkline.service.media import MediaLimits, MediaStore, StoredFile, publish
from trunkline.store import Store
from trunkline.store.schema import media as table

BASE = "https://desk.example"


async def chunks(data: bytes, size: int = 4096) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), size, options.pop("colour", "red")).save(out, kind, **options)
    return out.getvalue()


def film(kind: str = "GIF", frames: int = 3, size: tuple[int, int] = (20, 20)) -> bytes:
    images = [Image.new("L", size, index * 50 % 256) for index in range(frames)]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:], duration=40)
    return out.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A tiny PNG whose header promises that many pixels."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", body) + part(b"IEND", b"")


def mp4(brand: bytes = b"isom", seconds: int = 3) -> bytes:
    ftyp = struct.pack(">I4s4sI", 16, b"ftyp", brand, 0)
    mvhd = struct.pack(">I4sIIIII", 28, b"mvhd", 0, 0, 0, 1000, seconds * 1000)
    return ftyp + struct.pack(">I4s", 8 + len(mvhd), b"moov") + mvhd + struct.pack(">I4s", 8, b"mdat")


MP3 = b"ID3\x04\0\0\0\0\0\0" + (b"\xff\xfb\x90\x00" + b"\0" * 413) * 3
OGG = b"OggS\0\x02" + b"\0" * 20 + b"\x01\x13OpusHead\x01" + b"\0" * 40
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:1/x"/></svg>'
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def make(folder: Path, store: Store, clock: HandClock) -> Callable[..., MediaStore]:
    def build(**limits: Any) -> MediaStore:
        return MediaStore(folder, store, clock, MediaLimits(**{"free_space_floor": 0, **limits}))

    return build


@pytest.fixture
def media(make: Callable[..., MediaStore]) -> MediaStore:
    return make()


async def receive(media: MediaStore, data: bytes, name: str = "a.png", mime: str = "image/png") -> StoredFile:
    found = await media.open(await media.receive(chunks(data), name, "agent-1", mime))
    assert found is not None
    return found


async def row_of(store: Store, media_id: str) -> Any:
    async with store.read() as connection:
        return (await connection.execute(select(table).where(table.c.id == media_id))).one()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# ---------------------------------------------------------------- what is taken


async def published(store: Store, media_id: str) -> str:
    urls = await store.writer.write(lambda tx: publish(tx, [media_id], BASE))
    url = urls[media_id][0]
    assert url is not None
    return url


@pytest.fixture
async def http(media: MediaStore) -> AsyncIterator[TestClient[Any, Any]]:
    application = web.Application()
    add_public_media(application, media)
    async with TestClient(TestServer(application)) as client:
        yield client
