"""Setting accounts up while everything runs: what is asked, what is refused, and secrets that go one way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select

from tests.desk.harness import Answer, Client, Running, begin, frames
from trunkline.store import schema

SECRET = "an-invented-secret-of-kiosk"
KIOSK = {"id": "kiosk", "connector": "wire", "title": "Kiosk", "settings": {"secret": SECRET}}


async def refusal(answer: Answer) -> list[tuple[str, str]]:
    assert (answer.status, answer.code) == (422, "invalid"), answer.raw
    return [(error["field"], error["message"]) for error in answer.json["errors"]]


async def wrote(desk: Running, text: str, secret: str, *, account: str = "kiosk") -> int:
    """POST a webhook and return the status."""
    body = json.dumps({"events": [{"id": f"w-{text}", "from": "w1", "text": text}]}).encode()
    address = f"{desk.address}/webhooks/{account}"
    async with desk.session.post(address, data=body, headers={"x-wire": secret}) as response:
        return response.status


async def test_what_an_account_is_made_of_is_told(ada: Client) -> None:
    found = {one["name"]: one for one in (await ada.get("/connectors"))["items"]}
    wire = found["wire"]
    assert (wire["title"], wire["channels"], wire["hosted"], wire["docs"]) == ("Wire", ["wire"], False, None)
    assert wire["schema"]["required"] == ["secret"]
    assert wire["schema"]["properties"]["secret"] == {
        "format": "password",
        "title": "Secret",
        "type": "string",
        "writeOnly": True,
    }


async def test_an_account_works_from_the_moment_it_is_made(desk: Running, ada: Client) -> None:
    made = await ada.post("/accounts", KIOSK)
    assert (made["channel"], made["locked"], made["embed"]) == ("wire", False, None)
    assert made["webhook_url"] == "http://desk.example/webhooks/kiosk"
    assert await wrote(desk, "hello kiosk", SECRET) == 200
    await desk.settle()
    (thread,) = (await ada.get("/threads?account=kiosk"))["items"]
    sent = await ada.call("POST", f"/threads/{thread['id']}/messages", {"text": "Hi"})
    assert sent.status == 202
    await desk.settle()
    assert [message.parts for message in desk.connector("kiosk").sent]
    assert (await ada.post("/accounts/kiosk/probe"))["ok"] is True
    assert (await ada.get("/accounts/kiosk"))["state"] == "connected"


async def test_the_same_key_makes_one_account(ada: Client) -> None:
    answers = [await ada.call("POST", "/accounts", KIOSK, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    answer = await ada.call("POST", "/accounts", KIOSK)
    assert (answer.status, answer.code) == (409, "account_taken")


async def test_changed_settings_hold_at_once_and_what_is_left_out_is_the_usual_again(
    desk: Running, ada: Client
) -> None:
    await ada.post("/accounts", {**KIOSK, "settings": {"secret": SECRET, "colour": "blue"}})
    changed = (await ada.call("PATCH", "/accounts/kiosk", {"settings": {"secret": "another-secret"}})).json
    assert changed["settings"]["colour"] == "red"
    assert [await wrote(desk, "old", SECRET), await wrote(desk, "new", "another-secret")] == [401, 200]
    renamed = (await ada.call("PATCH", "/accounts/kiosk", {"title": "Corner kiosk"})).json
    assert renamed["title"] == "Corner kiosk"
    assert await wrote(desk, "newer", "another-secret") == 200


async def test_sec_31_a_secret_goes_in_and_never_comes_out(desk: Running, ada: Client, bo: Client) -> None:
    canaries = [f"canary-{number}-of-the-account" for number in range(5)]
    settings = {
        "secret": canaries[0],
        "spare": canaries[1:3],
        "token": canaries[3],
        "keys": [{"name": "main", "key": canaries[4]}],
    }
    socket = await bo.listen()
    await begin(socket)
    made = await ada.call("POST", "/accounts", {**KIOSK, "settings": settings})
    assert made.json["settings"]["secret"]["set"] is True
    assert [one["set"] for one in made.json["settings"]["spare"]] == [True, True]
    assert made.json["settings"]["keys"] == [
        {"name": "main", "key": made.json["settings"]["keys"][0]["key"], "served_at": None}
    ]
    told = await frames(socket, "account_changed")
    wrong = await ada.call("PATCH", "/accounts/kiosk", {"settings": {**settings, "colour": "green"}})
    shown = [made.raw, wrong.raw, json.dumps(told).encode()]
    for client in (ada, bo):
        paths = ("/accounts", "/accounts/kiosk", "/connectors", "/channels", "/threads")
        shown += [(await client.call("GET", path)).raw for path in paths]
    async with desk.house.store.read() as connection:
        rows = (await connection.execute(select(schema.account))).all()
        events = (await connection.execute(select(schema.event.c.payload))).all()
    shown += [str(rows).encode(), str(events).encode()]
    assert [canary for canary in canaries for text in shown if canary.encode() in text] == []


async def test_a_secret_that_is_left_out_or_sent_back_stays(desk: Running, ada: Client) -> None:
    keys = [{"name": "a", "key": "key-a"}, {"name": "b", "key": "key-b"}]
    await ada.post("/accounts", {**KIOSK, "settings": {"secret": SECRET, "spare": ["s1", "s2"], "keys": keys}})
    shown = (await ada.get("/accounts/kiosk"))["settings"]

    async def after(settings: dict[str, Any]) -> Any:
        answer = await ada.call("PATCH", "/accounts/kiosk", {"settings": settings})
        assert answer.status == 200, answer.raw
        account = desk.house.accounts.find("kiosk")
        assert account is not None
        return account.config

    config = await after({"colour": "blue"})
    assert (config.secret.get_secret_value(), [one.get_secret_value() for one in config.spare]) == (
        SECRET,
        ["s1", "s2"],
    )
    config = await after({**shown, "spare": ["s0", shown["spare"][1]], "keys": []})
    assert [one.get_secret_value() for one in config.spare] == ["s0", "s2"]
    assert (config.secret.get_secret_value(), config.keys) == (SECRET, ())
    config = await after({"token": "t1", "keys": keys})
    config = await after({"keys": [{"name": "b"}, {"name": "a", "key": "key-c"}]})
    assert [(one.name, one.key.get_secret_value()) for one in config.keys] == [("b", "key-b"), ("a", "key-c")]
    assert config.token.get_secret_value() == "t1"
    assert (await after({"token": None})).token is None


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({}, "settings.secret", "missing"),
    ({"secret": ""}, "settings.secret", "blank"),
    ({"secret": "  "}, "settings.secret", "blank"),
    ({"secret": 7}, "settings.secret", "string"),
    ({"secret": {"$ne": None}}, "settings.secret", "string"),
    ({"secret": {"set": True}}, "settings.secret", "string"),
    ({"secret": "x", "colur": "red"}, "settings.colur", 'did you mean "colour"'),
    ({"secret": "x", "colour": "green"}, "settings.colour", "'red' or 'blue'"),
    ({"secret": "x", "spare": ["a", ""]}, "settings.spare.1", "blank"),
    ({"secret": "x", "keys": [{"name": "a", "key": "k"}, {"name": "b"}]}, "settings.keys.1.key", "missing"),
    ({"secret": "x", "keys": [{"name": "a", "key": ""}]}, "settings.keys.0.key", "empty"),
    ({"secret": "x", "api_base": "ftp://x"}, "settings.api_base", "pattern"),
]


@pytest.mark.parametrize(("settings", "field", "words"), WRONG)
async def test_wrong_settings_come_back_in_words_with_their_place(
    ada: Client, settings: dict[str, Any], field: str, words: str
) -> None:
    ((place, message),) = await refusal(await ada.call("POST", "/accounts", {**KIOSK, "settings": settings}))
    assert place == field
    assert words in message
    assert (await ada.call("GET", "/accounts/kiosk")).status == 404


async def test_what_is_no_account_is_refused(ada: Client) -> None:
    for wrong, field in (
        ({"id": "../x"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"connector": "unheard"}, "connector"),
        ({"channel": "unheard"}, "channel"),
        ({"title": "a\nb"}, "title"),
        ({"settings": []}, "settings"),
        ({"locked": True}, "locked"),
    ):
        assert [place for place, _ in await refusal(await ada.call("POST", "/accounts", {**KIOSK, **wrong}))] == [field]


async def test_an_account_of_the_file_is_shown_and_changes_there(desk: Running, ada: Client) -> None:
    shown = await ada.get("/accounts/shop")
    assert (shown["locked"], shown["settings"]["secret"]["set"]) == (True, True)
    assert (await ada.call("POST", "/accounts", {**KIOSK, "id": "shop"})).code == "account_taken"
    for method, body in (
        ("PATCH", {"title": "X"}),
        ("PATCH", {"settings": {}}),
        ("PATCH", {"enabled": False}),
        ("DELETE", None),
    ):
        answer = await ada.call(method, "/accounts/shop", body)
        assert (answer.status, answer.code) == (409, "account_locked")
        assert "configuration file" in answer.json["detail"]
    assert (await ada.post("/accounts/shop/probe"))["title"] == "Wire shop"


async def test_a_switched_off_account_takes_and_sends_nothing_and_keeps_its_history(desk: Running, ada: Client) -> None:
    await ada.post("/accounts", KIOSK)
    await wrote(desk, "before", SECRET)
    assert (await ada.call("DELETE", "/accounts/kiosk")).status == 204
    assert await wrote(desk, "after", SECRET) == 404
    assert (await ada.get("/accounts/kiosk"))["state"] == "disabled"
    assert len((await ada.get("/threads?account=kiosk"))["items"]) == 1
    assert (await ada.call("POST", "/accounts/kiosk/probe", {})).code == "account_disabled"
    assert (await ada.call("DELETE", "/accounts/kiosk")).status == 204
    assert (await ada.call("PATCH", "/accounts/kiosk", {"enabled": True})).json["state"] != "disabled"
    assert await wrote(desk, "again", SECRET) == 200


async def test_a_probe_that_ends_after_the_switch_leaves_it_off(desk: Running, ada: Client) -> None:
    await ada.post("/accounts", KIOSK)
    await desk.settle()
    desk.connector("kiosk").answering.clear()
    asking = asyncio.create_task(desk.house.accounts.probe("kiosk"))
    await asyncio.sleep(0)
    connector = desk.connector("kiosk")
    assert (await ada.call("DELETE", "/accounts/kiosk")).status == 204
    connector.answering.set()
    assert (await asking).state == "connected"
    assert (await ada.get("/accounts/kiosk"))["state"] == "disabled"
    assert await wrote(desk, "after", SECRET) == 404


async def test_a_probe_says_in_words_what_is_wrong(ada: Client) -> None:
    await ada.post("/accounts", {**KIOSK, "settings": {"secret": "refused-invented-secret"}})
    health = await ada.post("/accounts/kiosk/probe")
    assert (health["ok"], health["state"], health["reason"]) == (
        False,
        "sign_in_needed",
        "The platform refuses the secret.",
    )
    assert (await ada.get("/accounts/kiosk"))["reason"] == "The platform refuses the secret."


async def test_every_change_is_told_with_who_and_what_but_no_value(desk: Running, ada: Client) -> None:
    socket = await ada.listen()
    await begin(socket)
    await ada.post("/accounts", KIOSK)
    await ada.call("PATCH", "/accounts/kiosk", {"title": "New", "settings": {"secret": "b", "colour": "blue"}})
    await ada.call("DELETE", "/accounts/kiosk")
    told: list[Any] = []
    while len(told) < 3:
        events = await frames(socket, "account_changed")
        told += [event for event in events if event["kind"] == "account_changed" and "change" in event["payload"]]
    assert [(one["payload"]["change"], one["payload"]["fields"], one["actor"]["name"]) for one in told] == [
        ("created", ["secret"], "Ada"),
        ("changed", ["title", "colour", "secret"], "Ada"),
        ("disabled", [], "Ada"),
    ]
    assert told[-1]["payload"]["account"]["state"] == "disabled"


async def test_accounts_stay_when_the_process_starts_again(template: Any, open_desk: Any) -> None:
    async with open_desk(*template) as running:
        ada = running.client("ada@shop.example")
        await ada.post("/accounts", KIOSK)
    async with open_desk(*template) as running:
        assert await wrote(running, "hello", SECRET) == 200


async def test_another_process_takes_a_change_over(postgres_copy: Any, open_desk: Any) -> None:
    url, tokens = postgres_copy
    async with open_desk(url, tokens) as one, open_desk(url, tokens) as two:
        ada, replaced = one.client("ada@shop.example"), asyncio.Queue[str]()
        two.house.accounts.on_replaced = replaced.put_nowait
        async with asyncio.timeout(60):
            await ada.post("/accounts", KIOSK)
            assert await replaced.get() == "kiosk"
            assert await wrote(two, "hello", SECRET) == 200
            await ada.call("PATCH", "/accounts/kiosk", {"settings": {"secret": "newer"}})
            assert await replaced.get() == "kiosk"
            assert await wrote(two, "again", "newer") == 200
            await ada.call("DELETE", "/accounts/kiosk")
            assert await replaced.get() == "kiosk"
            assert await wrote(two, "after", "newer") == 404


async def test_sec_22_only_admins_see_or_touch_settings(desk: Running, ada: Client, bo: Client, nobody: Client) -> None:
    await ada.post("/accounts", KIOSK)
    for client, status in ((bo, 403), (nobody, 401)):
        for method, path, body in (
            ("GET", "/connectors", None),
            ("GET", "/accounts/kiosk", None),
            ("GET", "/accounts/unheard", None),
            ("POST", "/accounts", {**KIOSK, "id": "other"}),
            ("PATCH", "/accounts/kiosk", {"title": "Mine"}),
            ("DELETE", "/accounts/kiosk", None),
            ("POST", "/accounts/kiosk/probe", {}),
        ):
            assert (await client.call(method, path, body)).status == status, (method, path)
    assert (await ada.get("/accounts/kiosk"))["title"] == "Kiosk"


async def test_a_secret_that_nobody_must_have_is_taken_away_by_null(desk: Running, ada: Client) -> None:
    await ada.post("/accounts", {**KIOSK, "settings": {"secret": SECRET, "token": "an-invented-token"}})
    kept = await ada.call("PATCH", "/accounts/kiosk", {"settings": {"secret": SECRET}})
    assert kept.json["settings"]["token"]["set"] is True
    gone = await ada.call("PATCH", "/accounts/kiosk", {"settings": {"secret": SECRET, "token": None}})
    assert gone.json["settings"]["token"] is None
