"""What applications add: calls of their own, changes that customers hear of, features."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import Field
from sqlalchemy import update

from tests.hosted.conftest import Opener
from tests.hosted.people import Place, until
from tests.promises.waiting import until as come_true
from trunkline.contract import Application, ApplicationSpec
from trunkline.errors import ContractError
from trunkline.hosted.answers import Answer
from trunkline.hosted.call import Call
from trunkline.hosted.calls import ClientCalls, ClientRoute
from trunkline.hosted.door import build_calls
from trunkline.hosted.entering import enter
from trunkline.hosted.models import Body
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.submitting import current_form
from trunkline.hosted.telling import tell_customer
from trunkline.model import Actor, ActorKind
from trunkline.service.submissions.settings import SubmissionSetting, save_setting
from trunkline.store import schema


class RatingBody(Body):
    score: int = Field(ge=1, le=5)


class Rating(Answer):
    score: int
    by: str


async def rate(call: Call) -> dict[str, Any]:
    if call.body.score == 3:
        raise ClientRefused("not_found")
    return {"score": call.body.score, "by": call.holder.address}


ROUTE = ClientRoute(
    method="POST",
    path="/ratings/{rating_id}",
    handler=rate,
    operation="rate",
    summary="Rate a conversation.",
    body=RatingBody,
    answer=Rating,
    refusals=("not_found",),
)


def routes(calls: ClientCalls, _house: Any, _application: Any) -> None:
    calls.add(ROUTE)
    calls.tell("rated", lambda payload, row, _shower: ("rating.changed", {"id": f"rt_{row.seq}", **payload}))
    calls.offer("rating", lambda _channel, context: None if context.client_platform == "web" else "web_only")


RATINGS = ApplicationSpec(
    name="ratings",
    title={"en": "Ratings"},
    build=lambda _house: Application(),
    client_routes=routes,
    consumes=False,
)


async def test_an_application_adds_calls_changes_and_features(database_url: str, open_place: Opener) -> None:
    async with open_place(database_url, applications=(RATINGS,)) as place:
        ana = await place.visitor()
        assert ana.given["features"]["rating"] is True
        said = await ana.post("/ratings/rt_1", {"score": 5})
        assert said["by"].startswith("v:")
        refused = await ana.call("POST", "/ratings/rt_1", {"score": 9})
        assert (refused.status, refused.json["error"]["field"]) == (422, "score")
        assert (await ana.call("POST", "/ratings/rt_1", {"score": 3})).code == "not_found"
        assert (await place.call("POST", "/ratings/rt_1", {"score": 5})).code == "token_missing"
        thread = await ana.thread()
        actor = Actor(ActorKind.SYSTEM)
        await place.house.store.writer.write(
            lambda tx: tx.append("rated", actor=actor, at=1, payload={"score": 5}, thread_id=thread)
        )
        told = (await ana.changes())["changes"][-1]
        assert (told["type"], told["data"]["score"]) == ("rating.changed", 5)
        document = (await place.session.get(f"{place.address}/client/v1/openapi.json")).json
        assert "/client/v1/ratings/{rating_id}" in (await document())["paths"]


async def test_a_call_that_is_taken_or_refuses_in_unknown_words_stops_the_start(booth: Place) -> None:
    calls = build_calls(booth.house)
    calls.add(ROUTE)
    with pytest.raises(ContractError, match="There is a call POST /ratings"):
        calls.add(ROUTE)
    odd = ClientRoute(method="GET", path="/odd", handler=rate, operation="odd", summary="Odd.", refusals=("odd",))
    with pytest.raises(ContractError, match="odd refuses with codes that stand in no table: odd"):
        calls.add(odd)
    with pytest.raises(ContractError, match="told already"):
        calls.tell("reply_sent", lambda *_: None)
    calls.greet("session", lambda *_: None)
    for taken in ("cursor", "session"):
        with pytest.raises(ContractError, match=f"The field {taken} of `ready` is taken"):
            calls.greet(taken, lambda *_: None)


# ---------------------------------------------------------------- before the first word, and in passing


class Empty(Body):
    pass


class Arrived(Answer):
    thread: str | None
    form: dict[str, Any] | None


async def arrive(call: Call) -> dict[str, Any]:
    row = await enter(call)
    try:
        form = await current_form(call)
    except ClientRefused:
        form = None
    return {"thread": row and row.id, "form": form}


ARRIVE = ClientRoute(
    method="POST",
    path="/arrivals",
    handler=arrive,
    operation="arrive",
    summary="Come in.",
    body=Empty,
    answer=Arrived,
)
ARRIVALS = ApplicationSpec(
    name="arrivals",
    title={"en": "Arrivals"},
    build=lambda _house: Application(),
    client_routes=lambda calls, _house, _application: calls.add(ARRIVE),
    consumes=False,
)


async def test_a_call_may_begin_a_conversation_without_a_word(database_url: str, open_place: Opener) -> None:
    async with open_place(database_url, applications=(ARRIVALS,)) as place:
        ana = await place.visitor(form="mobile")
        first = await ana.post("/arrivals", headers={"X-SDK-Form": "mobile"})
        assert await ana.post("/arrivals") == first
        (row,) = await place.rows(schema.thread)
        assert (row.id, row.channel, row.last_position) == (first["thread"], "booth_mobile", 0)
        told = [event.kind for event in await place.rows(schema.event) if event.thread_id == row.id]
        assert told == ["created", "contact_acted"]
        assert await ana.thread("Hello") == row.id
        (raw, _) = await place.rows(schema.raw_request)
        (item,) = place.connector().parse(raw.body)
        assert (item.platform_kind, item.thread_key) == ("enter", row.key)


async def test_who_is_blocked_begins_none(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, applications=(ARRIVALS,)) as place:
        ana = await place.visitor()
        await place.house.store.writer.write(lambda tx: tx.execute(update(schema.visitor).values(blocked=True)))
        assert (await ana.post("/arrivals"))["thread"] is None
        assert await place.rows(schema.thread) == []


async def test_a_call_may_show_the_form(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, applications=(ARRIVALS,)) as place:
        ana = await place.visitor()
        assert (await ana.post("/arrivals"))["form"] is None
        setting, now = SubmissionSetting(enabled=True), place.clock.now
        await place.house.store.writer.write(lambda tx: save_setting(tx, "account", "shop", setting, now))
        assert (await ana.post("/arrivals"))["form"] == await ana.get("/submissions/form")


async def test_what_is_told_in_passing_reaches_the_customer_and_nobody_else(place: Place) -> None:
    ana, ben = await place.visitor(), await place.visitor()
    thread = await ana.thread()
    await ben.thread()
    socket, _ = await ana.ready(cursor=ana.cursor)
    other, _ = await ben.ready(cursor=ben.cursor)
    # A socket that has heard of the log listens: nothing that is told from now on is missed.
    for one in (socket, other):
        await until(one, "change")
    tell_customer(place.house.moments, thread, {"t": "queue", "position": 1, "ahead": 0})
    assert await until(socket, "queue") == {"t": "queue", "position": 1, "ahead": 0}
    await ben.say("The next")
    frames = [await other.receive_json() for _ in range(2)]
    assert "queue" not in {frame["t"] for frame in frames}


async def test_what_is_told_in_passing_reaches_sockets_of_other_processes(
    postgres_url: str, open_place: Opener
) -> None:
    async with open_place(postgres_url) as here, open_place(postgres_url) as there:
        ana = await here.visitor()
        thread = await ana.thread()
        socket, _ = await ana.ready(cursor=ana.cursor)
        await until(socket, "change")
        hearing = asyncio.create_task(until(socket, "queue"))

        def told() -> bool:
            # What is told while the processes do not hear each other yet is lost, as is said: so it is told again.
            tell_customer(there.house.moments, thread, {"t": "queue", "position": 2})
            return hearing.done()

        # Seldom enough that no socket is cut off, should all of it come at once.
        await come_true(told, every_s=0.25)
        assert (await hearing)["position"] == 2


@pytest.mark.parametrize("frame", [{}, {"t": 1}, {"t": "change"}, {"t": "bye"}])
async def test_what_the_protocol_says_itself_no_application_says(booth: Place, frame: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="type of its own"):
        tell_customer(booth.house.moments, "any", frame)
