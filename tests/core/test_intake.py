"""Intake: from items to threads, messages, events; each once, each in its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from tests.core.conftest import NOON, HandClock
from trunkline.contract import (
    Act,
    Capabilities,
    Channel,
    ContactActed,
    EchoReceived,
    Ignored,
    Item,
    MessageEdited,
    MessageRecalled,
    MessageReceived,
    ReplyCredential,
    Unknown,
    Window,
)
from trunkline.model import Address, Image, Media, MediaSource, Text, new_id
from trunkline.service.arrivals import AccountFacts, Arrival
from trunkline.service.intake import Intake, Outcome
from trunkline.store import Store, schema

WINDOW = Window(name="day", opened_by=frozenset({Act.MESSAGE}), lasts_s=24 * 3600, budget=5)
CHANNEL = Channel(
    code="test", title={"en": "Test"}, capabilities=Capabilities(receives={}, sends={}, windows=(WINDOW,))
)
SHOP = AccountFacts("shop", CHANNEL)

_numbers = count(1)


class Desk:
    """A store with an intake, and words for looking into it."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store, self.intake = store, Intake(store, clock)

    async def take(self, *items: Item, error: str | None = None) -> Outcome:
        return await self.intake.take(
            Arrival(raw_id=new_id(), account=SHOP, received_at=NOON, request_id="r", items=items, error=error)
        )

    async def rows(self, table: str) -> list[Any]:
        found = schema.metadata.tables[table]
        async with self.store.read() as connection:
            return list((await connection.execute(select(found))).fetchall())

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        query = select(schema.event.c.kind, schema.event.c.payload).order_by(schema.event.c.seq)
        async with self.store.read() as connection:
            return [(kind, msgspec.json.decode(payload)) for kind, payload in await connection.execute(query)]


@pytest.fixture
async def desk(database_url: str, clock: HandClock) -> AsyncIterator[Desk]:
    store = Store(database_url)
    await store.open()
    yield Desk(store, clock)
    await store.close()


def says(text: str, *, who: str = "mei", key: str | None = None, **more: Any) -> MessageReceived:
    number = next(_numbers)
    values: dict[str, Any] = {
        "dedupe_key": key or f"k{number}",
        "external_id": key or f"m{number}",
        "at_ms": NOON + number,
        "platform_kind": "message",
        "thread_key": who,
        "contact": Address(external_id=who, name=who.title()),
        "content": Text(text=text),
    }
    return MessageReceived(**{**values, **more})


async def test_a_message_makes_a_thread_with_a_contact_and_tells_of_both(desk: Desk) -> None:
    outcome = await desk.take(says("hello"))
    assert (outcome.state, outcome.new_items) == ("processed", 1)
    (thread,) = await desk.rows("thread")
    assert (thread.state, thread.unread, thread.last_position, thread.round) == ("new", 1, 1, 1)
    assert [kind for kind, _ in await desk.events()] == ["created", "message_received"]
    payload = (await desk.events())[1][1]
    assert payload["message"]["content"] == {"type": "text", "text": "hello"}
    assert payload["thread"]["contact"]["name"] == "Mei"


async def test_a_further_message_joins_the_thread_and_counts_on(desk: Desk) -> None:
    await desk.take(says("one"))
    await desk.take(says("two"), says("three"))
    (thread,) = await desk.rows("thread")
    assert (thread.unread, thread.last_position) == (3, 3)
    assert sorted(row.position for row in await desk.rows("message")) == [1, 2, 3]


async def test_one_request_may_hold_messages_of_several_people(desk: Desk) -> None:
    await desk.take(says("a", who="mei"), says("b", who="jonas"), says("c", who="mei"))
    threads = {thread.key: thread for thread in await desk.rows("thread")}
    assert {key: thread.last_position for key, thread in threads.items()} == {"mei": 2, "jonas": 1}


async def test_the_same_item_again_changes_nothing(desk: Desk) -> None:
    item = says("once", key="same")
    first, *others = await asyncio.gather(*(desk.take(item) for _ in range(8)))
    later = await desk.take(item)
    assert sum(outcome.new_items for outcome in (first, *others, later)) == 1
    assert len(await desk.rows("message")) == 1
    assert {row.state for row in await desk.rows("raw_request")} == {"processed", "ignored"}
    assert {row.reason for row in await desk.rows("raw_request")} == {None, "duplicate"}


async def test_one_message_under_two_event_ids_is_one_message(desk: Desk) -> None:
    await desk.take(says("once", external_id="platform-1"))
    await desk.take(says("once", external_id="platform-1"))
    assert len(await desk.rows("message")) == 1


async def test_a_late_arrival_gets_the_next_place_and_is_marked(desk: Desk) -> None:
    await desk.take(says("second", at_ms=NOON + 5000))
    await desk.take(says("first", at_ms=NOON + 1000))
    late = {row.position: bool(row.late) for row in await desk.rows("message")}
    assert late == {1: False, 2: True}


async def test_an_edit_replaces_the_text_and_keeps_the_old_one(desk: Desk) -> None:
    original = says("plain")
    await desk.take(original)
    edit = MessageEdited(
        dedupe_key="e1",
        at_ms=NOON + 9000,
        thread_key="mei",
        contact=original.contact,
        external_id=original.external_id,
        content=Text(text="plain, fixed"),
    )
    older = msgspec.structs.replace(edit, dedupe_key="e0", at_ms=NOON + 8000, content=Text(text="older"))
    await desk.take(edit)
    await desk.take(older)
    (row,) = await desk.rows("message")
    assert msgspec.json.decode(row.content)["text"] == "plain, fixed"
    assert [before["text"] for before in msgspec.json.decode(row.previous)] == ["plain"]
    assert (await desk.events())[-1][0] == "message_edited"


async def test_an_edit_that_comes_before_its_message_is_the_message(desk: Desk) -> None:
    original = says("plain")
    edit = MessageEdited(
        dedupe_key="e1",
        at_ms=NOON + 9000,
        thread_key="mei",
        contact=original.contact,
        external_id=original.external_id,
        content=Text(text="fixed"),
    )
    await desk.take(edit)
    await desk.take(original)
    (row,) = await desk.rows("message")
    assert msgspec.json.decode(row.content)["text"] == "fixed"


async def test_a_recall_leaves_a_tombstone_without_the_text(desk: Desk) -> None:
    original = says("secret plan")
    await desk.take(original)
    recall = MessageRecalled(
        dedupe_key="r1",
        at_ms=NOON + 9000,
        thread_key="mei",
        contact=original.contact,
        external_id=original.external_id,
    )
    await desk.take(recall)
    (row,) = await desk.rows("message")
    assert "secret plan" not in row.content
    assert row.recalled_at == NOON + 9000
    kind, payload = (await desk.events())[-1]
    assert kind == "message_recalled"
    assert payload["message"]["recalled_at"] is not None


async def test_nothing_of_a_recalled_message_is_left_anywhere(desk: Desk) -> None:
    secret = "my card number is 4111"
    await desk.take(says(secret, key="taken-back"))
    await desk.take(MessageEdited(
        dedupe_key="edit", at_ms=NOON + 5000, thread_key="mei", contact=Address(external_id="mei"),
        external_id="taken-back", content=Text(text=f"{secret} 1111"),
    ))  # fmt: skip
    await desk.take(says("thanks", quotes="taken-back"), says("and hello"))
    recall = MessageRecalled(
        dedupe_key="recall", at_ms=NOON + 9000, thread_key="mei", contact=Address(external_id="mei"),
        external_id="taken-back",
    )  # fmt: skip
    await desk.take(recall)
    for name in (name for name in schema.metadata.tables if not name.startswith("search_")):
        assert "card number" not in str([tuple(row) for row in await desk.rows(name)]), name
    assert "and hello" in str([tuple(row) for row in await desk.rows("event")])
    assert [row.state for row in await desk.rows("raw_request")].count("redacted") == 1


async def test_a_list_shows_that_its_last_line_was_taken_back(desk: Desk) -> None:
    await desk.take(says("sorry", key="taken-back"))
    recall = MessageRecalled(
        dedupe_key="recall", at_ms=NOON + 9000, thread_key="mei", contact=Address(external_id="mei"),
        external_id="taken-back",
    )  # fmt: skip
    await desk.take(recall)
    (thread,) = await desk.rows("thread")
    assert msgspec.json.decode(thread.preview) == {"author": "contact", "type": "unsupported", "text": ""}


async def test_a_recall_in_the_same_request_as_its_message_works(desk: Desk) -> None:
    original = says("oops")
    recall = MessageRecalled(
        dedupe_key="r1", at_ms=NOON, thread_key="mei", contact=original.contact, external_id=original.external_id
    )
    await desk.take(original, recall)
    (row,) = await desk.rows("message")
    assert row.recalled_at is not None


async def test_media_become_rows_of_ours_that_wait_to_be_fetched(desk: Desk) -> None:
    picture = Image(media=Media(mime="image/jpeg", source=MediaSource(reference="at-platform")))
    await desk.take(says("", content=picture))
    (medium,) = await desk.rows("media")
    (message,) = await desk.rows("message")
    assert (medium.state, medium.message_id) == ("pending", message.id)
    shown = (await desk.events())[1][1]["message"]["content"]["media"]
    assert (shown["id"], shown["state"]) == (medium.id, "pending")
    assert "at-platform" not in str(shown)


async def test_an_unknown_kind_becomes_a_placeholder_where_it_belongs(desk: Desk) -> None:
    unknown = Unknown(
        dedupe_key="u1",
        at_ms=NOON,
        platform_kind="hologram",
        raw={"type": "hologram"},
        thread_key="mei",
        contact=Address(external_id="mei"),
    )
    await desk.take(unknown)
    (row,) = await desk.rows("message")
    assert row.placeholder == "unknown_kind"
    assert msgspec.json.decode(row.content)["platform_kind"] == "hologram"


async def test_what_belongs_to_nobody_and_is_unknown_is_quarantined(desk: Desk) -> None:
    outcome = await desk.take(Unknown(dedupe_key="u1", platform_kind="comet", raw={"type": "comet"}))
    assert outcome.state == "quarantined"
    (raw,) = await desk.rows("raw_request")
    assert (raw.state, raw.reason) == ("quarantined", "unknown_kind")


async def test_a_body_that_cannot_be_read_is_kept_and_told_of(desk: Desk) -> None:
    await desk.take(error="It is no JSON.")
    (raw,) = await desk.rows("raw_request")
    assert (raw.state, raw.error) == ("quarantined", "It is no JSON.")
    assert [kind for kind, _ in await desk.events()] == ["quarantined"]


async def test_an_item_that_cannot_be_handled_does_not_cost_its_neighbours(desk: Desk) -> None:
    bad: Any = says("bad", content=object())
    outcome = await desk.take(says("good"), bad, says("also good", who="jonas"))
    assert outcome.state == "quarantined"
    assert outcome.new_items == 2
    assert len(await desk.rows("message")) == 2
    (raw,) = await desk.rows("raw_request")
    assert (raw.state, raw.reason) == ("quarantined", "handler_error")


async def test_ignored_items_leave_their_reason(desk: Desk) -> None:
    await desk.take(Ignored(dedupe_key="i1", reason="withdrawn"))
    (raw,) = await desk.rows("raw_request")
    assert (raw.state, raw.reason) == ("ignored", "withdrawn")


async def test_a_message_opens_the_reply_window_and_renews_its_budget(desk: Desk) -> None:
    await desk.take(says("one", at_ms=NOON))
    await desk.take(says("two", at_ms=NOON + 1000))
    (window,) = await desk.rows("window")
    assert (window.remaining, window.expires_at) == (5, NOON + 1000 + 24 * 3600 * 1000)
    told = (await desk.events())[-1][1]["thread"]["window"]
    assert (told["open"], told["remaining"]) == (True, 5)


async def test_reply_credentials_are_kept(desk: Desk) -> None:
    await desk.take(says("hi", reply=ReplyCredential(value="rt-1", expires_at_ms=NOON + 50_000)))
    (row,) = await desk.rows("reply_credential")
    assert (row.value, row.used_by) == ("rt-1", None)


async def test_somebody_who_leaves_is_unreachable_until_they_come_back(desk: Desk) -> None:
    contact = Address(external_id="mei")
    gone = ContactActed(dedupe_key="a", thread_key="mei", contact=contact, act=Act.UNFOLLOW, reachable=False)
    back = ContactActed(dedupe_key="b", thread_key="mei", contact=contact, act=Act.FOLLOW, reachable=True)
    await desk.take(gone)
    assert [bool(row.reachable) for row in await desk.rows("identity")] == [False]
    await desk.take(back)
    assert [bool(row.reachable) for row in await desk.rows("identity")] == [True]
    kinds = [kind for kind, _ in await desk.events()]
    assert kinds.count("reachability_changed") == 2


async def test_what_staff_write_in_the_platforms_client_is_an_answer(desk: Desk) -> None:
    await desk.take(says("hello?"))
    echo = EchoReceived(
        dedupe_key="x",
        at_ms=NOON + 5000,
        thread_key="mei",
        contact=Address(external_id="mei"),
        external_id="out-1",
        content=Text(text="hi from the phone"),
    )
    await desk.take(echo)
    (thread,) = await desk.rows("thread")
    assert thread.first_unanswered_at is None
    outbound = [row for row in await desk.rows("message") if row.direction == "out"]
    assert [row.author_kind for row in outbound] == ["staff_elsewhere"]


async def test_many_at_once_are_all_stored_with_places_of_their_own(desk: Desk) -> None:
    items = [says(f"n{number}", who=f"p{number % 7}") for number in range(140)]
    await asyncio.gather(*(desk.take(item) for item in items))
    async with desk.store.read() as connection:
        pairs = select(
            func.count(
                func.distinct(schema.message.c.thread_id + schema.message.c.position.cast(schema.message.c.id.type))
            )
        )
        assert (await connection.execute(pairs)).scalar() == 140
    assert {thread.last_position for thread in await desk.rows("thread")} == {20}
