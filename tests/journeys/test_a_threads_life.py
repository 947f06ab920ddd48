"""From the first word of a customer to a closed thread and its history, over the real channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Template
from tests.desk.harness import frames
from tests.journeys.shop import Shop, at_work, quiet_shop, until
from trunkline.testing.faults import Fault
from trunkline_line.simulator import Customer

Json = dict[str, Any]


@pytest.mark.requirement("001-08", "001-09")
async def test_a_thread_is_new_until_somebody_has_it(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    assert (thread["state"], thread["assignee"]) == ("new", None)
    bo = await shop.bo.get("/me")
    await shop.ada.call("PUT", f"/threads/{thread['id']}/assignee", {"agent_id": bo["id"]})
    now = await shop.ada.get(f"/threads/{thread['id']}")
    assert (now["state"], now["assignee"]["name"]) == ("in_service", "Bo")


@pytest.mark.requirement("001-26")
async def test_a_reply_is_told_in_the_history_by_who_when_and_the_text_that_was_sent(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    sent = await shop.until_state(await shop.reply(thread["id"], "Good morning, Mei."), "sent")
    (entry,) = [event for event in await shop.history(thread["id"]) if event["kind"] == "reply_sent"]
    assert entry["actor"]["name"] == "Ada"
    assert entry["at"] == sent["at"]
    assert entry["payload"]["message"]["content"]["text"] == mei.sees[-1].message["text"] == "Good morning, Mei."


async def test_a_customer_who_writes_again_begins_the_next_round(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    await shop.until_state(await shop.reply(thread["id"], "Done."), "sent")
    await shop.ada.post(f"/threads/{thread['id']}/close")
    assert (await shop.ada.get(f"/threads/{thread['id']}"))["state"] == "closed"
    await mei.text("One more thing")

    async def renewed() -> Any:
        now = await shop.ada.get(f"/threads/{thread['id']}")
        return now if now["state"] == "new" else None

    now = await until(renewed)
    assert (now["round"], now["assignee"]) == (2, None)
    told = {event["kind"]: event["round"] for event in await shop.history(thread["id"])}
    assert (told["reply_sent"], told["closed"], told["reopened"]) == (1, 1, 2)


async def test_the_waiting_time_counts_from_the_first_unanswered_message(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    thread = await shop.thread_of(mei)
    first = thread["first_unanswered_at"]
    shop.later(90)
    await mei.text("Hello?")
    assert (await shop.thread_of(mei))["first_unanswered_at"] == first
    await shop.until_state(await shop.reply(thread["id"], "Here I am."), "sent")
    assert (await shop.thread_of(mei))["first_unanswered_at"] is None


async def test_the_live_feed_brings_what_a_customer_wrote_and_what_became_of_the_answer(shop: Shop) -> None:
    socket = await shop.bo.listen()
    assert (await socket.receive_json())["type"] == "hello"
    mei = shop.line.customer("Mei")
    await mei.text("Hello")
    received = next(one for one in await frames(socket, "message_received") if one["kind"] == "message_received")
    assert received["payload"]["message"]["content"]["text"] == "Hello"
    await shop.reply(received["thread_id"], "Good morning.")
    states: list[str] = []
    while "sent" not in states:
        events = await frames(socket, "delivery_changed")
        states += [one["payload"]["delivery_state"] for one in events if one["kind"] == "delivery_changed"]
    assert states == list(dict.fromkeys(states))
    await socket.close()


async def say(mei: Customer, what: str) -> None:
    first = await mei.text("Hello")
    match what:
        case "a quote":
            await mei.text("This one, please", quotes=first.id)
        case "a picture":
            await mei.image()
        case "an unknown kind":
            await mei.write({"type": "hologram"})


@pytest.mark.parametrize(
    "what",
    [
        "a text",
        "a picture",
        "a quote",
        "an unknown kind",
    ],
)
async def test_the_live_feed_tells_of_a_message_what_the_api_tells(shop: Shop, what: str) -> None:
    socket = await shop.bo.listen()
    assert (await socket.receive_json())["type"] == "hello"
    mei = shop.line.customer("Mei")
    await say(mei, what)
    told: list[Json] = []
    while len(told) < len(mei.sees):
        events = await frames(socket, "message_received")
        told += [event["payload"]["message"] for event in events if event["kind"] == "message_received"]
    await socket.close()
    thread = await shop.thread_of(mei)
    stored = await shop.messages(thread["id"])
    assert [_lasting(one) for one in told] == [_lasting(one) for one in stored]


def _lasting(message: Json) -> Json:
    """Return what does not change by itself: names, files and reactions come in later."""
    content = {name: value for name, value in message["content"].items() if name != "media"}
    return {**message, "content": content, "author": {**message["author"], "name": None}, "reactions": []}


async def test_a_feed_that_was_cut_goes_on_where_it_was_with_nothing_missed_or_doubled(shop: Shop) -> None:
    mei = shop.line.customer("Mei")
    await mei.text("0")
    socket = await shop.bo.listen()
    cursor = (await socket.receive_json())["cursor"]
    await socket.close()
    for number in range(1, 51):
        await mei.text(str(number))
    socket = await shop.bo.listen(cursor)
    texts: list[str] = []
    while "51" not in texts:
        if len(texts) == 50:
            await mei.text("51")
        events = await frames(socket, "message_received")
        texts += [
            event["payload"]["message"]["content"]["text"] for event in events if event["kind"] == "message_received"
        ]
    assert texts == [str(number) for number in range(1, 52)]
    await socket.close()


async def test_nothing_is_lost_or_said_twice_over_a_restart(
    tmp_path: Path, sqlite_template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    async with quiet_shop(tmp_path, sqlite_template, clock=HandClock()) as shop:
        mei = shop.line.customer("Mei")
        async with at_work(shop):
            await mei.text("Hello")
            thread = await shop.thread_of(mei)
            shop.later(60)
            shop.line.fail(Fault(do="answer", path="/v2/bot/message/push", status=503, times=2))
            waiting = [await shop.reply(thread["id"], f"Answer {number}") for number in range(3)]
            await shop.until_state(waiting[0], "retrying")
        await mei.text("Is anybody there?")
        assert shop.line.webhooks[-1].status == 0
        async with at_work(shop):
            await shop.line.redeliver()
            for message in waiting:
                await shop.until_state(message, "sent", turn=shop.pauses(10))
            ours = [one["content"]["text"] for one in await shop.messages(thread["id"]) if one["direction"] == "in"]
        assert ours == ["Hello", "Is anybody there?"]
        assert [said.message["text"] for said in mei.sees if said.author is None] == [
            "Answer 0", "Answer 1", "Answer 2",
        ]  # fmt: skip
