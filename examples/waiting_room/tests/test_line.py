"""Who waits, who is served, and how a talk ends."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
import msgspec
import pytest
from sqlalchemy import select, update
from trunkline.model import Actor, ActorKind, Event
from trunkline.plugins import Registry
from trunkline.store import schema

from tests.conftest import Opener
from tests.people import Customer, Shop, heard
from trunkline_waiting_room import NAME
from trunkline_waiting_room.application import WaitingRoom
from trunkline_waiting_room.line import queued


async def in_line(shop: Shop, count: int) -> list[Customer]:
    """Let so many people ask for a person, one after another."""
    people = [await shop.customer() for _ in range(count)]
    for one in people:
        await one.ask()
    await shop.settle()
    return people


async def waiting(shop: Shop) -> int:
    async with shop.house.store.read() as connection:
        return len((await connection.execute(queued())).fetchall())


async def logged(shop: Shop, *kinds: str) -> list[Event]:
    """Return the events of these kinds, the oldest first."""
    e = schema.event.c
    async with shop.house.store.read() as connection:
        rows = (await connection.execute(select(schema.event).where(e.kind.in_(kinds)).order_by(e.seq))).fetchall()
    return [_event(row) for row in rows]


def _event(row: Any) -> Event:
    actor = Actor(ActorKind(row.actor_kind), row.actor_id, row.actor_name)
    payload = msgspec.json.decode(row.payload)
    return Event(seq=row.seq, at_ms=row.at, kind=row.kind, thread_id=row.thread_id, actor=actor, payload=payload)


def test_it_is_found_once_it_is_installed(installed: Registry) -> None:
    assert NAME in installed.applications


async def test_clients_learn_that_there_is_a_waiting_room(shop: Shop) -> None:
    ana = await shop.customer()
    assert (ana.given["features"]["request_human"], ana.given["features"]["rating"]) == (True, True)


# ---------------------------------------------------------------- waiting


async def test_whoever_comes_first_is_first_in_line(shop: Shop) -> None:
    people = await in_line(shop, 3)
    assert [await one.place() for one in people] == [(1, 0), (2, 1), (3, 2)]
    assert (await people[0].call("DELETE", "/threads/live/queue")).json["end_reason"] == "abandoned"
    assert [await one.place() for one in people[1:]] == [(1, 0), (2, 1)]


async def test_a_session_is_shown_as_the_protocol_says(shop: Shop) -> None:
    ana = await shop.customer()
    session = await ana.ask(reason="my order")
    assert session.pop("id").startswith("ss_")
    assert session.pop("thread_id") == f"th_{await ana.thread()}"
    assert session.pop("started_at") == "2026-11-21T12:00:00.000Z"
    queue = {"position": 1, "ahead": 0, "wait_estimate_s": None}
    nothing = dict.fromkeys(("group", "agent", "ended_at", "end_reason"))
    assert session == {"state": "queued", "queue": queue, "rev": 1, **nothing}


async def test_a_client_that_connects_is_told_how_it_stands(shop: Shop) -> None:
    ana, ben = await shop.customer(), await shop.customer()
    await ana.ask()
    async with aiohttp.ClientSession() as client:
        told = []
        for one in (ana, ben):
            socket = await one.connect(client)
            told.append((await heard(socket, lambda frame: frame["t"] == "ready"))["session"])
            await socket.close()
    assert (told[0]["state"], told[0]["queue"]["position"], told[1]) == ("queued", 1, None)


async def test_who_asks_again_keeps_the_place(shop: Shop) -> None:
    ana, _ = await in_line(shop, 2)
    again = await ana.call("POST", "/threads/live/human", {})
    assert (again.status, again.code, again.json["session"]["queue"]["position"]) == (409, "already_requested", 1)
    assert await waiting(shop) == 2


async def test_everybody_behind_hears_of_the_new_place(shop: Shop) -> None:
    people = await in_line(shop, 3)
    async with aiohttp.ClientSession() as client:
        sockets = [await one.connect(client) for one in people]
        for socket in sockets:
            # What the log tells comes when the socket listens: nothing that is told from now on is missed.
            await heard(socket, lambda frame: frame["t"] == "change" and frame["type"] == "session.changed")
        await people[0].call("DELETE", "/threads/live/queue")
        for socket, position in zip(sockets[1:], (1, 2), strict=True):
            frame = await heard(socket, lambda frame, place=position: frame.get("position") == place)  # type: ignore[misc]  # mypy infers no default
            assert frame == {"t": "queue", "position": position, "ahead": position - 1, "wait_estimate_s": None}
        for socket in sockets:
            await socket.close()


async def test_nobody_hears_of_a_place_more_often_than_the_rules_say(open_shop: Opener) -> None:
    async with open_shop(pause_s=3600) as shop:
        told: list[Any] = []
        shop.house.moments.listen(lambda moment: told.append(moment.details))
        room = shop.house.applications[NAME]
        assert isinstance(room, WaitingRoom)
        for _ in range(2):
            await in_line(shop, 1)
            await room.places.settle()
        assert told == [{"t": "queue", "position": 1, "ahead": 0, "wait_estimate_s": None}]
        assert (await room.places.step() or 0) > shop.clock.now, "it will look again"


async def test_lines_of_groups_are_apart(open_shop: Opener) -> None:
    async with open_shop(groups={"gp_1": "Returns"}) as shop:
        ana, ben, cleo = [await shop.customer() for _ in range(3)]
        await ana.ask()
        assert (await ben.ask(group_id="gp_1"))["group"] == {"id": "gp_1", "name": "Returns"}
        await cleo.ask(group_id="gp_1")
        assert [await one.place() for one in (ana, ben, cleo)] == [(1, 0), (1, 0), (2, 1)]
        unknown = await ana.call("POST", "/threads/live/human", {"group_id": "gp_2"})
        assert (unknown.status, unknown.code) == (422, "unknown_group")


async def test_a_restart_keeps_the_line(open_shop: Opener) -> None:
    async with open_shop() as shop:
        people = await in_line(shop, 2)
    async with open_shop() as shop:
        for one in people:
            one.shop = shop
        cleo = await shop.customer()
        assert (await cleo.ask())["queue"]["position"] == 3
        assert [await one.place() for one in people] == [(1, 0), (2, 1)]


async def test_where_the_line_is_full_the_form_is_offered(open_shop: Opener) -> None:
    async with open_shop(longest_line=1) as shop:
        ana, ben = await in_line(shop, 2)
        assert await ben.place() == (2, 1), "there is no form yet"
        await ben.call("DELETE", "/threads/live/queue")
        await shop.open_for_forms()
        offered = await ben.call("POST", "/threads/live/human", {})
        assert (offered.status, offered.json["outcome"]) == (200, "offline_form")
        assert offered.json["form"] == await ben.get("/submissions/form")
        assert (await ana.call("POST", "/threads/live/human", {})).code == "already_requested"


async def test_who_is_blocked_waits_for_nobody_and_does_not_notice(shop: Shop) -> None:
    ana = await shop.customer()
    await shop.house.store.writer.write(lambda tx: tx.execute(update(schema.visitor).values(blocked=True)))
    assert (await ana.ask())["state"] == "queued"
    assert await waiting(shop) == 0


# ---------------------------------------------------------------- being served


async def test_who_is_taken_by_an_agent_waits_no_longer(shop: Shop) -> None:
    ana, ben = await in_line(shop, 2)
    shop.clock.now += 90_000
    assert (await shop.take(await ana.thread())).status == 200
    session = await ana.session()
    assert (session["state"], session["agent"]["name"], session["queue"]) == ("active", "Ada", None)
    assert (await ben.session())["queue"] == {"position": 1, "ahead": 0, "wait_estimate_s": 90}
    told = await ana.changes("session.changed")
    assert [(one["state"], one["rev"]) for one in told] == [("queued", 1), ("active", 2)]
    (started,) = await logged(shop, "session_started")
    assert (started.actor.kind, started.actor.name) == (ActorKind.AGENT, "Ada")


async def test_an_agent_may_take_somebody_out_of_turn(shop: Shop) -> None:
    ana, _, cleo = await in_line(shop, 3)
    await shop.take(await cleo.thread())
    assert ((await cleo.session())["state"], await waiting(shop), await ana.place()) == ("active", 2, (1, 0))


async def test_who_is_in_good_hands_already_need_not_wait(shop: Shop) -> None:
    ana = await shop.customer()
    await ana.say("Hello")
    await shop.take(await ana.thread())
    session = await ana.ask()
    assert (session["state"], session["agent"]["name"]) == ("active", "Ada")


async def test_a_talk_goes_on_with_a_colleague_and_back_into_the_line_in_front(shop: Shop) -> None:
    ana, ben = await in_line(shop, 2)
    thread = await ana.thread()
    shop.clock.now += 60_000
    await shop.take(thread)
    await shop.take(thread, "Bo")
    assert (await ana.session())["agent"]["name"] == "Bo"
    await shop.agent("Bo", "PUT", f"/threads/{thread}/assignee", {"agent_id": None})
    assert (await ana.place(), await ben.place()) == ((1, 0), (2, 1))
    shop.clock.now += 60_000
    await shop.take(thread)
    assert (await ben.session())["queue"]["wait_estimate_s"] == 60, "they waited until they were first taken"
    kinds = ("queued", "session_started", "session_transferred", "session_ended")
    mine = [event.kind for event in await logged(shop, *kinds) if event.thread_id == thread]
    assert mine == ["queued", "session_started", "session_transferred", "queued", "session_started"]


async def test_every_session_ends_for_a_reason(shop: Shop) -> None:
    for is_taken, by_agent, reason in (
        (True, True, "agent_end"),
        (True, False, "customer_end"),
        (False, True, "agent_end"),
        (False, False, "abandoned"),
    ):
        (ana,) = await in_line(shop, 1)
        thread = await ana.thread()
        if is_taken:
            await shop.take(thread)
        if by_agent:
            await shop.close(thread)
        else:
            assert (await ana.call("POST", "/threads/live/end", {})).status == 200
        last = (await ana.changes("session.changed"))[-1]
        assert (last["state"], last["end_reason"], last["ended_at"]) == ("ended", reason, "2026-11-21T12:00:00.000Z")
        assert await ana.session() is None
        assert (await ana.call("DELETE", "/threads/live/queue")).code == "not_queued"
        assert (await ana.call("POST", "/threads/live/end", {})).code == "no_session"


async def test_who_was_here_may_come_again(shop: Shop) -> None:
    (ana,) = await in_line(shop, 1)
    await ana.call("DELETE", "/threads/live/queue")
    assert (await ana.ask())["state"] == "queued"
    kinds = [event.kind for event in await logged(shop, "queued", "session_ended")]
    assert kinds == ["queued", "session_ended", "queued"]


async def test_what_came_with_the_giving_back_and_is_read_later_still_counts(shop: Shop) -> None:
    (ana,) = await in_line(shop, 1)
    thread = await ana.thread()
    await shop.take(thread)
    await shop.agent("Ada", "PUT", f"/threads/{thread}/assignee", {"agent_id": None})
    (given_back,) = await logged(shop, "unassigned")
    closed = msgspec.structs.replace(given_back, kind="closed", payload={})
    room = shop.house.applications[NAME]
    await shop.house.store.writer.write(lambda tx: room.consume(tx, [closed]))
    assert (await ana.changes("session.changed"))[-1]["end_reason"] == "agent_end"


# ---------------------------------------------------------------- forms


async def test_a_form_from_the_line_takes_its_sender_out_of_it(open_shop: Opener, database_url: str) -> None:
    async with open_shop(database_url) as shop:
        await shop.open_for_forms()
        ana, ben = await in_line(shop, 2)
        client_id = str(uuid.uuid4())
        answers = [await ana.send_form(client_id), await ana.send_form(client_id)]
        assert [answer.status for answer in answers] == [201, 200]
        assert len((await ana.get("/submissions"))["submissions"]) == 1
        last = (await ana.changes("session.changed"))[-1]
        assert (last["state"], last["end_reason"]) == ("ended", "left_submission")
        assert (await ben.place(), await waiting(shop)) == ((1, 0), 1)


async def test_forms_that_are_sent_twice_at_once_are_one(shop: Shop) -> None:
    await shop.open_for_forms()
    (ana,) = await in_line(shop, 1)
    client_id = str(uuid.uuid4())
    answers = await asyncio.gather(*(ana.send_form(client_id) for _ in range(2)))
    assert sorted(answer.status for answer in answers) == [200, 201]
    assert len(await logged(shop, "submission_received")) == 1
    assert len(await logged(shop, "session_ended")) == 1


async def test_a_form_from_before_the_line_takes_nobody_out_of_it(shop: Shop) -> None:
    await shop.open_for_forms()
    ana = await shop.customer()
    await ana.send_form()
    await ana.ask()
    room = shop.house.applications[NAME]
    late = await logged(shop, "submission_received")
    await shop.house.store.writer.write(lambda tx: room.consume(tx, late))
    assert await ana.place() == (1, 0)


# ---------------------------------------------------------------- at the same time, and twice


async def test_of_leaving_and_being_taken_one_happens(open_shop: Opener, database_url: str) -> None:
    async with open_shop(database_url) as shop:
        people = await in_line(shop, 4)
        threads = [await one.thread() for one in people]
        leaving = [one.call("DELETE", "/threads/live/queue") for one in people]
        taking = [shop.take(thread) for thread in threads]
        answers = (await asyncio.gather(*(move for pair in zip(leaving, taking, strict=True) for move in pair)))[::2]
        await shop.settle()
        for one, answer in zip(people, answers, strict=True):
            told = [change["state"] for change in await one.changes("session.changed")]
            assert told == (["queued", "ended"] if answer.status == 200 else ["queued", "active"])
            assert answer.status == 200 or answer.code == "not_queued"
        assert await waiting(shop) == 0


async def test_whoever_comes_second_changes_nothing(shop: Shop) -> None:
    ana, ben = await in_line(shop, 2)
    await ana.call("DELETE", "/threads/live/queue")
    await shop.take(await ana.thread())
    await shop.take(await ben.thread())
    assert (await ben.call("DELETE", "/threads/live/queue")).code == "not_queued"
    for one, states in ((ana, ["queued", "ended"]), (ben, ["queued", "active"])):
        assert [told["state"] for told in await one.changes("session.changed")] == states


async def test_of_two_requests_at_once_one_waits(open_shop: Opener, database_url: str) -> None:
    async with open_shop(database_url) as shop:
        ana = await shop.customer()
        answers = await asyncio.gather(*(ana.call("POST", "/threads/live/human", {}) for _ in range(3)))
        assert sorted(answer.status for answer in answers) == [202, 409, 409]
        assert (await waiting(shop), len((await ana.get("/threads"))["threads"])) == (1, 1)


async def test_what_is_read_again_after_a_failed_commit_has_the_same_effect_once(shop: Shop) -> None:
    (ana,) = await in_line(shop, 1)
    room, thread = shop.house.applications[NAME], await ana.thread()
    payload = {"target": "agent", "assignee": {"id": "a-1", "name": "Cy"}, "previous": None}
    cy, now = Actor(ActorKind.AGENT, "a-1", "Cy"), shop.clock.now
    event = Event(seq=10**9, at_ms=now, kind="assigned", thread_id=thread, actor=cy, payload=payload)
    told: list[Any] = []

    def apply(tx: Any) -> None:
        before = len(tx.appended)
        room.consume(tx, [event])
        told.append(tx.appended[before:])

    def fail(tx: Any) -> None:
        apply(tx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await shop.house.store.writer.write(fail)
    assert await ana.place() == (1, 0)
    shop.clock.now += 60_000
    for _ in range(2):
        await shop.house.store.writer.write(apply)
    # The writer runs a write that failed once more, alone: what it told is the same each time.
    *failed, applied, again = told
    assert failed[0] == failed[-1] == applied
    assert again == []
    assert (await ana.session())["rev"] == 2
