"""The socket: every way in and every way out, and readers who are slow."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.hosted.booth import vouch
from tests.hosted.people import KEY, Place, changes_until, closed, message, raw_socket, until
from tests.promises.waiting import until as until_true
from trunkline.hosted import IdentityMode
from trunkline.hosted.frames import FRAMES
from trunkline.hosted.hub import MOST_FRAMES
from trunkline.hosted.limiting import Limit
from trunkline.hosted.sockets import Sockets
from trunkline.store import schema


async def test_whoever_does_not_say_hello_first_is_sent_away(booth: Place) -> None:
    """B12.12."""
    socket = await raw_socket(booth)
    await socket.send_json({"t": "ping"})
    assert await closed(socket) == 4400


async def test_whoever_says_nothing_is_sent_away(booth: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline.hosted.sockets.HELLO_S", 0.05)
    assert await closed(await raw_socket(booth)) == 4408
    monkeypatch.setattr("trunkline.hosted.sockets.SILENCE_S", 0.05)
    monkeypatch.setattr("trunkline.hosted.sockets.HELLO_S", 5)
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    assert await closed(socket) == 4408


async def test_a_frame_that_is_too_long_ends_the_connection(booth: Place) -> None:
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    await socket.send_str('{"t":"ping","x":"' + "x" * 65 * 1024 + '"}')
    assert await closed(socket) == 1009


async def test_binary_frames_end_the_connection(booth: Place) -> None:
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    await socket.send_bytes(b'{"t":"ping"}')
    assert await closed(socket) == 1003


async def test_frames_that_nobody_knows_are_ignored(booth: Place) -> None:
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    for kind in ("dance", "__class__", "@clients", "base", 7, None, ["ping"], {"t": "ping"}):
        await socket.send_json({"t": kind})
    await socket.send_json({"t": "ping", "n": 9})
    assert await socket.receive_json() == {"t": "pong", "n": 9}


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"token": "vt_" + "x" * 43}, 4401),
        ({"token": "short"}, 4401),
        ({"token": None}, 4401),
        ({"token": {"$ne": None}}, 4401),
        ({"protocol": 2}, 4426),
    ],
)
async def test_a_hello_that_proves_nothing_is_refused(booth: Place, hello: dict[str, Any], code: int) -> None:
    ana = await booth.visitor()
    assert await closed(await ana.connect(**hello)) == code


async def test_an_old_client_is_told_to_update(booth: Place) -> None:
    booth.connector().min_version = "3.0.3"
    ana = await booth.visitor()
    assert await closed(await ana.connect(platform="ios", version="3.0.2")) == 4426
    socket, _ = await ana.ready(platform="ios", version="3.0.10")
    await socket.close()
    headers = {"X-Inbox-Key": KEY, "X-SDK-Platform": "ios", "X-SDK-Version": "3.0.3-beta"}
    answer = await booth.call("GET", "/config", headers=headers)
    assert (answer.status, answer.code) == (426, "client_too_old")


async def test_without_the_subprotocol_there_is_no_socket(booth: Place) -> None:
    answer = await booth.call("GET", "/ws")
    assert (answer.status, answer.code) == (426, "upgrade_required")


async def test_a_cursor_of_somebody_else_begins_anew(booth: Place) -> None:
    ana, ben = await booth.visitor(), await booth.visitor()
    _, ready = await ana.ready(cursor=ben.cursor)
    assert ready["resume"] == "reset"
    _, ready = await ana.ready(cursor="garbage")
    assert ready["resume"] == "reset"
    _, ready = await ana.ready(cursor=ready["cursor"])
    assert ready["resume"] == "ok"


async def test_the_oldest_of_too_many_sockets_is_closed(booth: Place) -> None:
    ana = await booth.visitor()
    sockets = [(await ana.ready())[0] for _ in range(11)]
    assert await closed(sockets[0]) == 4409
    await sockets[1].send_json({"t": "ping", "n": 1})
    assert (await until(sockets[1], "pong"))["n"] == 1


async def test_whoever_floods_is_told_and_then_sent_away(booth: Place) -> None:
    booth.front.limiter.change("frames", Limit(1, 1))
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    for number in range(2):
        await socket.send_json({"t": "ping", "n": number})
    assert (await until(socket, "error"))["code"] == "rate_limited"
    for number in range(40):
        await socket.send_json({"t": "ping", "n": number})
    assert await closed(socket) == 4429


async def test_a_slow_reader_is_cut_off_and_catches_up_by_cursor(booth: Place) -> None:
    """B12.11. The writer is held up as by a client that never reads; everybody else goes on."""
    ana = await booth.visitor()
    thread = await ana.thread("start")
    socket, _ = await ana.ready(cursor=ana.cursor)
    await changes_until(socket, "start")
    (mine,) = booth.sockets._open
    # What never leaves the queue fills it.
    mine.line._filled.set = lambda: None  # type: ignore[method-assign] # the wake-up of the writer, held back
    for number in range(MOST_FRAMES + 10):
        await booth.reply(thread, f"out {number}")
        assert len(mine.line._queue) <= MOST_FRAMES
    assert mine.line.evicted
    del mine.line._filled.set
    mine.line._filled.set()
    assert await closed(socket) == 4413
    again, ready = await ana.ready(cursor=ana.cursor)
    assert ready["resume"] == "ok"
    told = await changes_until(again, f"out {MOST_FRAMES + 9}")
    texts = [one["data"]["text"] for one in told if one["type"] == "message.created"]
    assert texts == ["start", *(f"out {number}" for number in range(MOST_FRAMES + 10))]


async def test_refusals_over_the_socket_name_the_frame_and_leave_it_open(booth: Place) -> None:
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    await socket.send_json({"t": "send", "ref": "r1", **message(" ")})
    refused = await until(socket, "error")
    assert (refused["ref"], refused["code"]) == ("r1", "empty_message")
    await socket.send_json({"t": "send", "ref": "r2", "thread_id": "th_none", **message()})
    assert (await until(socket, "error"))["code"] == "not_found"
    await socket.send_json({"t": "read", "ref": "r3", "pos": {"$gt": 0}})
    refused = await until(socket, "error")
    assert (refused["code"], refused["field"]) == ("invalid_field", "pos")
    await socket.send_json({"t": "send", "ref": "r4", "kind": "text", "text": "Without its id"})
    refused = await until(socket, "error")
    assert (refused["ref"], refused["code"], refused["field"]) == ("r4", "invalid_field", "client_id")


async def test_everybody_is_sent_away_with_a_time_when_the_house_stops(booth: Place) -> None:
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    await booth.sockets.drain(None)  # type: ignore[arg-type] # the application is not looked at
    farewell = await until(socket, "bye")
    assert farewell["reason"] == "draining"
    assert await closed(socket) == 1012
    answer = await booth.call("GET", "/ws")
    assert (answer.status, answer.code) == (503, "unavailable")


async def test_sockets_close_when_proofs_become_needed(booth: Place) -> None:
    ana = await booth.visitor()
    booth.connector().mode = IdentityMode.REQUIRE
    assert await closed(await ana.connect()) == 4401
    known = await booth.visitor(identity=vouch("cust-1", KEY, booth.clock.now))
    await known.ready()


async def test_pages_are_noted_over_the_socket(booth: Place) -> None:
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    await socket.send_json({"t": "view", "url": "https://shop.example/a#x", "title": "A"})
    await socket.send_json({"t": "ping"})
    await until(socket, "pong")
    (row,) = await booth.rows(schema.visitor)
    assert '"url":"https://shop.example/a"' in row.visits


async def test_a_cut_off_socket_is_forgotten(booth: Place) -> None:
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    assert len(booth.sockets) == len(booth.front.hub.lines) == 1
    await socket.close()
    await until_true(lambda: not len(booth.sockets) and not booth.front.hub.lines)


async def test_sec_44_frames_of_rubbish_close_their_own_socket_and_no_other(booth: Place) -> None:
    chance = random.Random(11)
    ana, ben = await booth.visitor(), await booth.visitor()
    good, _ = await ben.ready()
    for _ in range(60):
        socket, _ = await ana.ready()
        await socket.send_str("".join(chr(chance.randrange(32, 0xD7FF)) for _ in range(chance.randrange(1, 200))))
        assert await closed(socket) in {1007, 1008}
    await good.send_json({"t": "ping", "n": 3})
    assert (await until(good, "pong"))["n"] == 3


async def test_sec_44_deep_and_odd_json_ends_nothing_but_its_own_socket(booth: Place) -> None:
    ana = await booth.visitor()
    for words in ("[" * 30_000, '{"t":' * 5_000, "7", "null", '"hello"', "[]", '{"t":"ping","n":1e999}'):
        socket, _ = await ana.ready()
        await socket.send_str(words)
        assert await closed(socket) == 1008


ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, 2**63, 1e308, "", "x" * 2000, "\0", "\u202e", "🙂", "live", "th_x", "ms_x", "up_x"),
    *([], [None], {}, {"$ne": None}, {"t": "ping"}),
]
FIELDS = (
    *("ref", "thread_id", "client_id", "kind", "text", "pos", "cursor", "visible", "n", "url", "screen", "title"),
    *("attachments", "metadata", "latitude", "longitude", "quoted_id", "at"),
)


async def test_sec_44_a_thousand_frames_of_any_shape_are_answered_or_ignored(booth: Place) -> None:
    """None of them is a fault of ours, none ends the connection, and nothing of them is kept."""
    chance = random.Random(44)
    ana, ben = await booth.visitor(), await booth.visitor()
    socket, _ = await ana.ready()
    good, _ = await ben.ready()
    kinds = [*FRAMES, "hello", "base", None, 7]
    codes = set[str]()
    for number in range(1000):
        frame = {name: chance.choice(ODD) for name in chance.sample(FIELDS, chance.randrange(6))}
        await socket.send_json({**frame, "t": chance.choice(kinds)})
        if number % 50 == 49:
            await socket.send_json({"t": "ping", "n": number})
            while (told := await socket.receive_json()) != {"t": "pong", "n": number}:
                codes |= {told["code"]} if told["t"] == "error" else set()
    assert codes >= {"bad_request", "invalid_field"}
    assert "server_error" not in codes
    await good.send_json({"t": "ping", "n": 3})
    assert (await until(good, "pong"))["n"] == 3
    assert await booth.rows(schema.message) == []


async def test_sec_45_names_of_frames_reach_nothing_but_the_table(booth: Place) -> None:
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    names = ("base", "__init__", "__dict__", "_send", "Socket", "front", "holder", "constructor", "toString", "hello")
    for name in names:
        await socket.send_json({"t": name, "ref": name, "args": ["@clients", "os.system"]})
    await socket.send_json({"t": "send", "ref": "x", "client_id": "__class__", "kind": "text", "text": "secret words"})
    refused = await socket.receive_json()
    assert set(refused) == {"t", "ref", "code", "message", "field", "request_id"}
    assert refused["field"] == "client_id"
    assert "secret words" not in str(refused)
    assert "__class__" not in str(refused)


async def test_sec_45_a_fault_of_ours_says_a_fixed_code_and_an_id(
    booth: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("SELECT * FROM visitor_token")

    monkeypatch.setitem(FRAMES, "view", fail)
    ana = await booth.visitor()
    socket, _ = await ana.ready()
    await socket.send_json({"t": "view", "ref": "r"})
    refused = await until(socket, "error")
    assert refused["code"] == "server_error"
    assert "SELECT" not in str(refused)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://desk.example.evil.example",
        "http://evildesk.example",
        "http://localhost",
        "https://desk.example",
        "http://desk.example:81",
        "",
    ],
)
async def test_sec_43_pages_of_others_open_no_socket(booth: Place, origin: str) -> None:
    import aiohttp

    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await raw_socket(booth, headers={"Origin": origin})
    assert caught.value.status == 403


async def test_sec_43_our_own_page_and_apps_open_one_and_the_token_is_still_needed(booth: Place) -> None:
    for headers in ({"Origin": "http://desk.example"}, {"Origin": booth.address}, {}):
        socket = await raw_socket(booth, headers=headers)
        await socket.send_json({"t": "hello", "token": "vt_" + "A" * 43})
        assert await closed(socket) == 4401


def test_the_table_of_frames_holds_frames_alone() -> None:
    from trunkline.hosted import frames

    assert set(frames.FRAMES) == {"send", "ack", "read", "typing", "view", "visible", "ping"}
    assert isinstance(Sockets, type)


async def test_whoever_polls_is_let_go_when_the_house_ends(booth: Place) -> None:
    ana = await booth.visitor()
    polling = asyncio.create_task(ana.changes(wait=25))
    await until_true(lambda: bool(booth.front.hub.lines), "the poll listens")
    booth.front.hub.hang_up()
    async with asyncio.timeout(60):
        assert (await polling)["changes"] == []
