"""A write that comes twice under one Idempotency-Key is done once and answered twice."""

from __future__ import annotations

import uuid
from typing import Any

import aiohttp
import pytest

from tests.hosted.people import Answer, Place, Visitor
from trunkline.hosted.repeating import HEADER
from trunkline.store import schema
from trunkline.testing.pictures import picture

KEYED = {HEADER: "k-1"}
SEEN = {"views": [{"screen": "orders"}]}


async def upload(ana: Visitor, **headers: str) -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", picture("cup"), filename="cup.jpg", content_type="image/jpeg")
    url = f"{ana.place.address}/client/v1/uploads"
    async with ana.place.session.post(url, data=form, headers={**ana.headers, **headers}) as response:
        return Answer(response.status, response.headers, await response.read())


async def pages(place: Place) -> int:
    return sum(str(row.visits).count('"at"') for row in await place.rows(schema.visitor))


async def test_a_file_that_is_sent_twice_is_kept_once(place: Place) -> None:
    ana = await place.visitor()
    first, again = await upload(ana, **KEYED), await upload(ana, **KEYED)
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert len(await place.rows(schema.media)) == 1
    assert (await upload(ana, **{HEADER: "k-2"})).json["upload_id"] != first.json["upload_id"]


async def test_pages_that_are_told_twice_are_seen_once(place: Place) -> None:
    ana = await place.visitor()
    for _ in range(3):
        assert (await ana.call("POST", "/context", SEEN, headers=KEYED)).status == 204
    assert await pages(place) == 1
    await ana.post("/context", SEEN)
    assert await pages(place) == 2


async def test_a_repeat_of_any_other_write_is_answered_as_before(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    await place.reply(thread, "one")
    writes: list[tuple[str, str, Any]] = [
        ("PATCH", "/me", {"name": "Ana"}),
        ("POST", "/threads/live/read", {"pos": 2}),
        ("POST", "/threads/live/typing", {}),
        ("POST", "/threads/live/messages", {"client_id": str(uuid.uuid4()), "kind": "text", "text": "two"}),
        ("DELETE", f"/devices/{uuid.uuid4()}", None),
    ]
    for number, (method, path, body) in enumerate(writes):
        first, again = [await ana.call(method, path, body, headers={HEADER: f"w{number}"}) for _ in range(2)]
        assert first.status < 300, first.raw
        assert (again.status, again.raw) == (first.status, first.raw)
    assert await ana.texts() == ["Hello", "one", "two"]


async def test_a_key_is_for_one_request_of_one_visitor(place: Place) -> None:
    ana, bo = await place.visitor(), await place.visitor()
    await ana.post("/context", SEEN, headers=KEYED)
    for method, path, body in (("POST", "/context", {"views": []}), ("PATCH", "/me", SEEN)):
        assert (await ana.call(method, path, body, headers=KEYED)).code == "idempotency_key_reused"
    await bo.post("/context", SEEN, headers=KEYED)
    assert await pages(place) == 2


async def test_what_was_refused_may_be_tried_again_under_its_key(place: Place) -> None:
    ana = await place.visitor()
    nobody = "/threads/th_unheard/read"
    assert (await ana.call("POST", nobody, {"pos": 1}, headers=KEYED)).code == "not_found"
    assert await place.rows(schema.idempotency) == []
    assert (await ana.call("POST", nobody, {"pos": 1}, headers=KEYED)).code == "not_found"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ü"])
async def test_what_is_no_key_is_refused(place: Place, key: str) -> None:
    ana = await place.visitor()
    assert (await ana.call("POST", "/context", SEEN, headers={HEADER: key})).code == "bad_idempotency_key"
    assert await pages(place) == 0


async def test_one_that_is_under_way_is_not_done_beside_itself(place: Place) -> None:
    ana = await place.visitor()
    await ana.post("/context", SEEN, headers=KEYED)
    table = schema.idempotency
    await place.house.store.writer.write(lambda tx: tx.execute(table.update().values(status=0, response="null")))
    busy = await ana.call("POST", "/context", SEEN, headers=KEYED)
    assert (busy.code, busy.headers["Retry-After"]) == ("unavailable", "1")
    # The house that was at it has ended.
    place.clock.advance(seconds=120)
    await ana.post("/context", SEEN, headers=KEYED)
    assert await pages(place) == 2


async def test_after_a_day_a_key_is_a_new_one(place: Place) -> None:
    ana = await place.visitor()
    await ana.post("/context", SEEN, headers=KEYED)
    place.clock.advance(hours=25)
    await ana.post("/context", SEEN, headers=KEYED)
    assert await pages(place) == 2
