"""A visitor's walk: a token, words both ways, reading marks, typing, and what is never told."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable

from sqlalchemy import select

from tests.hosted.people import KEY, Place, changes_until, message, until
from tests.promises.waiting import until as until_true
from trunkline.clock import to_text
from trunkline.model import Actor, ActorKind, Button, Card, QuickReply
from trunkline.service.moments import Moment
from trunkline.service.signals import typing
from trunkline.store import Transaction, schema


async def test_a_message_is_stored_and_shown_to_both_sides(place: Place) -> None:
    ana = await place.visitor(form="mobile", profile={"name": "Ana"})
    said = await ana.say("Where is order 42?")
    assert said["replayed"] is False
    shown = said["message"]
    assert (shown["pos"], shown["kind"], shown["text"]) == (1, "text", "Where is order 42?")
    (thread,) = await place.rows(schema.thread)
    assert (thread.channel, thread.unread, thread.state) == ("booth_desktop", 1, "new")
    (contact,) = await place.rows(schema.contact)
    assert contact.name == "Ana"
    await place.reply(thread.id, "On its way")
    page = await ana.get("/threads/live/messages")
    assert [(one["author"]["kind"], one["text"]) for one in page["messages"]] == [
        ("contact", "Where is order 42?"),
        ("agent", "On its way"),
    ]
    assert page["messages"][0] == shown


async def test_nothing_is_written_before_the_first_message(place: Place) -> None:
    ana = await place.visitor()
    assert (await ana.get("/threads"))["threads"] == []
    assert await ana.get("/threads/live/messages") == {"messages": [], "has_more": False}
    assert await place.rows(schema.identity) == []
    assert await place.rows(schema.contact) == []


async def test_the_thread_keeps_the_channel_that_the_client_is(place: Place) -> None:
    ana = await place.visitor(form="mobile")
    await ana.post("/threads/live/messages", message(), headers={"X-SDK-Form": "mobile"})
    (thread,) = await place.rows(schema.thread)
    assert thread.channel == "booth_mobile"


async def test_changes_tell_all_that_a_poll_missed_in_order(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread("One")
    await place.reply(thread, "Two")
    told = await ana.changes()
    shown = [(change["type"], change["data"].get("text")) for change in told["changes"]]
    assert shown == [("thread.changed", None), ("message.created", "One"), ("message.created", "Two")]
    numbers = [change["seq"] for change in told["changes"]]
    assert numbers == sorted(numbers)
    # The cursor acknowledges what came, and that may be told at once.
    assert {change["type"] for change in (await ana.changes(told["cursor"]))["changes"]} <= {"delivery.changed"}


async def test_a_small_page_of_changes_says_that_there_is_more(place: Place) -> None:
    ana = await place.visitor()
    for number in range(5):
        await ana.say(str(number))
    cursor, texts = ana.cursor, []
    while True:
        told = await ana.changes(cursor, limit=2)
        texts += [change["data"].get("text") for change in told["changes"] if change["type"] == "message.created"]
        cursor = told["cursor"]
        if not told["more"]:
            break
    assert texts == ["0", "1", "2", "3", "4"]


async def test_a_long_poll_answers_when_something_comes(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    cursor = (await ana.changes())["cursor"]
    waiting = asyncio.create_task(ana.changes(cursor, wait=25))
    await until_true(lambda: bool(place.front.hub.lines_of(thread)))
    await place.reply(thread, "Now")
    assert [change["data"].get("text") for change in (await waiting)["changes"]] == ["Now"]


async def test_a_long_poll_hears_of_the_very_first_thread(place: Place) -> None:
    """The other tab of somebody who has no thread yet."""
    ana = await place.visitor()
    waiting = asyncio.create_task(ana.changes(wait=25))
    await until_true(lambda: bool(place.front.hub.lines))
    await ana.say("First")
    assert (await waiting)["changes"][0]["type"] == "thread.changed"


async def test_a_socket_hears_of_the_very_first_thread(place: Place) -> None:
    ana = await place.visitor()
    socket, _ = await ana.ready(cursor=ana.cursor)
    await ana.say("First")
    assert [one["type"] for one in await changes_until(socket, "First")] == ["thread.changed", "message.created"]


async def test_a_socket_carries_words_both_ways(place: Place) -> None:
    ana = await place.visitor()
    socket, ready = await ana.ready(cursor=ana.cursor)
    assert ready["resume"] == "ok"
    assert ready["features"]["upload"] is True
    await socket.send_json({"t": "send", "ref": "r1", "thread_id": "live", **message("Hello")})
    sent = await until(socket, "sent")
    assert (sent["ref"], sent["replayed"], sent["message"]["text"]) == ("r1", False, "Hello")
    thread = sent["message"]["thread_id"].removeprefix("th_")
    await place.reply(thread, "Good morning")
    told = await changes_until(socket, "Good morning")
    assert told[-1]["data"]["author"] == {"kind": "agent", "id": "ag_a-1", "name": "Ada"}
    assert told[-1]["seq"] > sent["seq"]


async def test_the_change_of_an_own_message_carries_its_client_id_and_the_same_seq(place: Place) -> None:
    ana = await place.visitor()
    name = str(uuid.uuid4())
    said = await ana.say("Mine", name)
    told = (await ana.changes())["changes"][-1]
    assert told["data"]["client_id"] == name
    assert told["seq"] == said["seq"]
    assert told["data"] == said["message"]


async def test_an_acknowledged_cursor_makes_replies_delivered_and_reading_makes_them_read(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    await place.reply(thread, "One")
    assert await place.states(thread) == ["sent"]
    socket, _ = await ana.ready(cursor=ana.cursor)
    told = await changes_until(socket, "One")
    await socket.send_json({"t": "ack", "cursor": told[-1]["cursor"]})
    await socket.send_json({"t": "ping", "n": 1})
    await until(socket, "pong")
    await place.front.hub.house.outbox.settle()
    await _until_states(place, thread, ["delivered"])
    pos = told[-1]["data"]["pos"]
    assert (await ana.get("/unread"))["unread"] == 1
    assert await ana.post("/threads/live/read", {"pos": pos}) == {"read_pos": pos, "unread": 0}
    assert await place.states(thread) == ["read"]
    assert (await ana.get("/unread"))["unread"] == 0
    assert await ana.post("/threads/live/read", {"pos": 1}) == {"read_pos": pos, "unread": 0}


async def _until_states(place: Place, thread: str, wanted: list[str]) -> None:
    async def arrived() -> bool:
        return await place.states(thread) == wanted

    await until_true(arrived)


async def test_a_poll_acknowledges_the_cursor_that_it_comes_with(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    await place.reply(thread, "One")
    cursor = (await ana.changes())["cursor"]
    await place.front.settle()
    assert await place.states(thread) == ["sent"]
    await ana.changes(cursor)
    await place.front.settle()
    assert await place.states(thread) == ["delivered"]


async def test_a_receipt_that_overtakes_the_dispatcher_is_not_taken_back(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    await place.house.outbox.stop()
    await place.reply(thread, "One")
    await ana.post("/threads/live/read", {"pos": 2})
    assert await place.states(thread) == ["read"]


async def test_reading_on_one_device_is_told_to_the_others(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    await place.reply(thread, "One")
    socket, _ = await ana.ready(cursor=(await ana.changes())["cursor"])
    await ana.post("/threads/live/read", {"pos": 2})
    frame = await until(socket, "change")
    assert (frame["type"], frame["data"]["state"]) == ("delivery.changed", "read")
    frame = await until(socket, "change")
    assert (frame["type"], frame["data"]["side"], frame["data"]["pos"]) == ("read.changed", "contact", 2)


async def test_typing_goes_both_ways_and_is_stored_nowhere(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    heard: list[Moment] = []
    place.house.moments.listen(heard.append)
    socket, _ = await ana.ready(cursor=ana.cursor)
    await changes_until(socket, "Hello")
    await ana.post("/threads/live/typing")
    (moment,) = heard
    assert (moment.kind, moment.thread_id, moment.actor_kind) == ("typing", thread, "contact")
    assert await typing(place.house, thread)
    frame = await until(socket, "typing")
    assert (frame["thread_id"], frame["ttl_s"]) == (f"th_{thread}", 6)
    # What was said before is still being delivered and acknowledged: only typing must not be there.
    async with place.house.store.read() as connection:
        told = (await connection.execute(select(schema.event.c.kind, schema.event.c.payload))).all()
    assert told
    assert [row.kind for row in told if "typing" in f"{row.kind} {row.payload}"] == []


async def test_a_card_is_answered_once_and_its_answer_is_a_choice(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    card = Card(title="Size?", buttons=(Button(title="Small", data="s"), Button(title="Large", data="l")))
    await place.reply(thread, "", contents=(card,))
    page = await ana.get("/threads/live/messages")
    shown = page["messages"][-1]
    assert (shown["kind"], [one["label"] for one in shown["actions"]]) == ("card", ["Small", "Large"])
    press = {"client_id": str(uuid.uuid4()), "message_id": shown["id"], "action_id": shown["actions"][1]["id"]}
    answer = await ana.call("POST", "/threads/live/postback", press)
    assert (answer.status, answer.json["message"]["text"]) == (201, "Large")
    assert answer.json["message"]["quoted"]["id"] == shown["id"]
    assert (await ana.call("POST", "/threads/live/postback", press)).json["replayed"] is True
    again = await ana.call("POST", "/threads/live/postback", {**press, "client_id": str(uuid.uuid4())})
    assert (again.status, again.code) == (409, "card_answered")
    wrong = await ana.call("POST", "/threads/live/postback", {**press, "action_id": "b9.9"})
    assert (wrong.status, wrong.code) == (422, "unknown_action")


async def test_quick_replies_come_back_as_choices(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    await place.reply(thread, "Shall we?", quick_replies=(QuickReply(title="Yes", data="y"), QuickReply(title="No")))
    shown = (await ana.get("/threads/live/messages"))["messages"][-1]
    assert (shown["kind"], [one["label"] for one in shown["options"]]) == ("quick_replies", ["Yes", "No"])
    press = {"client_id": str(uuid.uuid4()), "message_id": shown["id"], "action_id": "q0"}
    assert (await ana.post("/threads/live/postback", press))["message"]["text"] == "Yes"


async def test_the_last_twenty_pages_are_kept_without_what_is_nobodys_business(place: Place) -> None:
    ana = await place.visitor()
    views = [{"url": f"https://shop.example/p/{n}?q=1&token=x&utm_source=a#top", "title": f"P{n}"} for n in range(20)]
    await ana.post("/context", {"views": views, "referrer": "https://search.example/?email=a@b.example&q=x"})
    await ana.post("/context", {"views": [{"screen": "orders"}]})
    (row,) = await place.rows(schema.visitor)
    assert row.visits.count('"at"') == 20
    assert '"screen":"orders"' in row.visits
    assert "token" not in row.visits
    assert "https://shop.example/p/19?q=1&utm_source=a" in row.visits
    assert row.origin == '{"referrer":"https://search.example/?q=x"}'


async def test_a_page_is_kept_with_the_time_when_it_was_seen_if_that_can_be(place: Place) -> None:
    ana, now = await place.visitor(), place.clock.now
    before, at = to_text(now - 3_600_000), to_text(now)
    told = [before, to_text(now - 86_400_001), to_text(now + 1), "2026", "before", "0001-01-01T00:00:00Z", before[:-1]]
    await ana.post("/context", {"views": [{"screen": str(n), "at": told} for n, told in enumerate(told)]})
    await ana.post("/context", {"views": [{"screen": "without"}]})
    (row,) = await place.rows(schema.visitor)
    assert [page["at"] for page in json.loads(row.visits)] == [before, *[at] * 7]


async def test_who_looks_after_a_visitor_hears_of_the_next_page_and_the_log_does_not(place: Place) -> None:
    ana, told = await place.visitor(), list[Moment]()
    place.house.moments.listen(told.append)
    await ana.post("/context", {"views": [{"screen": "before a word"}]})
    assert [moment.kind for moment in told] == []
    thread = await ana.thread()
    events = len(await place.rows(schema.event))
    await ana.post("/context", {"views": [{"screen": "orders"}]})
    socket, _ = await ana.ready()
    await socket.send_json({"t": "view", "screen": "order 42"})
    await socket.send_json({"t": "ping", "n": 1})
    await until(socket, "pong")
    assert [(moment.kind, moment.thread_id) for moment in told] == [("visited", thread)] * 2
    assert len(await place.rows(schema.event)) == events


async def test_what_agents_do_among_themselves_is_never_told(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    cursor = (await ana.changes())["cursor"]
    actor = Actor(ActorKind.AGENT, "a-1", "Ada")

    def tell(kind: str) -> Callable[[Transaction], None]:
        return lambda tx: tx.append(kind, actor=actor, at=1, payload={"note": "hidden"}, thread_id=thread)

    for kind in ("note_created", "unassigned", "delivery_changed", "quarantined", "something_new"):
        await place.house.store.writer.write(tell(kind))
    assert (await ana.changes(cursor))["changes"] == []


async def test_the_configuration_is_kept_by_its_tag(booth: Place) -> None:
    headers = {"X-Inbox-Key": KEY, "Accept-Language": "pl-PL,pl;q=0.9"}
    first = await booth.call("GET", "/config", headers=headers)
    assert first.json["locale"] == "pl-PL"
    assert first.json["theme"] == {"accent": "#1f6feb"}
    for tags in ("{}", 'W/"other", W/{}', '"other",{}', "*"):
        asked = {**headers, "If-None-Match": tags.format(first.headers["ETag"])}
        again = await booth.call("GET", "/config", headers=asked)
        assert (again.status, again.raw, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = await booth.call("GET", "/config", headers={**headers, "If-None-Match": '"other"'})
    assert other.status == 200
    assert {"X-SDK-Platform", "X-SDK-Version", "X-SDK-Form"} <= set(other.headers["Vary"].split(", "))
    assert (await booth.call("GET", "/config", headers={"X-Inbox-Key": "ak_nobody"})).code == "unknown_key"
