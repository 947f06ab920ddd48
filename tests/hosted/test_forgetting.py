"""Who opened the widget and never said a word is forgotten after a while; nobody else is."""

from __future__ import annotations

import pytest

from tests.hosted.booth import vouch
from tests.hosted.people import KEY, Place
from trunkline.service import retention
from trunkline.service.retention import Forgetting
from trunkline.settings import Retention
from trunkline.store import schema

DEVICE = {"provider": "fcm", "push_token": "invented-push-token"}


async def forget(place: Place) -> set[str]:
    """Let the daily worker do its round; returns the ids of the visitors who are left."""
    await Forgetting(place.house.store, place.clock, Retention(visitor_days=30)).step()
    return {f"ct_{row.id}" for row in await place.rows(schema.visitor)}


@pytest.mark.parametrize("page", [1, 1000])
async def test_only_who_never_wrote_is_forgotten(place: Place, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(retention, "_PAGE", page)
    silent, app, writer = [await place.visitor() for _ in range(3)]
    await app.call("PUT", "/devices/phone", DEVICE)
    await writer.say()
    signed = await place.visitor(identity=vouch("cust-1", KEY, place.clock.now_ms()))
    everybody = {one.id for one in (silent, app, writer, signed)}
    place.clock.advance(hours=29 * 24)
    assert await forget(place) == everybody
    place.clock.advance(hours=2 * 24)
    young = await place.visitor()
    assert await forget(place) == {writer.id, signed.id, young.id}
    assert await place.rows(schema.visitor_device) == []
    assert (await silent.call("GET", "/me")).code == "token_invalid"
    assert await writer.texts() == ["Hello"]


async def test_who_still_comes_by_is_not_forgotten(place: Place) -> None:
    ana = await place.visitor()
    for _ in range(3):
        place.clock.advance(hours=20 * 24)
        await ana.post("/context", {"views": [{"screen": "orders"}]})
        assert await forget(place) == {ana.id}


async def test_who_was_forgotten_begins_anew(place: Place) -> None:
    await place.visitor()
    place.clock.advance(hours=31 * 24)
    assert await forget(place) == set()
    again = await place.visitor()
    await again.say("Back after a while")
    assert await forget(place) == {again.id}
