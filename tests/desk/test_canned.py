"""Prepared answers: everybody's by admins, personal ones by their owner, a shortcut once per owner."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.desk.harness import Client, Running, begin, frames

THANKS = {"shortcut": "thanks", "title": "Thank you", "text": "Thank you, {{contact.name}}!\n{{agent.name}}"}


async def shortcuts(client: Client) -> list[tuple[str, bool]]:
    return [(item["shortcut"], item["shared"]) for item in (await client.get("/canned-replies"))["items"]]


async def test_a_shared_one_is_everybodys_and_a_personal_one_nobody_elses(ada: Client, bo: Client) -> None:
    shared = await ada.post("/canned-replies", {**THANKS, "shared": True})
    mine = await bo.post("/canned-replies", {**THANKS, "text": "Cheers!"})
    assert (shared["shared"], shared["owner_id"], shared["text"]) == (True, None, THANKS["text"])
    assert mine["owner_id"] == (await bo.get("/me"))["id"]
    assert await shortcuts(bo) == [("thanks", False), ("thanks", True)]
    assert await shortcuts(ada) == [("thanks", True)]


async def test_only_an_admin_prepares_answers_for_everybody(ada: Client, bo: Client) -> None:
    refused = await bo.call("POST", "/canned-replies", {**THANKS, "shared": True})
    shared = await ada.post("/canned-replies", {**THANKS, "shared": True})
    change = await bo.call("PATCH", f"/canned-replies/{shared['id']}", {"text": "No"})
    deletion = await bo.call("DELETE", f"/canned-replies/{shared['id']}")
    assert [(answer.status, answer.code) for answer in (refused, change, deletion)] == [(403, "not_allowed")] * 3
    assert (await ada.get("/canned-replies"))["items"] == [shared]


async def test_sec_22_a_personal_one_of_somebody_else_is_not_there(ada: Client, bo: Client) -> None:
    mine = await bo.post("/canned-replies", THANKS)
    for method, body in (("PATCH", {"text": "Mine now"}), ("DELETE", None)):
        answer = await ada.call(method, f"/canned-replies/{mine['id']}", body)
        assert (answer.status, answer.code) == (404, "unknown_canned_reply")
    assert (await bo.get("/canned-replies"))["items"] == [mine]


async def test_a_shortcut_is_unique_for_its_owner_whatever_its_case(ada: Client, bo: Client) -> None:
    first = await ada.post("/canned-replies", {**THANKS, "shared": True})
    other = await ada.post("/canned-replies", {**THANKS, "shortcut": "bye", "shared": True})
    for method, path, body in (
        ("POST", "/canned-replies", {**THANKS, "shortcut": "THANKS", "shared": True}),
        ("PATCH", f"/canned-replies/{other['id']}", {"shortcut": " Thanks"}),
    ):
        answer = await ada.call(method, path, body)
        assert (answer.status, answer.code, answer.json["errors"][0]["field"]) == (409, "shortcut_taken", "shortcut")
    await ada.post("/canned-replies", THANKS)
    changed = await ada.call("PATCH", f"/canned-replies/{first['id']}", {"shortcut": "thanks", "title": "New"})
    assert changed.json["title"] == "New"


async def test_two_at_once_with_one_shortcut_are_one(ada: Client) -> None:
    answers = await asyncio.gather(*(ada.call("POST", "/canned-replies", THANKS) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7


async def test_a_deleted_one_is_gone_and_its_shortcut_free(ada: Client) -> None:
    made = await ada.post("/canned-replies", THANKS)
    assert (await ada.call("DELETE", f"/canned-replies/{made['id']}")).status == 204
    assert (await ada.call("DELETE", f"/canned-replies/{made['id']}")).status == 404
    await ada.post("/canned-replies", THANKS)
    assert await shortcuts(ada) == [("thanks", False)]


async def test_changes_are_told_and_personal_words_are_not(desk: Running, ada: Client, bo: Client) -> None:
    socket = await bo.listen()
    await begin(socket)
    await ada.post("/canned-replies", THANKS)
    (personal,) = await frames(socket, "canned_reply_created")
    assert THANKS["text"] not in str(personal)
    assert personal["actor"]["name"] == "Ada"
    made = await ada.post("/canned-replies", {**THANKS, "shared": True})
    assert (await frames(socket, "canned_reply_created"))[0]["payload"] == {"canned_reply": made}
    await ada.call("DELETE", f"/canned-replies/{made['id']}")
    assert (await frames(socket, "canned_reply_deleted"))[0]["payload"]["canned_reply"]["id"] == made["id"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"shortcut": ""},
        {"shortcut": "two words"},
        {"shortcut": "a/b"},
        {"shortcut": "x" * 41},
        {"title": "a\nb"},
        {"text": ""},
        {"text": "a\x00"},
        {"text": "x" * 20_001},
        {"shared": "yes"},
        {"owner_id": "me"},
    ],
)
async def test_what_is_no_prepared_answer_is_refused(ada: Client, wrong: dict[str, Any]) -> None:
    answer = await ada.call("POST", "/canned-replies", {**THANKS, **wrong})
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, next(iter(wrong)))


async def test_an_admin_makes_a_personal_one_everybodys_and_everybodys_their_own(ada: Client, bo: Client) -> None:
    mine = await ada.post("/canned-replies", THANKS)
    path = f"/canned-replies/{mine['id']}"
    shared = (await ada.call("PATCH", path, {"shared": True, "title": "Thanks"})).json
    assert (shared["shared"], shared["owner_id"], shared["title"]) == (True, None, "Thanks")
    assert await shortcuts(bo) == [("thanks", True)]
    back = (await ada.call("PATCH", path, {"shared": False})).json
    assert (back["shared"], back["owner_id"]) == (False, mine["owner_id"])
    assert await shortcuts(bo) == []


async def test_who_may_use_one_is_decided_by_admins_and_where_its_shortcut_is_free(ada: Client, bo: Client) -> None:
    mine = await bo.post("/canned-replies", THANKS)
    refused = await bo.call("PATCH", f"/canned-replies/{mine['id']}", {"shared": True})
    assert (refused.status, refused.code) == (403, "not_allowed")
    assert (await ada.call("PATCH", f"/canned-replies/{mine['id']}", {"shared": True})).status == 404
    await ada.post("/canned-replies", {**THANKS, "shared": True})
    own = await ada.post("/canned-replies", THANKS)
    taken = await ada.call("PATCH", f"/canned-replies/{own['id']}", {"shared": True})
    assert (taken.status, taken.code) == (409, "shortcut_taken")
    renamed = await ada.call("PATCH", f"/canned-replies/{own['id']}", {"shared": True, "shortcut": "cheers"})
    assert (renamed.status, renamed.json["shortcut"]) == (200, "cheers")
