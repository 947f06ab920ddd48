"""The live feed: everything once and in order, to those who may, and to nobody else."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp
import pytest

from tests.conftest import Rounds
from tests.desk.harness import BO, Client, Running, begin, closed, frames
from trunkline_desk.api import sockets


async def test_a_commit_is_one_frame_and_every_agent_gets_the_same(desk: Running, ada: Client, bo: Client) -> None:
    both = [await ada.listen(), await bo.listen()]
    for socket in both:
        await begin(socket)
    events = [{"id": f"f{n}", "from": "u1", "text": str(n)} for n in range(5)]
    await desk.platform({"events": events})
    texts = [await socket.receive_str() for socket in both]
    assert texts[0] == texts[1]
    received = await _kinds(texts[0])
    assert received.count("message_received") == 5


async def _kinds(text: str) -> list[str]:
    import msgspec

    return [event["kind"] for event in msgspec.json.decode(text)["events"]]


async def test_events_carry_what_the_api_shows(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    socket = await ada.listen()
    answer = await ada.call("POST", f"/threads/{thread}/messages", {"text": "Hi"})
    events = await frames(socket, "reply_sent")
    sent = next(event for event in events if event["kind"] == "reply_sent")
    # Reactions come in later, as events of their own.
    assert {**sent["payload"]["message"], "reactions": []} == answer.json
    assert sent["payload"]["thread"]["state"] == "in_service"
    assert sent["actor"] == {"kind": "agent", "id": (await ada.get("/me"))["id"], "name": "Ada"}


async def test_after_a_cut_everything_comes_once_and_in_order(desk: Running, ada: Client) -> None:
    rng, seen, cursor = random.Random(7), [], 0
    for number in range(12):
        socket = await ada.listen(cursor)
        at = "2026-11-21T12:00:00.000Z"
        assert (await socket.receive_json()) == {
            "type": "hello",
            "cursor": cursor,
            "cursor_at": at if cursor else None,
            "at": at,
        }
        assert (await socket.receive_json()) == {"type": "present", "items": []}
        await desk.customer(f"Hello {number}")
        try:
            async with asyncio.timeout(rng.choice([0.001, 0.02, 0.2])):
                while True:
                    frame = await socket.receive_json()
                    seen += [event["seq"] for event in frame["events"]]
                    cursor = frame["cursor"]
        except TimeoutError:
            await socket.close()
    socket = await ada.listen(cursor)
    await ada.post(f"/threads/{(await ada.get('/threads'))['items'][0]['id']}/close")
    seen += [event["seq"] for event in await frames(socket, "closed")]
    last = (await ada.get("/threads"))["stream_cursor"]
    assert seen == list(range(1, last + 1))


async def test_without_a_cursor_the_feed_begins_now(desk: Running, ada: Client) -> None:
    await desk.customer("before")
    socket = await ada.listen()
    await desk.customer("after")
    events = await frames(socket, "message_received")
    assert [event["payload"]["message"]["content"]["text"] for event in events if "message" in event["payload"]] == [
        "after"
    ]


async def test_a_cursor_that_the_log_does_not_reach_is_reset(desk: Running, ada: Client) -> None:
    from sqlalchemy import delete

    from trunkline.store import schema

    for _ in range(3):
        await desk.customer()
    socket = await ada.listen(10**6)
    assert await socket.receive_json() == {"type": "reset"}
    await desk.house.store.writer.write(
        lambda tx: tx.execute(delete(schema.event).where(schema.event.c.seq <= 8)).rowcount
    )
    socket = await ada.listen(3)
    assert await socket.receive_json() == {"type": "reset"}
    assert (await (await ada.listen(8)).receive_json())["type"] == "hello"


async def test_a_number_that_stands_for_another_event_is_reset(desk: Running, ada: Client) -> None:
    """After a backup was put back the log grows past numbers that were given before; the time tells them apart."""
    await desk.customer()
    hello = await (await ada.listen()).receive_json()
    cursor, at = hello["cursor"], hello["cursor_at"]
    assert (await (await ada.listen(cursor, at=at)).receive_json())["cursor"] == cursor
    assert await (await ada.listen(cursor, at="2026-11-20T08:00:00.000Z")).receive_json() == {"type": "reset"}


FOREIGN = [
    None,
    "null",
    "https://evil.example",
    "http://desk.example.evil.example",
    "http://evil-desk.example",
    "https://desk.example",
    "http://desk.example:81",
    "http://localhost",
    "file://",
    "",
]


async def test_sec_43_a_page_of_somebody_else_opens_no_feed(desk: Running, ada: Client) -> None:
    for origin in FOREIGN:
        headers = {} if origin is None else {"Origin": origin}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await ada.connect({"ticket": await ada.ticket()}, headers)
        assert refused.value.status == 403, origin
    for origin in (desk.address, "http://desk.example"):
        socket = await ada.connect({"ticket": await ada.ticket()}, {"Origin": origin})
        assert (await socket.receive_json())["type"] == "hello"


async def test_a_ticket_opens_once_and_not_for_long(desk: Running, ada: Client) -> None:
    ticket, origin = await ada.ticket(), {"Origin": desk.address}
    socket = await ada.connect({"ticket": ticket}, origin)
    assert (await socket.receive_json())["type"] == "hello"
    late = await ada.ticket()
    desk.clock.advance(seconds=30)
    for wrong in (ticket, late, "", "unheard", "tlt_" + "x" * 43):
        assert await closed(await ada.connect({"ticket": wrong}, origin)) == 4401
    assert await closed(await ada.connect({}, origin)) == 4401


async def test_a_ticket_of_somebody_who_was_disabled_opens_nothing(desk: Running, ada: Client, bo: Client) -> None:
    ticket, colleague = await bo.ticket(), await bo.get("/me")
    await ada.call("PATCH", f"/agents/{colleague['id']}", {"enabled": False})
    assert await closed(await bo.connect({"ticket": ticket}, {"Origin": desk.address})) == 4401


async def test_a_program_comes_in_with_its_token(desk: Running, ada: Client) -> None:
    socket = await ada.connect({}, ada.headers)
    assert (await socket.receive_json())["type"] == "hello"
    for headers in ({"Authorization": "Bearer tla_wrong"}, {**ada.headers, "Origin": "https://evil.example"}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await ada.connect({}, headers)
        assert refused.value.status in {401, 403}


async def test_a_cursor_that_is_no_number_is_refused(desk: Running, ada: Client) -> None:
    for cursor in ("x", "-1", "1.5", "٣", "9" * 30):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await ada.connect({"cursor": cursor}, ada.headers)
        assert refused.value.status == 400


NOT_UNDERSTOOD: list[tuple[str | bytes, int]] = [
    ("not json", 1007),
    ("[]", 1007),
    ("null", 1007),
    ("[" * 60_000, 1007),
    ('{"a": ' + "[" * 60_000, 1007),
    ("{}", 1008),
    ('{"type": null}', 1008),
    ('{"type": ["pong"]}', 1008),
    ('{"type": {"$ne": null}}', 1008),
    ('{"type": "presence"}', 1008),
    ('{"type": "presence", "thread_id": "t"}', 1008),
    ('{"type": "presence", "thread_id": 7, "state": "viewing"}', 1008),
    ('{"type": "presence", "thread_id": "t", "state": "staring"}', 1008),
    ('{"type": "presence", "thread_id": "../t", "state": "viewing"}', 1008),
    ('{"type": "presence", "thread_id": "t\\n", "state": "viewing"}', 1008),
    ('{"type": "presence", "thread_id": {"$ne": null}, "state": "viewing"}', 1008),
    (f'{{"type": "presence", "thread_id": "{"t" * 65}", "state": "viewing"}}', 1008),
    (b"\x00\x01", 1008),
    ("x" * 70_000, 1009),
]

UNHEARD = ["base", "__class__", "__init__", "clients", "@clients", "Presence", "presence ", "events", "constructor", ""]


async def test_sec_45_a_name_that_nobody_knows_reaches_nothing_and_is_not_answered(desk: Running, ada: Client) -> None:
    socket = await ada.listen()
    await begin(socket)
    for name in UNHEARD:
        await socket.send_json({"type": name, "thread_id": "t", "state": "viewing", "event": name, "data": [name]})
    await desk.customer()
    # The next that it hears is what happens: no answer to any of these names.
    assert "events" in await socket.receive_json()


async def test_whoever_says_too_much_is_cut_off(desk: Running, ada: Client, bo: Client) -> None:
    witness, socket = await bo.listen(), await ada.listen()
    for _ in range(200):
        if socket.closed:
            break
        await socket.send_str('{"type": "pong"}')
    assert await closed(socket) == 1008
    await desk.customer()
    assert await frames(witness, "message_received")


async def test_sec_44_what_nobody_can_read_ends_that_connection_alone(desk: Running, ada: Client, bo: Client) -> None:
    witness = await bo.listen()
    for said, code in NOT_UNDERSTOOD:
        socket = await ada.listen()
        if isinstance(said, bytes):
            await socket.send_bytes(said)
        else:
            await socket.send_str(said)
        assert await closed(socket) == code, said[:30]
    polite = await ada.listen()
    await polite.send_str('{"type": "pong"}')
    await desk.customer()
    assert await frames(polite, "message_received")
    assert await frames(witness, "message_received")


async def test_sec_44_random_frames_end_one_connection_at_a_time(
    desk: Running, ada: Client, bo: Client, rounds: Rounds
) -> None:
    rng, witness = random.Random(3), await bo.listen()
    for _ in range(rounds(push=400, long=5000)):
        socket = await ada.listen()
        await socket.send_bytes(rng.randbytes(rng.randrange(1, 2000)))
        assert await closed(socket) in {1007, 1008}
    await desk.customer()
    assert await frames(witness, "message_received")


async def test_a_quiet_feed_is_told_that_it_lives(desk: Running, ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PING_S", 0.0)
    socket = await ada.listen()
    await begin(socket)
    assert await socket.receive_json(timeout=20) == {"type": "ping"}


async def test_a_reader_that_does_not_read_is_given_up_and_delays_nobody(
    desk: Running, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P14 in the small."""
    monkeypatch.setattr(sockets, "STUCK_S", 0.5)
    host, port = desk.address.removeprefix("http://").split(":")
    path = f"/api/v1/stream?ticket={await ada.ticket()}"
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**10)
    handshake = (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {desk.address}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    writer.write(handshake.encode())
    assert b"101" in await reader.readline()
    attentive = await ada.listen()
    await begin(attentive)
    application = desk.application.desk
    assert len(application.sockets) == 2
    filler = "x" * 60_000
    received = 0
    async with asyncio.timeout(60):
        while len(application.sockets) > 1:
            await desk.house.store.writer.write(
                lambda tx: tx.append("tested", actor=_system(), at=0, payload={"filler": filler})
            )
            received += len((await attentive.receive_json())["events"])
    assert received >= 1
    writer.close()


def _system() -> Any:
    from trunkline.model import Actor, ActorKind

    return Actor(ActorKind.SYSTEM)


async def test_feeds_end_with_going_away_when_the_process_stops(template: Any, open_desk: Any) -> None:
    async with aiohttp.ClientSession() as session:
        async with open_desk(*template) as running:
            bo = Client(session, running.address, running.tokens[BO[0]])
            socket = await bo.listen()
            assert (await socket.receive_json())["type"] == "hello"
            listening = asyncio.create_task(closed(socket))
        assert await listening == 1001
