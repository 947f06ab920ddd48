"""How far a message came, on every device of its reader; and whose one's own messages are (B2, B4, B13.4)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from tests.hosted.booth import vouch
from tests.hosted.people import KEY, Place, Visitor, message, until
from trunkline.model import Actor, ActorKind
from trunkline.store import Transaction, schema


def states(changes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What was told of deliveries: whose, and how far."""
    return [(one["data"]["id"], one["data"]["state"]) for one in changes if one["type"] == "delivery.changed"]


async def shown(visitor: Visitor) -> list[tuple[str, str, str]]:
    page = await visitor.get("/threads/live/messages")
    return [(one["author"]["kind"], one["text"], one["state"]) for one in page["messages"]]


async def test_what_one_device_has_and_shows_is_told_to_the_other_and_agrees_with_the_message(place: Place) -> None:
    phone = await place.visitor(identity=vouch("cust-1", KEY, place.clock.now))
    desk = await place.visitor(identity=vouch("cust-1", KEY, place.clock.now))
    thread = await phone.thread("Hello")
    reply = await place.reply(thread, "Here you are")
    page = await desk.changes()
    assert states(page["changes"]) == []
    assert page["changes"][-1]["data"]["state"] == "sent"
    assert await shown(desk) == [("contact", "Hello", "sent"), ("agent", "Here you are", "sent")]

    cursor = (await phone.changes())["cursor"]
    await phone.changes(cursor)
    await place.front.settle()
    page = await desk.changes(page["cursor"])
    (told,) = page["changes"]
    wanted = {"id": f"ms_{reply}", "thread_id": f"th_{thread}", "state": "delivered", "rev": told["seq"]}
    assert (told["type"], told["data"]) == ("delivery.changed", wanted)
    assert (await shown(desk))[-1] == ("agent", "Here you are", "delivered")

    await phone.post("/threads/live/read", {"pos": 2})
    page = await desk.changes(page["cursor"])
    assert states(page["changes"]) == [(f"ms_{reply}", "read")]
    assert {one["type"] for one in page["changes"]} == {"delivery.changed", "read.changed"}
    assert (await shown(desk))[-1] == ("agent", "Here you are", "read")


async def test_a_socket_tells_it_too(booth: Place) -> None:
    ana = await booth.visitor()
    thread = await ana.thread("Hello")
    socket, _ = await ana.ready()
    reply = await booth.reply(thread, "Here you are")
    change = await until(socket, "change")
    await socket.send_json({"t": "ack", "cursor": change["cursor"]})
    told = await until(socket, "change")
    assert states([told]) == [(f"ms_{reply}", "delivered")]


async def test_what_was_taken_back_keeps_its_state(booth: Place) -> None:
    ana = await booth.visitor()
    thread = await ana.thread("Hello")
    reply = await booth.reply(thread, "A mistake")
    await ana.post("/threads/live/read", {"pos": 2})
    recalled = update(schema.message).where(schema.message.c.id == reply).values(recalled_at=booth.clock.now)
    await booth.house.store.writer.write(lambda tx: tx.execute(recalled).rowcount)
    page = await ana.get("/threads/live/messages")
    assert (page["messages"][-1]["kind"], page["messages"][-1]["state"]) == ("redacted", "read")


async def test_how_a_reply_fares_on_its_way_is_not_told(booth: Place) -> None:
    """Waiting, failing and the reasons of it are the house's own."""
    ana = await booth.visitor()
    thread = await ana.thread("Hello")
    reply = await booth.reply(thread, "On its way")
    await ana.changes((await ana.changes())["cursor"])
    await booth.front.settle()
    cursor = (await ana.changes())["cursor"]
    actor = Actor(ActorKind.CONNECTOR, "shop")
    on_the_way = ("queued", "sending", "retrying", "held", "uncertain", "sent", "failed", "cancelled", "expired")

    def work(tx: Transaction) -> None:
        for state in on_the_way:
            delivery = {"id": "d-1", "state": state, "reason": {"code": "internal", "text": "The key of Ada is wrong."}}
            payload = {"message_id": reply, "thread_id": thread, "delivery": delivery, "delivery_state": state}
            for kind in ("delivery_changed", "delivery_failed", "delivery_suppressed"):
                tx.append(kind, actor=actor, at=booth.clock.now, payload=payload, thread_id=thread)

    await booth.house.store.writer.write(work)
    assert (await ana.changes(cursor))["changes"] == []


async def test_ones_own_message_is_sent_and_what_an_agent_read_is_a_position(booth: Place) -> None:
    ana = await booth.visitor()
    thread = await ana.thread("Hello")
    cursor = (await ana.changes())["cursor"]
    actor, payload = Actor(ActorKind.AGENT, "a-1", "Ada"), {"thread_id": thread, "unread": 0, "position": 1}
    await booth.house.store.writer.write(
        lambda tx: tx.append("read", actor=actor, at=booth.clock.now, payload=payload, thread_id=thread)
    )
    (told,) = (await ana.changes(cursor))["changes"]
    assert (told["type"], told["data"]["side"], told["data"]["pos"]) == ("read.changed", "agent", 1)
    assert await shown(ana) == [("contact", "Hello", "sent")]


# ---------------------------------------------------------------- whose


async def test_ones_own_messages_are_ones_own_wherever_they_are_shown(place: Place) -> None:
    ana = await place.visitor(profile={"name": "Ana"})
    me = {"kind": "contact", "id": (await ana.get("/me"))["id"], "name": "Ana"}
    assert me["id"] == ana.given["contact"]["id"]
    wish = message("One")
    socket, _ = await ana.ready()
    first = await ana.post("/threads/live/messages", wish)
    again = await ana.post("/threads/live/messages", wish)
    await socket.send_json({"t": "send", "ref": "r", "thread_id": "live", **message("Two")})
    sent = await until(socket, "sent")
    page = await ana.get("/threads/live/messages")
    changes = [one["data"] for one in (await ana.changes())["changes"] if one["type"] == "message.created"]
    known = [first["message"], again["message"], sent["message"], *page["messages"], *changes]
    assert len(known) == 7
    assert all(one["author"] == me for one in known)


async def test_after_a_merge_everything_that_one_said_is_said_by_whom_one_became(place: Place) -> None:
    known = await place.visitor(identity=vouch("cust-1", KEY, place.clock.now))
    await known.say("Known")
    ana = await place.visitor()
    await ana.say("Anonymous")
    answer = await ana.post("/tokens/exchange", {"identity": vouch("cust-1", KEY, place.clock.now)})
    assert (answer["merged"], answer["contact"]["id"]) == (True, known.id)
    ana.token = answer["token"]
    threads = (await ana.get("/threads"))["threads"]
    pages = [await ana.get(f"/threads/{one['id']}/messages") for one in threads]
    found = {(one["text"], one["author"]["id"]) for page in pages for one in page["messages"]}
    assert found == {("Known", known.id), ("Anonymous", known.id)}


async def test_somebody_who_is_blocked_sees_no_difference(booth: Place) -> None:
    ana = await booth.visitor()
    before = (await ana.say("Before"))["message"]
    blocking = update(schema.visitor).values(blocked=True)
    await booth.house.store.writer.write(lambda tx: tx.execute(blocking).rowcount)
    after = (await ana.say("After"))["message"]
    assert (after["author"], after["state"], set(after)) == (before["author"], "sent", set(before))
