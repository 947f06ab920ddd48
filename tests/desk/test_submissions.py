"""Setting leave-a-message forms: what each channel takes, what is refused when it is saved, who may."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from tests.desk.harness import Client, Running
from trunkline.store import schema

TICKET = {"enabled": True, "mode": "ticket"}


async def put(client: Client, place: str, setting: dict[str, Any]) -> Any:
    answer = await client.call("PUT", f"/submissions/settings/{place}", setting)
    assert answer.status == 200, answer.raw
    return answer.json


async def test_the_table_names_every_channel_with_what_it_takes(bo: Client) -> None:
    rows = (await bo.get("/submissions/matrix"))["items"]
    (wire,) = [row for row in rows if row["channel"] == "wire"]
    assert (wire["modes"], wire["dimensions"], wire["ticket_reply"]) == (["ticket"], ["channel", "group"], False)


async def test_what_was_set_is_shown_and_taken_back(ada: Client) -> None:
    setting = {**TICKET, "dimension": "group", "notice": {"en": "We answer tomorrow."}}
    shown = await put(ada, "account/shop", setting)
    assert (shown["scope"], shown["scope_id"]) == ("account", "shop")
    assert shown["setting"] == setting
    assert (await ada.get("/submissions/settings"))["items"] == [shown]
    await put(ada, "account/shop", {})
    assert (await ada.get("/submissions/settings"))["items"] == []


@pytest.mark.parametrize(
    ("place", "body", "code", "field"),
    [
        ("account/shop", {"mode": "offline_message"}, "submission_mode_unsupported", "mode"),
        ("account/shop", {"fields": [{"key": "a", "label": {"en": "A"}}]}, "invalid", "fields"),
        ("account/shop", {"mode": "letter"}, "invalid", "mode"),
        ("account/shop", {"colour": "red"}, "invalid", "colour"),
    ],
)
async def test_what_would_never_hold_is_refused_with_its_place(
    ada: Client, place: str, body: Any, code: str, field: str
) -> None:
    answer = await ada.call("PUT", f"/submissions/settings/{place}", body)
    assert (answer.status, answer.code) == (422, code)
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert (await ada.get("/submissions/settings"))["items"] == []


@pytest.mark.parametrize("place", ["account/nobody", "planet/earth", "deployment/mine"])
async def test_a_scope_that_there_is_not_is_not_found(ada: Client, place: str) -> None:
    answer = await ada.call("PUT", f"/submissions/settings/{place}", TICKET)
    assert (answer.status, answer.code) == (404, "unknown_scope")


async def test_what_is_asked_where_nothing_is_set_is_told_as_it_can_be_set(ada: Client) -> None:
    usual = (await ada.get("/submissions/settings"))["default_fields"]
    assert [field["key"] for field in usual] == ["name", "email", "message"]
    assert all({"en", "zh-Hans", "zh-Hant", "pl"} <= set(field["label"]) for field in usual)
    stored = (await put(ada, "deployment/all", {"fields": usual}))["setting"]["fields"]
    assert [(field["key"], field["label"]) for field in stored] == [(field["key"], field["label"]) for field in usual]


async def test_everybody_sees_how_forms_are_set_and_only_an_admin_sets_them(ada: Client, bo: Client) -> None:
    shown = await put(ada, "deployment/all", TICKET)
    assert (await bo.get("/submissions/settings"))["items"] == [shown]
    for method, path, body in (
        ("GET", "/submissions", None),
        ("PUT", "/submissions/settings/deployment/all", {}),
    ):
        assert (await bo.call(method, path, body)).status == 403
    assert (await ada.get("/submissions/settings"))["items"] == [shown]


async def test_a_form_that_a_platform_sent_is_listed(desk: Running, ada: Client) -> None:
    await put(ada, "deployment/all", {"enabled": True})
    for number in range(3):
        await desk.customer(kind="form", values={"message": f"Help {number}"})
    page = await ada.get("/submissions?limit=2")
    assert [one["reference"] for one in page["items"]] == ["S-3", "S-2"]
    assert page["items"][0]["values"] == {"message": "Help 2"}
    assert (page["items"][0]["mode"], page["items"][0]["state"]) == ("ticket", "ticketed")
    rest = await ada.get(f"/submissions?limit=2&cursor={page['next_cursor']}")
    assert ([one["reference"] for one in rest["items"]], rest["next_cursor"]) == (["S-1"], None)
    assert (await ada.get("/submissions?mode=offline_message"))["items"] == []
    assert len((await ada.get("/submissions?state=ticketed&account=shop"))["items"]) == 3


async def test_changing_them_is_told_with_who(desk: Running, ada: Client) -> None:
    await put(ada, "deployment/all", {"enabled": True})
    event = schema.event
    async with desk.house.store.read() as connection:
        query = select(event).where(event.c.kind == "submission_setting_changed")
        told = (await connection.execute(query)).one()
    assert told.actor_name == "Ada"
    assert json.loads(told.payload) == {"scope": "deployment", "scope_id": "", "fields": ["enabled"]}
