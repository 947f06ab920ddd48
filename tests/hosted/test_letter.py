"""The protocol to the letter, as somebody reads it who writes a client: headers, limits, frames (B1 to B8)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.hosted.conftest import Opener
from tests.hosted.people import KEY, Place, Visitor, message, raw_socket, until
from tests.hosted.test_uploads import picture, send_file
from trunkline.hosted.limiting import Limit
from trunkline.store import schema

INBOX = {"X-Inbox-Key": KEY}


@pytest.mark.parametrize("given", ["1", "abc", str(uuid.UUID(int=7)), "trace:00-4bf9.2f_3", "x" * 64])
async def test_the_id_of_a_request_comes_back(booth: Place, given: str) -> None:
    answers = [
        await booth.call("GET", "/config", headers={**INBOX, "X-Request-Id": given}),
        await booth.call("GET", "/me", headers={"X-Request-Id": given}),
    ]
    assert [answer.headers["X-Request-Id"] for answer in answers] == [given] * 2
    assert answers[1].json["request_id"] == given


@pytest.mark.parametrize("given", ["x" * 65, "two words", "a/b", "ż"])
async def test_what_is_no_id_of_a_request_is_replaced(booth: Place, given: str) -> None:
    answer = await booth.call("GET", "/config", headers={**INBOX, "X-Request-Id": given})
    assert answer.headers["X-Request-Id"] not in {given, ""}


async def test_who_opens_the_socket_without_its_protocol_is_told_what_to_upgrade_to(booth: Place) -> None:
    async with booth.session.get(f"{booth.address}/client/v1/ws") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (426, "upgrade_required")
        assert (answer.headers["Upgrade"], answer.headers["Connection"]) == ("websocket", "Upgrade")


async def test_the_count_of_one_user_is_never_kept_for_the_next(booth: Place) -> None:
    """Both ask at the same address from the same browser, within the minute for which it may keep the answer."""
    ana = await booth.visitor()
    answer = await ana.call("GET", "/unread")
    assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("private, max-age=60", "Authorization")


async def test_who_is_too_fast_is_told_when_to_come_back_in_the_header_too(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, limited=True) as place:
        place.connector().limits = {"messages": Limit(120, 1)}
        ana = await place.visitor()
        await ana.say("One")
        answer = await ana.call("POST", "/threads/live/messages", message())
        assert (answer.code, answer.json["error"]["retry_after"], answer.headers["Retry-After"]) == (
            "rate_limited",
            30,
            "30",
        )
        limits = (await place.call("GET", "/config", headers=INBOX)).json["limits"]
        assert (limits["messages_per_minute"], limits["messages_at_once"]) == (2, 1)


async def test_every_limit_that_is_told_is_the_one_that_holds(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, limited=True) as place:
        limits = (await place.call("GET", "/config", headers=INBOX)).json["limits"]
        ana = await place.visitor()

        async def answered(method: str, path: str, body: Any = None) -> int:
            status: int = (await ana.call(method, path, body)).status
            return status

        path, most = "/threads/live/messages", limits["messages_page"]
        assert [await answered("GET", f"{path}?limit={number}") for number in (most, most + 1)] == [200, 400]
        most = limits["changes_page"]
        assert [await answered("GET", f"/changes?limit={number}") for number in (most, most + 1)] == [200, 400]
        facts = [{"attributes": {str(one): 1 for one in range(limits["attributes"] + more)}} for more in (0, 1)]
        assert [await answered("PATCH", "/me", fact) for fact in facts] == [200, 422]
        # The body's limit is of bytes, and fields that are not known count.
        empty = len(b'{"name":null,"x":""}')
        bodies = [b'{"name":null,"x":"%s"}' % (b"x" * (limits["body_bytes"] - empty + more)) for more in (0, 1)]
        assert [await answered("PATCH", "/me", body) for body in bodies] == [200, 413]
        words = ["x" * (limits["text"] + more) for more in (0, 1)]
        assert [await answered("POST", path, message(text)) for text in words] == [201, 422]
        for _ in range(limits["messages_at_once"] - 2):
            await ana.say("Again")
        assert await answered("POST", path, message()) == 429


async def test_a_cursor_is_good_for_thirty_days(booth: Place) -> None:
    """What happened in a month is more than what there is to read anew."""
    ana = await booth.visitor()
    await ana.say("A month ago")
    booth.clock.advance(hours=30 * 24)
    assert [one["type"] for one in (await ana.changes())["changes"]] == ["thread.changed", "message.created"]
    booth.clock.advance(seconds=1)
    gone = await ana.call("GET", "/changes", params={"cursor": ana.cursor})
    assert (gone.status, gone.code, gone.json["reset"]) == (410, "cursor_expired", True)
    _, ready = await ana.ready(cursor=ana.cursor)
    assert ready["resume"] == "reset"
    assert (await ana.changes(gone.json["cursor"]))["changes"] == []


# ---------------------------------------------------------------- attachments


async def with_files(visitor: Visitor, uploads: list[str], kind: str = "image") -> Any:
    wish = {"client_id": str(uuid.uuid4()), "kind": kind, "attachments": [{"upload_id": one} for one in uploads]}
    return await visitor.call("POST", "/threads/live/messages", {**wish, "text": "Look"})


@pytest.mark.parametrize("number", [2, 10, 11])
async def test_a_message_carries_as_many_files_as_is_told_and_more_are_refused(booth: Place, number: int) -> None:
    assert (await booth.call("GET", "/config", headers=INBOX)).json["limits"]["attachments"] == 1
    ana = await booth.visitor()
    upload = (await send_file(ana, picture())).json["upload_id"]
    answer = await with_files(ana, [upload, *(f"up_{one}" for one in range(number - 1))])
    assert (answer.status, answer.code, answer.json["error"]["field"]) == (422, "invalid_field", "attachments")
    assert await booth.rows(schema.message) == []
    assert (await with_files(ana, [upload])).status == 201


async def test_a_text_with_a_file_is_refused_and_the_file_stays_ones_own(booth: Place) -> None:
    ana = await booth.visitor()
    upload = (await send_file(ana, picture())).json["upload_id"]
    answer = await with_files(ana, [upload], "text")
    assert (answer.status, answer.code, answer.json["error"]["field"]) == (422, "invalid_field", "attachments")
    assert (await with_files(ana, [upload])).status == 201


async def test_every_message_has_its_list_of_files(booth: Place) -> None:
    ana = await booth.visitor()
    said = (await ana.say("Where is order 42?"))["message"]
    place = {"client_id": str(uuid.uuid4()), "kind": "location", "latitude": 1, "longitude": 2.5}
    there = (await ana.post("/threads/live/messages", place))["message"]
    assert [one["attachments"] for one in (said, there)] == [[], []]


# ---------------------------------------------------------------- frames


async def test_what_is_not_known_is_ignored_on_both_doors(booth: Place) -> None:
    ana = await booth.visitor(zzz=1)
    await ana.post("/threads/live/messages?zzz=1", {**message("One"), "zzz": {"deep": [1]}})
    socket = await raw_socket(booth)
    hello = {"t": "hello", "token": ana.token, "platform": "toaster", "protocol": 1, "device_id": "d1", "zzz": [1]}
    await socket.send_json(hello)
    assert (await until(socket, "ready"))["resume"] == "ok"
    for frame in ({"t": "zzz"}, {"t": None}, {}, {"t": "send", "ref": "r", "zzz": 1, **message("Two")}):
        await socket.send_json(frame)
    assert (await until(socket, "sent"))["ref"] == "r"
    assert await ana.texts() == ["One", "Two"]


async def test_a_mistake_in_a_frame_is_told_as_it_is_in_a_call(booth: Place) -> None:
    """`send` has the same effect as the call, refusals too."""
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    wrong = [
        {**message(), "client_id": "1"},
        message(" "),
        message("x" * 10_001),
        message(quoted_id="ms_none"),
        message(metadata={"x": "y" * 5000}),
        {**message(), "kind": "card"},
        {**message(), "client_id": {"$ne": None}},
        {**message(), "thread_id": "th_none"},
    ]
    for body in wrong:
        thread = body.get("thread_id", "live")
        told = (await ana.call("POST", f"/threads/{thread}/messages", body)).json["error"]
        await socket.send_json({"t": "send", "ref": "r", **body})
        frame = await until(socket, "error")
        assert {name: frame[name] for name in ("code", "message", "field") if name in frame} == told
