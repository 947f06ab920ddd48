"""Media over a real store: what is taken, how it is served, and what hostile files come to."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from PIL import Image
from sqlalchemy import update

from tests.core.conftest import HandClock
from tests.core.media_yard import (
    BASE,
    MP3,
    OGG,
    SVG,
    chunks,
    files_in,
    film,
    folder,
    http,
    make,
    media,
    mp4,
    picture,
    published,
    receive,
    row_of,
)
from trunkline.service.media import MediaRefused, MediaStore, publish
from trunkline.service.media_fetcher import MediaSweeper
from trunkline.store import Store
from trunkline.store.schema import media as table

__all__ = ["folder", "http", "make", "media"]


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("GIF"), "image/png"),
        (picture("WEBP"), "image/jpeg"),
        (film("GIF"), "image/gif"),
        (film("WEBP"), "image/webp"),
        (mp4(), "video/mp4"),
        (mp4(b"M4A "), "audio/mp4"),
        (MP3, "audio/mpeg"),
        (OGG, "audio/ogg"),
    ],
)
async def test_verified_kinds_are_shown_in_place_under_their_own_type(
    media: MediaStore, data: bytes, mime: str
) -> None:
    found = await receive(media, data, name="thing", mime="text/html")
    assert (found.mime, found.inline) == (mime, True)
    assert found.size == found.path.stat().st_size


async def test_a_recording_is_sound_if_it_was_announced_as_sound(media: MediaStore) -> None:
    assert (await receive(media, mp4(), mime="audio/x-m4a")).mime == "audio/mp4"


async def test_the_length_of_a_recording_is_read_from_its_header(media: MediaStore, store: Store) -> None:
    media_id = await media.receive(chunks(mp4(seconds=7)), "v.mp4", "agent-1", None)
    assert (await row_of(store, media_id)).duration_ms == 7000


async def test_a_picture_is_written_anew_without_where_and_by_whom_it_was_taken(
    media: MediaStore, store: Store
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x013B], exif[0x8825] = 6, "Ada Invented", {1: "N"}
    data = picture("JPEG", (60, 40), exif=exif, comment=b"secret place") + b"<script>trailing</script>"
    media_id = await media.receive(chunks(data), "holiday.jpeg", "agent-1", "image/jpeg")
    row, found = await row_of(store, media_id), await media.open(media_id)
    assert found is not None
    stored = found.path.read_bytes()
    assert not any(word in stored for word in (b"Ada", b"secret", b"script", b"Exif"))
    assert (row.width, row.height) == (40, 60)
    assert row.name == "holiday.jpg"


async def test_a_preview_is_a_small_jpeg(media: MediaStore) -> None:
    noise = Image.effect_noise((1500, 1200), 100).convert("RGBA")
    out = io.BytesIO()
    noise.save(out, "PNG", compress_level=1)
    media_id = await media.receive(chunks(out.getvalue(), 65536), "noise.png", "agent-1", "image/png")
    preview = await media.open(media_id, "preview")
    assert preview is not None
    assert preview.mime == "image/jpeg"
    assert preview.size <= 1_000_000
    with Image.open(preview.path) as image:
        assert (image.format, max(image.size)) == ("JPEG", 1024)


async def test_files_are_kept_under_names_of_ours_and_readable_by_us_alone(media: MediaStore, folder: Path) -> None:
    found = await receive(media, b"hello", name="../../etc/passwd")
    assert found.path.parent.parent == folder
    assert found.path.stat().st_mode & 0o777 == 0o600
    assert found.name == "etc_passwd"
    assert files_in(folder) == [found.path]


async def test_a_file_that_is_too_long_leaves_nothing_behind(make: Callable[..., MediaStore], folder: Path) -> None:
    media = make(max_bytes=10_000)
    assert (await receive(media, b"x" * 10_000)).size == 10_000
    with pytest.raises(MediaRefused) as refused:
        await receive(media, b"x" * 10_001)
    assert refused.value.code == "too_large"
    assert len(files_in(folder)) == 1


async def test_an_upload_that_breaks_off_leaves_nothing_behind(media: MediaStore, folder: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 500_000
        raise ConnectionResetError

    with pytest.raises((MediaRefused, ConnectionResetError)):
        await media.receive(broken(), "a.bin", "agent-1", None)
    assert files_in(folder) == []


async def test_a_full_disk_stops_media_first(make: Callable[..., MediaStore], folder: Path) -> None:
    with pytest.raises(MediaRefused) as refused:
        await receive(make(free_space_floor=1 << 60), b"hello")
    assert refused.value.code == "disk_full"
    assert files_in(folder) == []


async def test_a_write_that_does_not_commit_leaves_no_file(media: MediaStore, store: Store, folder: Path) -> None:
    await store.writer.stop()
    with pytest.raises(Exception, match="not open"):
        await media.receive(chunks(b"hello"), "a.txt", "agent-1", None)
    assert files_in(folder) == []


async def test_a_published_picture_is_served_as_it_is(
    media: MediaStore, store: Store, http: TestClient[Any, Any]
) -> None:
    media_id = await media.receive(chunks(picture()), "red.png", "agent-1", "image/png")
    urls = await store.writer.write(lambda tx: publish(tx, [media_id], BASE))
    for url, mime in zip(urls[media_id], ("image/png", "image/jpeg"), strict=True):
        assert url is not None
        answer = await http.get(url.removeprefix(BASE))
        assert answer.status == 200
        assert answer.headers["Content-Type"] == mime
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_ranges_and_heads_are_answered(media: MediaStore, store: Store, http: TestClient[Any, Any]) -> None:
    media_id = await media.receive(chunks(mp4()), "film.mp4", "agent-1", "video/mp4")
    path = (await published(store, media_id)).removeprefix(BASE)
    part = await http.get(path, headers={"Range": "bytes=4-7"})
    assert (part.status, await part.read()) == (206, b"ftyp")
    assert (await http.head(path)).headers["Content-Length"] == str(len(mp4()))


async def test_an_address_stays_the_same_however_often_a_file_is_sent(media: MediaStore, store: Store) -> None:
    media_id = await media.receive(chunks(picture()), "red.png", "agent-1", None)
    first = await published(store, media_id)
    assert await published(store, media_id) == first
    assert len(first.split("/")[-2]) >= 22
    assert await media.public_url(media_id, BASE) == first


async def test_what_no_message_carries_has_no_address(media: MediaStore, http: TestClient[Any, Any]) -> None:
    media_id = await media.receive(chunks(picture()), "red.png", "agent-1", None)
    assert await media.public_url(media_id, BASE) is None
    for token in (media_id, "A" * 32, "None" * 8, "%00" * 22, ".." * 12):
        assert (await http.get(f"/media/{token}/red.png")).status == 404


async def test_wrong_names_folders_and_removed_files_are_404(
    media: MediaStore, store: Store, http: TestClient[Any, Any]
) -> None:
    media_id = await media.receive(chunks(picture()), "red.png", "agent-1", None)
    path = (await published(store, media_id)).removeprefix(BASE)
    folder = path.rpartition("/")[0]
    for wrong in (f"{folder}/blue.png", f"{folder}/", folder, f"{folder}/..%2fx", f"{folder}/red.png/x", "/media/"):
        assert (await http.get(wrong)).status == 404, wrong
    await store.writer.write(lambda tx: tx.execute(update(table).values(state="removed")))
    assert (await http.get(path)).status == 404


async def test_sec_01_a_drawing_with_a_reference_is_a_download(
    media: MediaStore, store: Store, http: TestClient[Any, Any]
) -> None:
    media_id = await media.receive(chunks(SVG), "face.svg", "agent-1", "image/svg+xml")
    answer = await http.get((await published(store, media_id)).removeprefix(BASE))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


async def test_a_file_called_like_the_preview_is_still_served(
    media: MediaStore, store: Store, http: TestClient[Any, Any]
) -> None:
    media_id = await media.receive(chunks(picture("PNG")), "preview.jpg", "agent-1", None)
    answer = await http.get((await published(store, media_id)).removeprefix(BASE))
    assert answer.headers["Content-Type"] == "image/png"


# ---------------------------------------------------------------- tidying up


async def test_uploads_that_were_never_sent_and_stray_files_are_deleted_in_time(
    media: MediaStore, store: Store, folder: Path, clock: HandClock
) -> None:
    unsent = await media.receive(chunks(picture()), "unsent.png", "agent-1", None)
    sent = await media.receive(chunks(b"sent"), "sent.txt", "agent-1", None)
    await store.writer.write(lambda tx: tx.execute(update(table).where(table.c.id == sent).values(message_id="m1")))
    await media.take(chunks(b"stray"), name="stray", announced=None, strict=True)
    part = folder / "ab" / f"{'ab' * 16}.part"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"half")
    sweeper = MediaSweeper(store, media, clock)
    await sweeper.step()
    assert len(files_in(folder)) == 5
    clock.now = round(part.stat().st_mtime * 1000) + 25 * 3600 * 1000
    await sweeper.step()
    left = await media.open(sent)
    assert left is not None
    assert {path.name for path in files_in(folder)} == {
        left.path.name,
        *(name for name in await _files_of(store, unsent) if name),
    }
    assert (await row_of(store, unsent)).state == "removed"


async def _files_of(store: Store, media_id: str) -> tuple[str | None, str | None]:
    row = await row_of(store, media_id)
    return row.file, row.preview_file


async def test_many_files_at_once_are_all_kept(media: MediaStore) -> None:
    found = await asyncio.gather(*(receive(media, bytes([index]) * 1000) for index in range(20)))
    assert sorted(file.path.read_bytes()[0] for file in found) == list(range(20))
