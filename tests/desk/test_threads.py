"""The inbox's list, a thread, who has it, and its life."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.core.conftest import HandClock
from tests.desk.harness import Client, Running, begin
from trunkline.clock import to_text
from trunkline.store import schema
from trunkline_desk.threads import listing
from trunkline_desk.threads.listing import NOBODY, Wanted


def kinds(history: list[dict[str, Any]]) -> list[str]:
    return [entry["kind"] for entry in history]


async def history_of(client: Client, thread: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"/threads/{thread}/history"))["items"]
    return items


@pytest.mark.requirement("001-08")
async def test_a_fresh_thread_is_new(desk: Running, ada: Client) -> None:
    thread = await ada.get(f"/threads/{await desk.thread()}")
    assert (thread["state"], thread["round"], thread["assignee"], thread["unread"]) == ("new", 1, None, 1)


@pytest.mark.requirement("001-14")
async def test_threads_can_be_opened_without_becoming_assigned(desk: Running, ada: Client) -> None:
    threads = [await desk.thread(f"Hello {n}", sender=f"u{n}") for n in range(3)]
    for thread in threads:
        await ada.get(f"/threads/{thread}")
        await ada.get(f"/threads/{thread}/messages")
        await ada.post(f"/threads/{thread}/read", {"position": 1})
    items = (await ada.get("/threads?view=unassigned"))["items"]
    assert [(item["state"], item["assignee"]) for item in items] == [("new", None)] * 3


@pytest.mark.requirement("001-15", "001-22")
async def test_a_thread_assigned_to_a_colleague_leaves_new_and_appears_in_their_service(
    desk: Running, ada: Client, bo: Client
) -> None:
    thread, colleague = await desk.thread(), await bo.get("/me")
    desk.clock.advance(seconds=60)
    given = await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": colleague["id"]})
    assert (given.json["state"], given.json["assignee"]["name"]) == ("in_service", "Bo")
    assert (await ada.get("/threads?view=unassigned"))["items"] == []
    assert [item["id"] for item in (await bo.get("/threads?view=mine"))["items"]] == [thread]
    entry = (await history_of(bo, thread))[-1]
    assert (entry["kind"], entry["actor"]["name"], entry["at"]) == ("assigned", "Ada", "2026-11-21T12:01:00.000Z")
    assert (entry["payload"]["target"], entry["payload"]["assignee"]["name"]) == ("agent", "Bo")


@pytest.mark.requirement("001-23")
async def test_an_assignment_that_is_withdrawn_makes_the_thread_new_again(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": "me"})
    desk.clock.advance(seconds=60)
    given = await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": None})
    assert (given.json["state"], given.json["assignee"]) == ("new", None)
    entry = (await history_of(ada, thread))[-1]
    assert (entry["kind"], entry["actor"]["name"], entry["at"]) == ("unassigned", "Ada", "2026-11-21T12:01:00.000Z")
    assert (entry["payload"]["target"], entry["payload"]["previous"]["name"]) == ("agent", "Ada")


async def test_assigning_to_whoever_has_it_writes_nothing(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    for _ in range(2):
        await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": "me"})
    assert kinds(await history_of(ada, thread)).count("assigned") == 1


async def test_a_thread_goes_neither_to_a_stranger_nor_to_somebody_disabled(
    desk: Running, ada: Client, bo: Client
) -> None:
    thread, colleague = await desk.thread(), await bo.get("/me")
    await ada.call("PATCH", f"/agents/{colleague['id']}", {"enabled": False})
    for agent_id in (colleague["id"], "nobody"):
        answer = await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": agent_id})
        assert (answer.status, answer.code) == (422, "unknown_agent")
    assert (await ada.get(f"/threads/{thread}"))["state"] == "new"


async def test_closing_keeps_what_is_unread_and_who_waits(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    closed = await ada.post(f"/threads/{thread}/close")
    assert (closed["state"], closed["unread"], closed["first_unanswered_at"]) == ("closed", 1, to_text(desk.clock.now))
    assert (await ada.get("/threads"))["items"] == []
    assert len((await ada.get("/threads?state=closed"))["items"]) == 1
    again = await ada.call("POST", f"/threads/{thread}/close", {})
    assert (again.status, again.code) == (409, "thread_closed")
    taken = await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": "me"})
    assert (taken.status, taken.code) == (409, "thread_closed")


async def test_reopening_by_hand_begins_the_next_round_for_whoever_did_it(
    desk: Running, ada: Client, bo: Client
) -> None:
    thread = await desk.thread()
    early = await bo.call("POST", f"/threads/{thread}/reopen", {})
    assert (early.status, early.code) == (409, "thread_not_closed")
    await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": "me"})
    await ada.post(f"/threads/{thread}/close")
    opened = await bo.post(f"/threads/{thread}/reopen")
    assert (opened["state"], opened["round"], opened["assignee"]["name"]) == ("in_service", 2, "Bo")
    assert kinds(await history_of(bo, thread))[-3:] == ["closed", "reopened", "assigned"]


async def test_a_customer_who_writes_into_a_closed_thread_begins_the_next_round(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    await ada.call("PUT", f"/threads/{thread}/assignee", {"agent_id": "me"})
    await ada.post(f"/threads/{thread}/close")
    await desk.customer("Me again")
    found = await ada.get(f"/threads/{thread}")
    assert (found["state"], found["round"], found["assignee"], found["unread"]) == ("new", 2, None, 2)
    reopened = (await history_of(ada, thread))[-1]
    assert (reopened["kind"], reopened["actor"]["kind"], reopened["payload"]["previous"]["name"]) == (
        "reopened",
        "contact",
        "Ada",
    )


async def test_many_messages_into_a_closed_thread_are_one_new_round(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    await ada.post(f"/threads/{thread}/close")
    await desk.platform({"events": [{"id": f"m{n}", "from": "u1", "text": f"{n}"} for n in range(5)]})
    assert (await ada.get(f"/threads/{thread}"))["round"] == 2


async def test_a_message_that_came_before_the_closing_does_not_reopen(desk: Running, ada: Client) -> None:
    """The desk reads the log a moment later: what an agent closed with the message before their eyes stays closed."""
    thread = await desk.thread()
    consumer = desk.house.workers["application:desk"]
    await consumer.stop()
    async with desk.session.post(
        f"{desk.address}/webhooks/shop",
        json={"events": [{"id": "late", "from": "u1", "text": "thanks"}]},
        headers={"x-wire": "shop-invented-secret"},
    ) as response:
        assert response.status == 200
    await ada.post(f"/threads/{thread}/close")
    await consumer.settle()
    found = await ada.get(f"/threads/{thread}")
    assert (found["state"], found["round"]) == ("closed", 1)


async def test_two_who_take_a_thread_at_once_leave_one_history_and_one_owner(
    desk: Running, ada: Client, bo: Client
) -> None:
    thread = await desk.thread()
    path, body = f"/threads/{thread}/assignee", {"agent_id": "me"}
    await asyncio.gather(*(client.call("PUT", path, body) for client in (ada, bo) * 4))
    entries = [entry for entry in await history_of(ada, thread) if entry["kind"] == "assigned"]
    names = [entry["payload"]["assignee"]["name"] for entry in entries]
    previous = [entry["payload"]["previous"] and entry["payload"]["previous"]["name"] for entry in entries]
    assert previous == [None, *names[:-1]]
    assert (await ada.get(f"/threads/{thread}"))["assignee"]["name"] == names[-1]


async def test_the_list_is_paged_newest_first_without_gap_or_double(desk: Running, ada: Client) -> None:
    events = [{"id": f"p{n}", "from": f"c{n}", "text": f"Hello {n}"} for n in range(23)]
    await desk.platform({"events": events})
    desk.clock.advance(seconds=1)
    await desk.customer("newest", sender="c5")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await ada.get("/threads", params={"limit": "5", **({"cursor": cursor} if cursor else {})})
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if len(seen) == 10:
            await desk.customer("arrives meanwhile", sender="c99")
    assert len(seen) == len(set(seen)) == 23
    first = (await ada.get("/threads?limit=2"))["items"]
    assert [item["preview"]["text"] for item in first] == ["arrives meanwhile", "newest"]


async def test_the_list_is_narrowed_by_account_channel_view_state_and_unread(desk: Running, ada: Client) -> None:
    shop, mill = await desk.thread("shop"), await desk.thread("mill", account="mill")
    quiet = await desk.thread("quiet", account="quiet")
    await ada.post(f"/threads/{shop}/read", {"position": 1})
    await ada.call("PUT", f"/threads/{mill}/assignee", {"agent_id": "me"})
    await ada.post(f"/threads/{quiet}/close")

    async def found(query: str) -> set[str]:
        return {item["id"] for item in (await ada.get(f"/threads?{query}"))["items"]}

    assert await found("") == {shop, mill}
    assert await found("state=any") == {shop, mill, quiet}
    assert await found("state=closed") == {quiet}
    assert await found("account=mill") == {mill}
    assert await found("channel=wire&state=any") == {shop, mill}
    assert await found("channel=mute&state=any") == {quiet}
    assert await found("channel=mute&account=shop&state=any") == set()
    assert await found("channel=unheard") == set()
    assert await found("view=mine") == {mill}
    assert await found("view=unassigned") == {shop}
    assert await found("unread=true") == {mill}
    assert await found("unread=true&view=unassigned") == set()


async def test_reading_counts_what_came_after_and_never_goes_back(desk: Running, ada: Client) -> None:
    thread = await desk.thread("one")
    for text in ("two", "three"):
        await desk.customer(text)

    async def unread_after(position: int) -> int:
        assert (await ada.call("POST", f"/threads/{thread}/read", {"position": position})).status == 204
        return int((await ada.get(f"/threads/{thread}"))["unread"])

    assert [await unread_after(position) for position in (2, 1, 3, 0, 999)] == [1, 1, 0, 0, 0]
    entries = [entry for entry in await history_of(ada, thread) if entry["kind"] == "read"]
    assert [(entry["payload"]["position"], entry["payload"]["unread"]) for entry in entries] == [(2, 1), (3, 0)]


async def test_the_customer_is_told_where_the_channel_can(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    await ada.post(f"/threads/{thread}/read", {"position": 1})
    await desk.settle()
    assert [(signal.kind, signal.to.external_id) for signal in desk.connector().signals] == [("read", "u1")]


async def test_a_failing_signal_fails_no_request(desk: Running, ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_signal: Any) -> None:
        raise RuntimeError("no")

    thread = await desk.thread()
    monkeypatch.setattr(desk.connector(), "signal", broken)
    assert (await ada.call("POST", f"/threads/{thread}/read", {"position": 1})).status == 204
    assert (await ada.call("POST", f"/threads/{thread}/typing", {})).status == 202
    await desk.settle()


async def test_the_composer_says_what_the_channel_carries_now(desk: Running, ada: Client) -> None:
    composer = (await ada.get(f"/threads/{await desk.thread()}"))["composer"]
    assert composer["content"]["text"] == {"level": "full", "max": 100, "unit": "characters"}
    assert composer["content"]["image"]["mimes"] == ["image/png", "image/jpeg"]
    assert composer["quick_replies"] == {"max": 3, "title_max": 20, "title_unit": "characters"}
    assert {"typing", "mark_read"} <= set(composer["extras"])
    quiet = (await ada.get(f"/threads/{await desk.thread('q', account='quiet')}"))["composer"]
    assert (quiet["quick_replies"], quiet["extras"], set(quiet["content"])) == (None, [], {"text"})


async def test_the_window_runs_out(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    assert (await ada.get(f"/threads/{thread}"))["window"]["open"] is True
    for _ in range(3):
        desk.clock.advance(hours=8.1)
        await ada.get("/me")
        await desk.settle()
    window = (await ada.get(f"/threads/{thread}"))["window"]
    assert (window["open"], window["reason"], window["afterwards"]) == (False, "window_closed", "nothing")
    quiet = await desk.thread("q", account="quiet")
    assert (await ada.get(f"/threads/{quiet}"))["window"] is None


async def test_whoever_can_no_longer_be_reached_is_shown_so(desk: Running, ada: Client) -> None:
    thread = await desk.thread()
    await desk.customer("", kind="unfollow")
    assert (await ada.get(f"/threads/{thread}"))["reachable"] is False


async def test_an_unknown_thread_is_not_found(ada: Client) -> None:
    for path in ("", "/messages", "/history", "/notes"):
        answer = await ada.call("GET", f"/threads/unheard{path}")
        assert (answer.status, answer.code) == (404, "unknown_thread")
    for path, body in (("close", {}), ("reopen", {}), ("read", {"position": 1}), ("typing", {})):
        answer = await ada.call("POST", f"/threads/unheard/{path}", body)
        assert (answer.status, answer.code) == (404, "unknown_thread")


async def test_every_change_is_told_with_the_list_as_its_beginning(desk: Running, ada: Client) -> None:
    """What the list does not show yet, the feed from `stream_cursor` on does."""
    thread = await desk.thread()
    cursor = (await ada.get("/threads"))["stream_cursor"]
    await ada.post(f"/threads/{thread}/close")
    socket = await ada.listen(cursor)
    await begin(socket)
    frame = await socket.receive_json(timeout=10)
    assert [event["kind"] for event in frame["events"]] == ["closed"]


def test_the_clock_stands(clock: HandClock) -> None:
    assert to_text(clock.now_ms()) == "2026-11-21T12:00:00.000Z"


async def test_the_list_is_asked_by_whose_the_threads_are(desk: Running, ada: Client, bo: Client) -> None:
    me, colleague = await ada.get("/me"), await bo.get("/me")
    threads = {name: await desk.thread(name, sender=name) for name in ("mine", "theirs", "nobodys", "closed")}
    await ada.call("PUT", f"/threads/{threads['mine']}/assignee", {"agent_id": "me"})
    await ada.call("PUT", f"/threads/{threads['theirs']}/assignee", {"agent_id": colleague["id"]})
    await ada.post(f"/threads/{threads['closed']}/close")

    async def found(client: Client, **query: str) -> list[str]:
        return [item["preview"]["text"] for item in (await client.get("/threads", params=query))["items"]]

    assert await found(ada, assignee="me") == ["mine"]
    assert await found(bo, assignee=me["id"]) == ["mine"]
    assert await found(bo, assignee="me") == ["theirs"]
    assert await found(ada, assignee="none") == ["nobodys"]
    assert await found(ada, assignee="none", state="any") == ["closed", "nobodys"]
    assert await found(ada, assignee="unheard") == []
    assert (await ada.call("GET", "/threads?assignee=a%20b")).code == "bad_parameter"


async def test_the_list_is_asked_by_the_channel_that_a_thread_came_by(desk: Running, ada: Client) -> None:
    own, other = await desk.thread("own", sender="p1"), await desk.thread("other", sender="p2")
    await desk.thread("quiet", sender="p3", account="quiet")
    table = schema.thread
    await desk.house.store.writer.write(
        lambda tx: tx.execute(table.update().where(table.c.id == other).values(channel="wire_mobile")).rowcount
    )
    pages = {code: await ada.get("/threads", params={"channel": code}) for code in ("wire", "wire_mobile", "mute")}
    assert [item["id"] for item in pages["wire"]["items"]] == [own]
    assert [(item["id"], item["channel"]) for item in pages["wire_mobile"]["items"]] == [(other, "wire_mobile")]
    assert [item["channel"] for item in pages["mute"]["items"]] == ["mute"]
    both = await ada.get("/threads", params={"channel": "wire", "account": "mill"})
    assert both["items"] == []


async def test_open_threads_are_counted(desk: Running, ada: Client, bo: Client) -> None:
    for number in range(4):
        await desk.thread(f"t{number}", sender=f"s{number}")
    one, two, *_ = [item["id"] for item in (await ada.get("/threads"))["items"]]
    await bo.call("PUT", f"/threads/{one}/assignee", {"agent_id": "me"})
    await ada.post(f"/threads/{two}/close")
    assert await ada.get("/threads/counts") == {"mine": 0, "unassigned": 2, "all": 3}
    assert await bo.get("/threads/counts") == {"mine": 1, "unassigned": 2, "all": 3}


async def test_lists_and_counts_are_read_along_an_index(desk: Running) -> None:
    """As SQLite plans them: no list reads the whole table or sorts it."""
    if desk.house.store.dialect != "sqlite":
        pytest.skip("PostgreSQL plans by statistics, and a test's table has a few rows")
    asked = [
        Wanted(),
        Wanted(assignee="a1"),
        Wanted(assignee=NOBODY),
        Wanted(state="any", assignee="a1"),
        Wanted(account="shop"),
        Wanted(account="shop", state="closed"),
        Wanted(state="any"),
        Wanted(unread=True),
    ]
    statements = [listing._page(wanted) for wanted in asked]
    statements += [listing._counted(listing._thread.c.assignee_id == "a1"), listing._counted()]
    async with desk.house.store.read() as connection:
        for statement in statements:
            sql = statement.compile(connection.sync_connection, compile_kwargs={"literal_binds": True})
            plan = [row.detail for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
            first = next(line for line in plan if " thread" in line)
            assert "INDEX ix_thread_" in first, (str(statement), plan)
            assert not any("TEMP B-TREE" in line for line in plan), (str(statement), plan)
