"""One message, however often it is sent: the commit decides."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid

import aiohttp
import msgspec
import pytest
from sqlalchemy import delete, func, select

from tests.hosted.booth import vouch
from tests.hosted.conftest import Opener
from tests.hosted.people import KEY, Place, Visitor, changes_until, message, until
from trunkline.hosted.envelope import Envelope, dedupe_key, items_of
from trunkline.model import Actor, ActorKind, Text
from trunkline.service.replay import replay
from trunkline.store import schema


async def test_the_same_client_id_again_is_the_same_message(place: Place) -> None:
    ana = await place.visitor()
    wish = message("Once")
    first = await ana.call("POST", "/threads/live/messages", wish)
    again = await ana.call("POST", "/threads/live/messages", wish)
    assert (first.status, again.status) == (201, 200)
    assert again.json == {**first.json, "replayed": True}
    assert await ana.texts() == ["Once"]


async def test_the_same_client_id_with_other_words_is_refused(place: Place) -> None:
    ana = await place.visitor()
    wish = message("Once")
    await ana.post("/threads/live/messages", wish)
    for _ in range(2):
        other = await ana.call("POST", "/threads/live/messages", {**wish, "text": "Other"})
        assert (other.status, other.code) == (409, "client_id_conflict")
    assert await ana.texts() == ["Once"]


async def test_the_client_ids_of_two_visitors_have_nothing_to_do_with_each_other(place: Place) -> None:
    ana, ben = await place.visitor(), await place.visitor()
    name = str(uuid.uuid4())
    assert (await ana.say("Mine", name))["replayed"] is False
    assert (await ben.say("Other", name))["replayed"] is False


async def test_copies_at_the_same_time_make_one_message(place: Place) -> None:
    ana = await place.visitor()
    wish = message("Once")
    answers = await asyncio.gather(*(ana.call("POST", "/threads/live/messages", wish) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.json["message"]["id"] for answer in answers}) == 1
    assert await ana.texts() == ["Once"]


async def test_two_answers_to_one_client_id_at_the_same_time_are_one_message_and_one_conflict(place: Place) -> None:
    ana = await place.visitor()
    wish = message("One")
    answers = await asyncio.gather(
        *(ana.call("POST", "/threads/live/messages", {**wish, "text": text}) for text in ("One", "Two"))
    )
    assert sorted(answer.status for answer in answers) == [201, 409]
    assert len(await ana.texts()) == 1


async def test_a_thousand_sends_with_cut_connections_make_each_message_once_and_in_order(booth: Place) -> None:
    """B12.1: the connection is dropped after the request left; the client sends again until it has an answer."""
    ana, chance = await booth.visitor(), random.Random(7)
    url, headers = (
        f"{booth.address}/client/v1/threads/live/messages",
        {**ana.headers, "Content-Type": "application/json"},
    )
    cuts = 0
    for number in range(1000):
        body = msgspec.json.encode(message(str(number)))
        while chance.random() < 0.2:
            cuts += 1
            await _cut(booth, headers, body)
        async with booth.session.post(url, data=body, headers=headers) as answer:
            assert answer.status in {200, 201}
    assert cuts > 100
    rows = await booth.rows(schema.message)
    texts = [msgspec.json.decode(row.content)["text"] for row in sorted(rows, key=lambda row: row.position)]
    assert texts == [str(number) for number in range(1000)]


async def _cut(booth: Place, headers: dict[str, str], body: bytes) -> None:
    """Send a request and hang up without waiting for the answer."""
    host, port = booth.address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    start = f"POST /client/v1/threads/live/messages HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{start}{head}\r\n".encode() + body)
    await writer.drain()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_two_writers_and_a_reader_who_polls_miss_nothing_and_see_nothing_twice(place: Place) -> None:
    """B12.2."""
    ana = await place.visitor()
    thread = await ana.thread("start")
    seen: list[int] = []
    texts: list[str] = []
    done = asyncio.Event()

    async def read() -> None:
        cursor = ana.cursor
        while True:
            finished = done.is_set()
            told = await ana.changes(cursor, limit=3)
            cursor = told["cursor"]
            seen.extend(change["seq"] for change in told["changes"])
            texts.extend(change["data"]["text"] for change in told["changes"] if change["type"] == "message.created")
            if finished and not told["changes"]:
                return

    reading = asyncio.create_task(read())
    await asyncio.gather(_many_says(ana, 30), _many_replies(place, thread, 30))
    done.set()
    await reading
    assert seen == sorted(set(seen))
    wanted = {"start", *(f"in {number}" for number in range(30)), *(f"out {number}" for number in range(30))}
    assert sorted(texts) == sorted(wanted)


async def _many_says(ana: object, count: int) -> None:
    for number in range(count):
        await ana.say(f"in {number}")  # type: ignore[attr-defined] # a Visitor; the walk reads better without its import


async def _many_replies(place: Place, thread: str, count: int) -> None:
    for number in range(count):
        await place.reply(thread, f"out {number}")


async def test_a_socket_that_is_cut_between_hello_and_ready_loses_nothing(booth: Place) -> None:
    """B12.3."""
    ana = await booth.visitor()
    thread = await ana.thread("start")
    for number in range(20):
        socket = await ana.connect(cursor=ana.cursor)
        socket._response.connection.transport.abort()  # type: ignore[union-attr] # aiohttp's own connection, open
        await booth.reply(thread, f"out {number}")
    socket, ready = await ana.ready(cursor=ana.cursor)
    assert ready["resume"] == "ok"
    told = [one["data"].get("text") for one in await changes_until(socket, "out 19")]
    assert [text for text in told if text] == ["start", *(f"out {number}" for number in range(20))]


async def test_a_lost_answer_over_the_socket_is_repeated_as_replayed(place: Place) -> None:
    ana = await place.visitor()
    wish = {"t": "send", "ref": "r1", "thread_id": "live", **message("Once")}
    socket, _ = await ana.ready(cursor=ana.cursor)
    await socket.send_json(wish)
    first = await until(socket, "sent")
    await socket.close()
    socket, _ = await ana.ready(cursor=ana.cursor)
    await socket.send_json(wish)
    again = await until(socket, "sent")
    assert (again["replayed"], again["message"]["id"]) == (True, first["message"]["id"])


async def test_a_message_sent_before_signing_in_is_not_sent_again_after_it(place: Place) -> None:
    """The answer was lost, the user signed in, the client sends again: as somebody else by then."""
    ana, wish = await place.visitor(), message("Once")
    known = await place.visitor(identity=vouch("cust-1", KEY, place.clock.now))
    await known.say("Older")
    await ana.post("/threads/live/messages", wish)
    proof = vouch("cust-1", KEY, place.clock.now)
    ana.token = (await ana.post("/tokens/exchange", {"identity": proof}))["token"]
    again = await ana.call("POST", "/threads/live/messages", wish)
    assert (again.status, again.json["replayed"]) == (200, True)
    assert await ana.texts() == ["Once"]


async def test_what_was_sent_can_be_quoted(place: Place) -> None:
    ana = await place.visitor()
    first = await ana.say("First")
    thread = first["message"]["thread_id"].removeprefix("th_")
    await place.reply(thread, "Second")
    second = (await ana.get("/threads/live/messages"))["messages"][-1]
    for quoted in (first["message"]["id"], second["id"]):
        said = await ana.say("Third", quoted_id=quoted)
        assert said["message"]["quoted"]["id"] == quoted
    missing = await ana.call("POST", "/threads/live/messages", message(quoted_id="ms_none"))
    assert (missing.status, missing.json["error"]["field"]) == (422, "quoted_id")


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"text": "   "}, "empty_message"),
        ({"text": None}, "empty_message"),
        ({"text": "x" * 10_001}, "text_too_long"),
        ({"kind": "hologram"}, "unsupported_kind"),
        ({"kind": "video", "attachments": [{"upload_id": "up_none"}]}, "unknown_upload"),
        ({"kind": "image"}, "empty_message"),
        ({"kind": "location"}, "invalid_field"),
        ({"kind": "location", "latitude": 91.0, "longitude": 0.0}, "invalid_field"),
        ({"metadata": {"x": "y" * 5000}}, "invalid_field"),
        ({"text": "a\0b"}, "invalid_field"),
        ({"attachments": [{"upload_id": "up_none"}]}, "invalid_field"),
    ],
)
async def test_what_no_message_may_be(booth: Place, wish: dict[str, object], code: str) -> None:
    ana = await booth.visitor()
    answer = await ana.call("POST", "/threads/live/messages", {**message(), **wish})
    assert answer.code == code
    assert await booth.rows(schema.message) == []


async def test_a_place_can_be_sent(place: Place) -> None:
    ana = await place.visitor()
    said = await ana.post(
        "/threads/live/messages", message(kind="location", latitude=52.5, longitude=13.4, title="Berlin")
    )
    shown = said["message"]
    assert (shown["kind"], shown["latitude"], shown["title"]) == ("location", 52.5, "Berlin")


async def test_after_a_backup_was_put_back_no_cursor_of_before_goes_on(database_url: str, open_place: Opener) -> None:
    """Where the log has grown past it, too: what stands at its number now is something else."""
    async with open_place(database_url) as place:
        ana = await place.visitor()
        await ana.say("kept")
        kept = (await ana.changes(ana.cursor))["cursor"]
        await ana.say("lost")
        lost = (await ana.changes(kept))["cursor"]
        assert (await ana.changes(lost))["cursor"] == lost
        newest = select(func.max(schema.event.c.seq)).scalar_subquery()
        cut = delete(schema.event).where(schema.event.c.seq == newest)
        await place.front.settle()
        assert await place.house.store.writer.write(lambda tx: tx.execute(cut).rowcount) == 1
        place.clock.advance(seconds=600)
    async with open_place(database_url) as place:
        ana, ben = Visitor(place, ana.given, KEY), await place.visitor()
        assert (await ana.call("GET", "/changes", params={"cursor": lost})).code == "cursor_expired"
        for number in range(3):
            await ben.say(f"after {number}")
        gone = await ana.call("GET", "/changes", params={"cursor": lost})
        assert (gone.status, gone.code, gone.json["reset"]) == (410, "cursor_expired", True)
        assert (await ana.ready(cursor=lost))[1]["resume"] == "reset"
        assert (await ana.ready(cursor=kept))[1]["resume"] == "ok"
        assert (await ana.changes(gone.json["cursor"]))["reset"] is False


async def test_a_clock_that_is_put_back_ends_no_cursor(booth: Place) -> None:
    ana = await booth.visitor()
    await ana.say("before")
    booth.clock.advance(hours=-24)
    cursor = (await ana.get("/threads"))["cursor"]
    assert (await ana.changes(cursor))["reset"] is False
    assert (await ana.ready(cursor=cursor))[1]["resume"] == "ok"


async def test_an_older_thread_takes_no_messages(place: Place) -> None:
    known = await place.visitor(identity=vouch("cust-1", KEY, place.clock.now))
    older = await known.thread("Older")
    ana = await place.visitor()
    await ana.say("Now")
    proof = vouch("cust-1", KEY, place.clock.now)
    ana.token = (await ana.post("/tokens/exchange", {"identity": proof}))["token"]
    answer = await ana.call("POST", f"/threads/th_{older}/messages", message())
    assert (answer.status, answer.code) == (409, "thread_closed")


async def test_an_envelope_is_read_the_same_every_time_and_a_replay_finds_nothing_new(place: Place) -> None:
    ana = await place.visitor()
    await ana.say("Kept")
    (raw,) = await place.rows(schema.raw_request)
    assert items_of(bytes(raw.body)) == items_of(bytes(raw.body))
    report = await replay(place.house, 0, dry_run=False)
    assert (report.read, report.same, report.unreadable) == (1, 1, [])
    assert await ana.texts() == ["Kept"]


async def test_a_replay_restores_a_message_whose_row_is_lost(place: Place) -> None:
    """The raw request holds everything that a message is made of."""
    ana = await place.visitor()
    said = await ana.say("Kept", metadata={"screen": "orders"})

    def lose(tx: object) -> None:
        for table in (schema.message, schema.inbound_item):
            tx.execute(table.delete())  # type: ignore[attr-defined] # a Transaction

    await place.house.store.writer.write(lose)
    await replay(place.house, 0, dry_run=False)
    (row,) = await place.rows(schema.message)
    assert msgspec.json.decode(row.content)["text"] == "Kept"
    assert row.external_id == f"{ana.id.removeprefix('ct_')}:{said['message']['client_id']}"
    assert msgspec.json.decode(row.referral)["metadata"] == {"screen": "orders"}


def test_equal_contents_have_equal_keys_whatever_the_time() -> None:
    envelope = Envelope(visitor="v", address="v:1", client_id="c", at=1, content=Text(text="x"))
    later = msgspec.structs.replace(envelope, at=2, name="Ana")
    other = msgspec.structs.replace(envelope, content=Text(text="y"))
    assert dedupe_key(envelope) == dedupe_key(later)
    assert dedupe_key(envelope) != dedupe_key(other)


async def test_somebody_blocked_notices_nothing_and_reaches_nobody(place: Place) -> None:
    ana = await place.visitor()
    await place.house.store.writer.write(lambda tx: tx.execute(schema.visitor.update().values(blocked=True)).rowcount)
    said = await ana.say("Spam")
    assert said["message"]["text"] == "Spam"
    assert await place.rows(schema.message) == []
    (raw,) = await place.rows(schema.raw_request)
    assert (raw.state, raw.reason) == ("ignored", "blocked")


async def test_a_body_that_is_cut_short_stores_nothing(booth: Place) -> None:
    ana = await booth.visitor()

    async def half() -> object:
        yield b'{"client_id": "'
        raise RuntimeError("the phone is in a tunnel")

    with contextlib.suppress(aiohttp.ClientError, RuntimeError):
        await booth.session.post(
            f"{booth.address}/client/v1/threads/live/messages",
            data=half(),
            headers={**ana.headers, "Content-Type": "application/json"},
        )
    assert await booth.rows(schema.message) == []


async def test_the_thread_goes_on_after_an_agent_closed_it(place: Place) -> None:
    ana = await place.visitor()
    thread = await ana.thread()
    actor = Actor(ActorKind.AGENT, "a-1", "Ada")
    await place.house.store.writer.write(
        lambda tx: tx.append("closed", actor=actor, at=1, payload={}, thread_id=thread)
    )
    told = (await ana.changes())["changes"][-1]
    assert (told["type"], told["data"]["state"]) == ("thread.changed", "closed")
    assert (await ana.say("Again"))["message"]["pos"] == 2
