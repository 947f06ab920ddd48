"""The leave-a-message form: offered, sent once, kept in its mode, shown again to whoever sent it."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from tests.hosted.conftest import Opener
from tests.hosted.people import KEY, Answer, Place, Visitor, until
from trunkline.contract import SubmissionReceived
from trunkline.service.submissions.settings import SubmissionSetting, save_setting
from trunkline.store import schema

VALUES = {"name": "Mei", "email": "mei@shop.example", "message": "Where is order 42?"}


async def set_up(place: Place, scope: str = "account", scope_id: str = "shop", **values: Any) -> None:
    setting = SubmissionSetting(**values)
    await place.house.store.writer.write(lambda tx: save_setting(tx, scope, scope_id, setting, place.clock.now))


@pytest.fixture
async def open_for_forms(place: Place) -> Place:
    await set_up(place, enabled=True)
    return place


async def send(visitor: Visitor, client_id: str | None = None, **more: Any) -> Answer:
    """Fill the form in as it is now and send it."""
    version = more.pop("form_version", None) or (await visitor.get("/submissions/form"))["version"]
    body = {"client_id": client_id or str(uuid.uuid4()), "form_version": version, "values": VALUES, **more}
    return await visitor.call("POST", "/submissions", body)


@pytest.mark.requirement("000-07")
async def test_a_form_becomes_a_message_in_the_thread_and_waits_for_somebody(open_for_forms: Place) -> None:
    visitor = await open_for_forms.visitor()
    answer = await send(visitor)
    assert answer.status == 201
    sent = answer.json["submission"]
    assert (sent["mode"], sent["state"], sent["setting_dimension"]) == ("offline_message", "unassigned", "channel")
    assert (
        answer.json["message"]["text"] == "Your name: Mei\nE-mail: mei@shop.example\nYour message: Where is order 42?"
    )
    assert await visitor.texts() == [answer.json["message"]["text"]]
    (row,) = await open_for_forms.rows(schema.submission)
    assert (row.mode, f"S-{row.number}", row.message_id is None) == ("offline_message", sent["reference"], False)


async def test_in_ticket_mode_it_is_no_message_in_the_thread(open_for_forms: Place) -> None:
    await set_up(open_for_forms, enabled=True, mode="ticket")
    visitor = await open_for_forms.visitor()
    answer = await send(visitor)
    assert (answer.status, answer.json["submission"]["mode"], answer.json["message"]) == (201, "ticket", None)
    assert answer.json["submission"]["state"] == "ticketed"
    assert await visitor.texts() == []
    (told,) = [row for row in await open_for_forms.rows(schema.event) if row.kind == "submission_received"]
    assert "Where is order 42?" in told.payload


async def test_nothing_is_offered_before_it_is_switched_on(place: Place) -> None:
    visitor = await place.visitor()
    assert (await visitor.call("GET", "/submissions/form")).code == "submission_disabled"
    assert (await send(visitor, form_version="any")).code == "submission_disabled"
    assert await place.rows(schema.submission) == []


async def test_the_form_speaks_the_customers_language(open_for_forms: Place) -> None:
    visitor = await open_for_forms.visitor()
    shown = await visitor.get("/submissions/form", headers={"Accept-Language": "pl"})
    assert [field["label"] for field in shown["fields"]] == ["Imię i nazwisko", "E-mail", "Wiadomość"]
    assert [field["required"] for field in shown["fields"]] == [False, False, True]


@pytest.mark.requirement("000-10")
async def test_wrong_answers_are_named_and_nothing_is_stored(open_for_forms: Place) -> None:
    visitor = await open_for_forms.visitor()
    answer = await send(visitor, values={"email": "nobody", "colour": "red"})
    assert (answer.status, answer.code) == (422, "field_errors")
    assert [(one["field"], one["code"]) for one in answer.json["errors"]] == [
        ("colour", "unknown_field"),
        ("email", "invalid"),
        ("message", "required"),
    ]
    assert await open_for_forms.rows(schema.submission) == []


async def test_a_form_that_has_changed_comes_back_with_the_new_one(open_for_forms: Place) -> None:
    visitor = await open_for_forms.visitor()
    answer = await send(visitor, form_version="yesterday")
    assert (answer.status, answer.code) == (409, "form_outdated")
    assert (await send(visitor, form_version=answer.json["form"]["version"])).status == 201


async def test_one_client_id_is_one_submission_also_when_sent_at_once(open_for_forms: Place) -> None:
    visitor, client_id = await open_for_forms.visitor(), str(uuid.uuid4())
    version = (await visitor.get("/submissions/form"))["version"]
    answers = await asyncio.gather(*(send(visitor, client_id, form_version=version) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json["submission"]["id"] for answer in answers}) == 1
    assert len(await open_for_forms.rows(schema.submission)) == 1
    assert len(await visitor.texts()) == 1


async def test_the_first_answer_holds_though_the_form_was_changed_or_switched_off(open_for_forms: Place) -> None:
    visitor, client_id = await open_for_forms.visitor(), str(uuid.uuid4())
    first = await send(visitor, client_id)
    await set_up(open_for_forms, enabled=False)
    again = await send(visitor, client_id, form_version="yesterday")
    assert (again.status, again.json["replayed"]) == (200, True)
    assert again.json["submission"]["id"] == first.json["submission"]["id"]
    other = await send(visitor, client_id, form_version="yesterday", values={"message": "something else"})
    assert (other.status, other.code) == (409, "client_id_conflict")


GROUPS: dict[str, Any] = {"enabled": True, "mode": "ticket", "dimension": "group"}


@pytest.mark.requirement("000-24")
@pytest.mark.parametrize(
    ("version", "mode", "reason"),
    [
        ("3.0.3", "offline_message", None),
        ("3.0.10", "offline_message", None),
        ("3.1", "offline_message", None),
        ("3.0.2", "ticket", "sdk_too_old"),
        ("3.0.3-beta", "ticket", "sdk_too_old"),
        ("latest", "ticket", "sdk_too_old"),
        (None, "ticket", "sdk_too_old"),
    ],
)
async def test_only_a_new_enough_client_is_served_by_group(
    place: Place, version: str | None, mode: str, reason: str | None
) -> None:
    await set_up(place, **GROUPS)
    await set_up(place, "group", "a", mode="offline_message")
    visitor = await place.visitor()
    headers = {"X-SDK-Platform": "ios", **({"X-SDK-Version": version} if version else {})}
    form = await visitor.get("/submissions/form?group_id=a", headers=headers)
    assert (form["mode"], form.get("reason")) == (mode, reason)
    body = {"client_id": str(uuid.uuid4()), "form_version": form["version"], "values": VALUES, "group_id": "a"}
    sent = (await visitor.call("POST", "/submissions", body, headers=headers)).json["submission"]
    dimension = "channel" if reason else "group"
    assert (sent["mode"], sent["setting_dimension"], sent["reason"]) == (mode, dimension, reason)
    (row,) = await place.rows(schema.submission)
    assert (row.client_version, row.group_id) == (version, "a")


@pytest.mark.requirement("000-22", "000-23")
async def test_two_groups_of_one_site_have_modes_of_their_own(place: Place) -> None:
    await set_up(place, **GROUPS)
    await set_up(place, "group", "a", mode="offline_message")
    await set_up(place, "group", "b", mode="ticket")
    for group, mode in (("a", "offline_message"), ("b", "ticket")):
        visitor = await place.visitor()
        assert (await send(visitor, group_id=group)).json["submission"]["mode"] == mode
    await set_up(place, **{**GROUPS, "dimension": "channel"})
    assert (await send(await place.visitor(), group_id="a")).json["submission"]["mode"] == "ticket"


async def test_ones_own_forms_are_listed_with_the_last_reply(open_for_forms: Place) -> None:
    visitor, stranger = await open_for_forms.visitor(), await open_for_forms.visitor()
    first = (await send(visitor)).json
    open_for_forms.clock.advance(seconds=5)
    await send(visitor, values={"message": "And order 43?"})
    await open_for_forms.reply(first["thread_id"].removeprefix("th_"), "Both are on their way.")
    listed = (await visitor.get("/submissions"))["submissions"]
    assert [one["last_reply"]["text"] for one in listed] == ["Both are on their way."] * 2
    assert [one["reference"] for one in listed] == ["S-2", "S-1"]
    assert (await stranger.get("/submissions"))["submissions"] == []


async def test_its_sender_hears_of_it_and_nobody_else(open_for_forms: Place) -> None:
    visitor, stranger = await open_for_forms.visitor(), await open_for_forms.visitor()
    socket, _ = await visitor.ready()
    await send(visitor)
    while (frame := await until(socket, "change"))["type"] != "submission.changed":
        pass
    assert frame["data"]["reference"] == "S-1"
    assert "submission.changed" not in str(await stranger.changes())


async def test_a_sixth_form_within_the_hour_has_to_wait(open_place: Opener, sqlite_url: str) -> None:
    async with open_place(sqlite_url, limited=True) as place:
        await set_up(place, enabled=True)
        visitor = await place.visitor()
        answers = [await send(visitor) for _ in range(6)]
        assert [answer.status for answer in answers] == [201] * 5 + [429]
        assert answers[-1].json["error"]["retry_after"] > 0


async def test_files_are_refused_and_not_dropped(open_for_forms: Place) -> None:
    visitor = await open_for_forms.visitor()
    answer = await send(visitor, attachments=[{"upload_id": "up_1"}])
    assert (answer.status, answer.code, answer.json["error"]["field"]) == (422, "invalid_field", "attachments")
    assert await open_for_forms.rows(schema.submission) == []


async def test_a_form_can_be_read_again_from_what_was_stored(open_for_forms: Place) -> None:
    visitor = await open_for_forms.visitor()
    await send(visitor)
    (raw,) = await open_for_forms.rows(schema.raw_request)
    connector = open_for_forms.connector()
    (item,) = connector.parse(raw.body)
    assert isinstance(item, SubmissionReceived)
    assert item.values == VALUES
    (row,) = await open_for_forms.rows(schema.submission)
    assert row.external_id == item.external_id


async def test_clients_know_whether_there_is_a_form_before_they_ask(place: Place) -> None:
    async def told() -> set[tuple[bool, str | None]]:
        """Return whether there is one and why not, as the configuration, a token and a socket say."""
        visitor = await place.visitor()
        config = (await place.call("GET", "/config", headers={"X-Inbox-Key": KEY})).json
        socket, ready = await visitor.ready()
        await socket.close()
        name = "submission"
        return {(one["features"][name], one["feature_reasons"].get(name)) for one in (config, visitor.given, ready)}

    assert await told() == {(False, "switched_off")}
    await set_up(place, enabled=True)
    assert await told() == {(True, None)}


async def test_mistakes_and_repetitions_use_up_nothing(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, limited=True) as limited:
        await set_up(limited, enabled=True)
        visitor = await limited.visitor()
        for _ in range(6):
            assert (await send(visitor, values={"email": "nobody"})).code == "field_errors"
        client_id = str(uuid.uuid4())
        assert [(await send(visitor, client_id)).status for _ in range(6)] == [201] + [200] * 5
        assert [(await send(visitor)).status for _ in range(5)] == [201] * 4 + [429]
