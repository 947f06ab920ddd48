"""What applications add: calls of their own, changes that customers hear of, features."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from tests.hosted.conftest import Opener
from tests.hosted.people import Place
from trunkline.contract import Application, ApplicationSpec
from trunkline.errors import ContractError
from trunkline.hosted.answers import Answer
from trunkline.hosted.call import Call
from trunkline.hosted.calls import ClientCalls, ClientRoute
from trunkline.hosted.door import build_calls
from trunkline.hosted.models import Body
from trunkline.hosted.refusals import ClientRefused
from trunkline.model import Actor, ActorKind


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
