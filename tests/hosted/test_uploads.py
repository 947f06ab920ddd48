"""Files of visitors: in one step or two, known by their content, opened by a signed address."""

from __future__ import annotations

import io
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.hosted.conftest import Opener
from tests.hosted.people import Answer, Place, Visitor
from trunkline.errors import StartRefused
from trunkline.service.replay import replay
from trunkline.store import schema


def picture(size: tuple[int, int] = (8, 6)) -> bytes:
    body = io.BytesIO()
    image = Image.new("RGB", size, "red")
    exif = image.getexif()
    exif[0x010E] = "where I live"
    image.save(body, "JPEG", exif=exif)
    return body.getvalue()


async def send_file(visitor: Visitor, data: bytes, name: str = "a.jpg", mime: str = "image/jpeg") -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(data), filename=name, content_type=mime)
    return await visitor.place.call("POST", "/uploads", headers=visitor.headers, data=form)


async def carry(visitor: Visitor, upload: str, kind: str = "image", **more: Any) -> Any:
    wish = {"client_id": str(uuid.uuid4()), "kind": kind, "attachments": [{"upload_id": upload}], **more}
    return (await visitor.post("/threads/live/messages", wish))["message"]


async def test_a_picture_is_written_anew_and_sent_with_its_words(place: Place) -> None:
    ana = await place.visitor()
    upload = await send_file(ana, picture())
    assert upload.status == 201
    assert (upload.json["kind"], upload.json["width"], upload.json["height"]) == ("image", 8, 6)
    shown = await carry(ana, upload.json["upload_id"], text="Look")
    assert (shown["kind"], shown["text"]) == ("image", "Look")
    (attached,) = shown["attachments"]
    served = await place.call("GET", attached["url"])
    assert served.headers["Content-Disposition"].startswith("inline")
    assert b"where I live" not in served.raw
    assert (await place.call("GET", attached["preview_url"])).headers["Content-Type"] == "image/jpeg"
    told = (await ana.changes())["changes"][-1]
    assert told["data"]["attachments"] == [attached]
    assert (await ana.get("/threads/live/messages"))["messages"][-1] == shown
    (row,) = await place.rows(schema.media)
    (message,) = await place.rows(schema.message)
    assert (row.message_id, row.thread_id) == (message.id, message.thread_id)


async def test_agents_see_the_file_at_once(place: Place) -> None:
    ana = await place.visitor()
    await carry(ana, (await send_file(ana, picture())).json["upload_id"])
    (event,) = await place.rows(schema.event, schema.event.c.kind == "message_received")
    assert '"state":"stored"' in event.payload


async def test_a_replay_of_a_message_with_a_file_changes_nothing(place: Place) -> None:
    ana = await place.visitor()
    await carry(ana, (await send_file(ana, picture())).json["upload_id"])
    report = await replay(place.house, 0, dry_run=False)
    assert (report.same, report.differences) == (1, [])
    assert len(await place.rows(schema.message)) == 1


async def test_a_file_in_two_steps(place: Place) -> None:
    ana = await place.visitor()
    plan = await ana.call("POST", "/uploads", {"name": "a.txt", "size": 5, "mime": "text/plain"})
    assert plan.status == 201
    put = await ana.call("PUT", plan.json["put_url"], b"words", headers={"Content-Type": "text/plain"})
    assert (put.status, put.json["upload_id"]) == (201, plan.json["upload_id"])
    again = await ana.call("PUT", plan.json["put_url"], b"other", headers={"Content-Type": "text/plain"})
    assert (again.status, again.code) == (404, "not_found")
    shown = await carry(ana, plan.json["upload_id"], "file")
    served = await place.call("GET", shown["attachments"][0]["url"])
    assert (served.raw, served.headers["Content-Type"]) == (b"words", "application/octet-stream")


async def test_a_place_is_for_its_visitor_its_time_and_nobody_else(place: Place) -> None:
    ana, ben = await place.visitor(), await place.visitor()
    plan = (await ana.call("POST", "/uploads", {"name": "a", "size": 5, "mime": "text/plain"})).json["put_url"]
    for visitor, address in (
        (ben, plan),
        (ana, plan.replace("until=1", "until=2")),
        (ana, plan.replace("sig=", "sig=x")),
    ):
        answer = await visitor.call("PUT", address, b"words", headers={"Content-Type": "text/plain"})
        assert answer.status in {400, 404}
    place.clock.advance(hours=2)
    late = await ana.call("PUT", plan, b"words", headers={"Content-Type": "text/plain"})
    assert late.status == 404
    assert await place.rows(schema.media) == []


async def test_what_is_too_large_is_refused_and_leaves_nothing(booth: Place) -> None:
    ana = await booth.visitor()
    answer = await send_file(ana, b"%PDF-" + bytes(20 * 2**20 + 1), "a.pdf", "application/pdf")
    assert (answer.status, answer.code) == (413, "too_large")
    planned = await ana.call("POST", "/uploads", {"name": "a", "size": 20 * 2**20 + 1, "mime": "application/pdf"})
    assert (planned.status, planned.code) == (413, "too_large")
    assert await booth.rows(schema.media) == []
    assert [path for path in booth.house.media.files.folder.glob("*/*")] == []  # noqa: C416 - a list to compare


async def test_a_file_is_what_it_holds(booth: Place) -> None:
    ana = await booth.visitor()
    lie = await send_file(ana, b"words", "a.jpg", "image/jpeg")
    assert (lie.status, lie.code) == (422, "mime_mismatch")
    broken = await send_file(ana, picture()[:60], "a.jpg", "image/jpeg")
    assert (broken.status, broken.code) == (422, "file_unreadable")
    empty = await send_file(ana, b"", "a.txt", "text/plain")
    assert (empty.status, empty.code) == (422, "file_unreadable")
    zipped = await send_file(ana, b"PK\x03\x04" + bytes(60), "a.zip", "application/zip")
    assert (zipped.status, zipped.code) == (415, "type_not_allowed")
    assert [path for path in booth.house.media.files.folder.glob("*/*")] == []  # noqa: C416 - a list to compare


async def test_a_body_without_a_file_is_refused(booth: Place) -> None:
    ana = await booth.visitor()
    form = aiohttp.FormData()
    form.add_field("other", b"x", filename="a.txt")
    answer = await booth.call("POST", "/uploads", headers=ana.headers, data=form)
    assert (answer.status, answer.code) == (400, "bad_request")
    assert (await ana.call("POST", "/uploads", {"name": 7})).status == 400


async def test_a_removed_file_is_gone(place: Place) -> None:
    ana = await place.visitor()
    shown = await carry(ana, (await send_file(ana, picture())).json["upload_id"])
    await place.house.store.writer.write(lambda tx: tx.execute(schema.media.update().values(state="removed")).rowcount)
    answer = await place.call("GET", shown["attachments"][0]["url"])
    assert (answer.status, answer.code) == (410, "redacted")


async def test_files_come_from_a_host_of_their_own_and_nothing_else_does(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, **{"server.files_url": "http://files.example"}) as place:
        ana = await place.visitor()
        shown = await carry(ana, (await send_file(ana, picture())).json["upload_id"])
        host, _, path = shown["attachments"][0]["url"].partition("/client/v1")
        assert host == "http://files.example"
        assert shown["attachments"][0]["preview_url"].startswith(f"{host}/client/v1/files/")
        there = {"Host": "files.example"}
        good = await place.call("GET", path, headers=there)
        assert (good.status, good.headers["Content-Type"]) == (200, "image/jpeg")
        assert good.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "sandbox" in good.headers["Content-Security-Policy"]
        led = await place.call("GET", path)
        assert (led.status, led.headers["Location"]) == (308, f"{host}/client/v1{path}")
        forged = await place.call("GET", f"{path}A")
        assert (forged.status, forged.code) == (404, "not_found")
        for other in ("/client/v1/config", "/client/v1/threads", "/health/live", "/client/v1/files/../config", "/"):
            async with place.session.get(f"{place.address}{other}", headers={**there, **ana.headers}) as answer:
                assert answer.status == 404, other


async def test_the_host_of_files_is_another_one(sqlite_url: str, open_place: Opener) -> None:
    for same in ("http://desk.example/", "http://files.example/files"):
        with pytest.raises(StartRefused, match=r"server\.files_url is .*, which keeps nothing apart: give"):
            async with open_place(sqlite_url, **{"server.files_url": same}):
                pass


async def test_a_file_of_an_agent_opens_by_a_signed_address_too(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()

    async def chunks() -> AsyncIterator[bytes]:
        yield picture()

    media_id = await place.house.media.receive(chunks(), "b.jpg", "a-1", "image/jpeg")
    await place.reply(thread, "", attachments=(media_id,))
    shown = (await ana.get("/threads/live/messages"))["messages"][-1]
    assert (await place.call("GET", shown["attachments"][0]["url"])).status == 200
    told = (await ana.changes())["changes"][-1]
    assert told["data"]["attachments"][0]["url"] == shown["attachments"][0]["url"]
