"""A copy that another process stored between our look and our write: nothing of ours stays, theirs is the answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.hosted.people import Place, message
from trunkline.hosted import sending
from trunkline.model import Button, Card
from trunkline.store import schema

Blind = Callable[[], None]
_SEND = "/threads/live/messages"


@pytest.fixture
def look_too_early(monkeypatch: pytest.MonkeyPatch) -> Blind:
    """Let the next look see nothing, as one does that comes before the other's commit."""
    known = sending._known
    looks = iter((False,))

    def look(*given: Any) -> Any:
        return known(*given) if next(looks, True) else None

    return lambda: monkeypatch.setattr(sending, "_known", look)


async def test_a_copy_that_another_process_took_is_answered_as_one(place: Place, look_too_early: Blind) -> None:
    ana, wish = await place.visitor(), message("Once")
    first = await ana.post(_SEND, wish)
    look_too_early()
    again = await ana.call("POST", _SEND, wish)
    assert (again.status, again.json) == (200, {**first, "replayed": True})
    assert await ana.texts() == ["Once"]


async def test_other_words_under_an_id_that_another_process_took_are_refused_for_good(
    place: Place, look_too_early: Blind
) -> None:
    ana, wish = await place.visitor(), message("Once")
    await ana.post(_SEND, wish)
    before = await place.rows(schema.inbound_item)
    look_too_early()
    for _ in range(2):
        other = await ana.call("POST", _SEND, {**wish, "text": "Other"})
        assert (other.status, other.code) == (409, "client_id_conflict")
    assert await place.rows(schema.inbound_item) == before
    assert await ana.texts() == ["Once"]


async def test_a_card_that_was_answered_at_another_process_is_answered_once(
    place: Place, look_too_early: Blind
) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    await place.reply(thread, "", contents=(Card(title="Size?", buttons=(Button(title="Small", data="s"),)),))
    shown = (await ana.get(_SEND))["messages"][-1]
    press = {"message_id": shown["id"], "action_id": shown["actions"][0]["id"]}
    await ana.post("/threads/live/postback", {**press, "client_id": str(uuid.uuid4())})
    look_too_early()
    second = {**press, "client_id": str(uuid.uuid4())}
    for _ in range(2):
        again = await ana.call("POST", "/threads/live/postback", second)
        assert (again.status, again.code) == (409, "card_answered")


async def test_what_came_beside_it_is_stored_all_the_same(place: Place, look_too_early: Blind) -> None:
    ana, ben, wish = await place.visitor(), await place.visitor(), message("Once")
    await ana.post(_SEND, wish)
    look_too_early()
    wishes = ((ana, wish), (ben, message("Mine")), (ana, message("More")))
    said = await asyncio.gather(*(visitor.call("POST", _SEND, one) for visitor, one in wishes))
    assert [answer.status for answer in said] == [200, 201, 201]
    assert (await ana.texts(), await ben.texts()) == (["Once", "More"], ["Mine"])
