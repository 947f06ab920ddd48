"""Who looks at a thread and who types in it: told to the other agents, in every process, and stored nowhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.desk.harness import BO, Client, Running, Socket, begin
from trunkline.service.moments import Moment
from trunkline.store import schema
from trunkline_desk.api import presence


async def say(socket: Socket, thread: str | None, state: str = "viewing") -> None:
    await socket.send_json({"type": "presence", "thread_id": thread, "state": state})


async def moment(socket: Socket) -> dict[str, Any]:
    """Return the next moment that a client hears."""
    async with asyncio.timeout(60):
        while True:
            frame: dict[str, Any] = await socket.receive_json()
            if frame["type"] == "moment":
                return frame


async def heard(socket: Socket) -> tuple[str, str]:
    told = await moment(socket)
    return told["kind"], told["thread_id"]


async def test_the_others_hear_who_looks_who_types_and_who_left(desk: Running, ada: Client, bo: Client) -> None:
    thread, me = await desk.thread(), await bo.get("/me")
    watching, working = await ada.listen(), await bo.listen()
    await begin(watching)
    await say(working, thread)
    assert await moment(watching) == {
        "type": "moment",
        "kind": "viewing",
        "thread_id": thread,
        "actor": {"kind": "agent", "id": me["id"], "name": "Bo"},
        "ttl_s": 20,
    }
    await say(working, thread, "typing")
    assert await heard(watching) == ("typing", thread)
    await say(working, None)
    assert await heard(watching) == ("left", thread)


async def test_nobody_hears_of_themselves(desk: Running, ada: Client, bo: Client) -> None:
    thread = await desk.thread()
    mine, theirs = await bo.listen(), await ada.listen()
    await begin(mine)
    await say(mine, thread)
    await say(mine, thread, "typing")
    await begin(theirs)
    await say(theirs, "other")
    assert (await moment(mine))["actor"]["name"] == "Ada"


async def test_whoever_comes_is_told_who_is_there(desk: Running, ada: Client, bo: Client) -> None:
    thread = await desk.thread()
    witness, working = await ada.listen(), await bo.listen()
    await say(working, thread, "typing")
    assert {await heard(witness), await heard(witness)} == {("viewing", thread), ("typing", thread)}
    present = await begin(await ada.listen())
    assert [(item["kind"], item["thread_id"], item["actor"]["name"]) for item in present["items"]] == [
        ("typing", thread, "Bo"),
        ("viewing", thread, "Bo"),
    ]
    assert all(0 < item["ttl_s"] <= 20 for item in present["items"])
    assert (await begin(await bo.listen()))["items"] == []


async def test_a_sign_ends_by_itself(desk: Running, ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(presence._TTL_S, "viewing", 0)
    witness, working = await ada.listen(), await desk.client(BO[0]).listen()
    await say(working, "t1")
    assert (await moment(witness))["ttl_s"] == 0
    assert (await begin(await ada.listen()))["items"] == []


async def test_a_connection_that_ends_takes_its_signs_along(desk: Running, ada: Client, bo: Client) -> None:
    witness, working = await ada.listen(), await bo.listen()
    await say(working, "t1")
    assert await heard(witness) == ("viewing", "t1")
    await working.close()
    assert await heard(witness) == ("left", "t1")
    assert (await begin(await ada.listen()))["items"] == []


async def test_who_looks_from_two_windows_is_there_until_both_are_closed(
    desk: Running, ada: Client, bo: Client
) -> None:
    witness, one, two = await ada.listen(), await bo.listen(), await bo.listen()
    for socket in (one, two):
        await say(socket, "t1")
        assert await heard(witness) == ("viewing", "t1")
    await one.close()
    await say(two, "t2")
    assert [await heard(witness), await heard(witness)] == [("left", "t1"), ("viewing", "t2")]


async def test_a_repetition_is_passed_on_only_when_it_is_needed(
    desk: Running, ada: Client, bo: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness, working = await ada.listen(), await bo.listen()
    for _ in range(20):
        await say(working, "t1")
    await say(working, "t2")
    assert [await heard(witness) for _ in range(3)] == [("viewing", "t1"), ("left", "t1"), ("viewing", "t2")]
    monkeypatch.setitem(presence._REPEAT_S, "viewing", -1.0)
    await say(working, "t2")
    assert await heard(witness) == ("viewing", "t2")


async def test_a_customers_typing_reaches_all_agents_and_nothing_of_it_is_stored(
    desk: Running, ada: Client, bo: Client
) -> None:
    thread = await desk.thread()
    sockets = [await ada.listen(), await bo.listen()]
    for socket in sockets:
        await begin(socket)
    before = await _events(desk)
    desk.house.moments.tell(
        Moment(kind="typing", thread_id=thread, actor_kind="contact", actor_id="c1", actor_name="Mei")
    )
    desk.house.moments.tell(
        Moment(kind="unheard", thread_id=thread, actor_kind="contact", actor_id="c1", actor_name="Mei")
    )
    for socket in sockets:
        told = await moment(socket)
        assert (told["kind"], told["actor"], told["ttl_s"]) == (
            "typing",
            {"kind": "contact", "id": "c1", "name": "Mei"},
            6,
        )
    assert await _events(desk) == before


async def _events(desk: Running) -> int:
    async with desk.house.store.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(schema.event))).scalar_one())


async def test_an_agents_typing_reaches_colleagues_and_the_customers_channel(
    desk: Running, ada: Client, bo: Client
) -> None:
    thread, witness = await desk.thread(), await ada.listen()
    assert (await bo.call("POST", f"/threads/{thread}/typing", {})).status == 202
    assert await heard(witness) == ("typing", thread)
    await desk.settle()
    assert [signal.kind for signal in desk.connector().signals] == ["typing"]


async def test_agents_of_another_process_hear_it_too(postgres_copy: Any, open_desk: Any) -> None:
    url, tokens = postgres_copy
    async with open_desk(url, tokens) as one, open_desk(url, tokens) as two:
        listens = asyncio.Event()
        two.house.moments.listen(lambda _moment: listens.set())
        async with asyncio.timeout(60):
            while not listens.is_set():
                one.house.moments.tell(
                    Moment(kind="hello", thread_id=None, actor_kind="system", actor_id=None, actor_name=None)
                )
                await asyncio.sleep(0.01)
        witness, working = await two.client("ada@shop.example").listen(), await one.client(BO[0]).listen()
        await begin(witness)
        await say(working, "t1")
        assert await heard(witness) == ("viewing", "t1")


async def test_moments_never_make_a_slow_reader_wait_or_fall(desk: Running, ada: Client) -> None:
    subscription = desk.house.feed.subscribe(0)
    for _ in range(1000):
        subscription.interject(b"x" * 100)
    assert subscription.queued_bytes <= 100 * 32
    assert not subscription.evicted
    subscription.close()
    assert subscription.queued_bytes == 0


async def test_a_page_that_a_customer_looks_at_is_told_and_not_remembered(
    desk: Running, ada: Client, bo: Client
) -> None:
    thread = await desk.thread()
    watching = await ada.listen()
    await begin(watching)
    sign = Moment(kind="visited", thread_id=thread, actor_kind="contact", actor_id="c1", actor_name="Mei", ttl_s=0)
    desk.house.moments.tell(sign)
    assert await heard(watching) == ("visited", thread)
    late = await bo.listen()
    async with asyncio.timeout(60):
        while (frame := await late.receive_json())["type"] != "present":
            pass
    assert frame["items"] == []
