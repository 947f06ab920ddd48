"""One person under several ids: wherever they come from, it is their thread, and the answer knows every way back."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from sqlalchemy import select

from tests.core.conftest import NOON, HandClock
from tests.core.outbox_yard import Platform, Yard, capabilities
from trunkline.contract import IdentityLinked, Item, MessageReceived
from trunkline.model import Address, AddressKind, Text, new_id
from trunkline.service.arrivals import AccountFacts, Arrival
from trunkline.service.intake import Intake
from trunkline.store import schema

_numbers = count(1)


class Desk:
    """A yard that also takes messages in."""

    def __init__(self, yard: Yard, platform: Platform, facts: AccountFacts) -> None:
        self.yard, self.platform, self.facts = yard, platform, facts
        self.intake = Intake(yard.store, yard.clock)

    async def take(self, *items: Item) -> None:
        arrival = Arrival(raw_id=new_id(), account=self.facts, received_at=NOON, request_id="r", items=items)
        assert (await self.intake.take(arrival)).state != "quarantined"

    async def rows(self, table: Any) -> list[Any]:
        async with self.yard.store.read() as connection:
            return list((await connection.execute(select(table))).fetchall())

    async def answer(self) -> Address:
        """Answer in the newest thread and return whom the platform was given."""
        thread = (await self.rows(schema.thread))[-1]
        await self.yard.post(thread.id, "an answer")
        await self.yard.settle()
        return self.platform.calls[-1].to


@pytest.fixture
async def desk(yard: Yard) -> Desk:
    platform = Platform()
    account = await yard.account(platform, capabilities())
    assert account.channel_spec is not None
    return Desk(yard, platform, AccountFacts("shop", account.channel_spec))


def says(who: str, *aliases: str, **more: Any) -> MessageReceived:
    number = next(_numbers)
    values: dict[str, Any] = {
        "dedupe_key": f"k{number}",
        "external_id": f"m{number}",
        "at_ms": NOON + number,
        "thread_key": who,
        "contact": Address(external_id=who, name="Mei", aliases=aliases),
        "content": Text(text=f"message {number}"),
    }
    return MessageReceived(**{**values, **more})


@pytest.mark.parametrize(
    "ways",
    [
        (("phone",), ("phone", "user"), ("user",)),
        (("phone", "user"), ("user",), ("phone",)),
        (("user",), ("phone", "user"), ("phone",)),
        (("user",), ("user", "phone"), ("phone", "user"), ("phone",)),
        (("phone", "user"), ("user", "parent"), ("parent",)),
    ],
)
@pytest.mark.parametrize("together", [False, True])
async def test_whoever_is_known_by_any_id_is_one_person_with_one_thread(
    desk: Desk, ways: tuple[tuple[str, ...], ...], together: bool
) -> None:
    messages = [says(*way) for way in ways]
    if together:
        await desk.take(*messages[:2])
        await desk.take(*messages[2:])
    else:
        for message in messages:
            await desk.take(message)
    (thread,) = await desk.rows(schema.thread)
    assert thread.last_position == len(ways)
    identities = await desk.rows(schema.identity)
    assert {row.external_id for row in identities} == {one for way in ways for one in way}
    assert {row.contact_id for row in identities} == {thread.contact_id}


async def test_an_answer_knows_every_way_to_the_person(desk: Desk) -> None:
    await desk.take(says("user"))
    assert await desk.answer() == Address(external_id="user", name="Mei")
    await desk.take(says("phone", "user"))
    to = await desk.answer()
    assert {to.external_id, *to.aliases} == {"user", "phone"}


async def test_a_new_number_goes_on_in_the_same_thread_and_is_written_to(desk: Desk) -> None:
    await desk.take(says("old"))
    moved = IdentityLinked(
        dedupe_key="moved", contact=Address(external_id="new", name="Mei"), other=Address(external_id="old")
    )
    await desk.take(moved)
    to = await desk.answer()
    assert (to.external_id, to.aliases) == ("new", ("old",))
    await desk.take(says("new"))
    (thread,) = await desk.rows(schema.thread)
    assert thread.last_position == 3
    assert len(await desk.rows(schema.contact)) == 1


async def test_a_move_is_known_by_every_id_that_it_names(desk: Desk) -> None:
    """A platform may tell that an id was made anew to somebody who knows the person by a number only."""
    await desk.take(says("number"))
    before, after = Address(external_id="old", aliases=("number",)), Address(external_id="new", aliases=("parent",))
    await desk.take(IdentityLinked(dedupe_key="moved", contact=after, other=before))
    to = await desk.answer()
    assert (to.external_id, {*to.aliases}) == ("new", {"number", "old", "parent"})
    await desk.take(says("parent"))
    (thread,) = await desk.rows(schema.thread)
    assert thread.last_position == 3


async def test_a_link_for_somebody_unknown_changes_nothing(desk: Desk) -> None:
    await desk.take(
        IdentityLinked(dedupe_key="moved", contact=Address(external_id="new"), other=Address(external_id="old"))
    )
    assert await desk.rows(schema.identity) == []


async def test_two_ids_that_were_two_people_become_one_contact_and_keep_their_threads(desk: Desk) -> None:
    await desk.take(says("phone"))
    await desk.take(says("user"))
    await desk.take(says("phone", "user"))
    threads = {row.key: row.last_position for row in await desk.rows(schema.thread)}
    assert threads == {"phone": 2, "user": 1}
    assert len({row.contact_id for row in await desk.rows(schema.identity)}) == 1


async def test_a_member_of_a_group_who_writes_alone_gets_a_thread_of_their_own(desk: Desk) -> None:
    group = Address(external_id="g1", kind=AddressKind.GROUP)
    await desk.take(says("g1", contact=group, member=Address(external_id="mei", aliases=())))
    await desk.take(says("mei"))
    assert {row.key for row in await desk.rows(schema.thread)} == {"g1", "mei"}


async def test_the_same_again_writes_nothing_more(desk: Desk, clock: HandClock) -> None:
    await desk.take(says("phone", "user"))
    before = await desk.rows(schema.identity)
    clock.advance(seconds=5)
    await desk.take(says("phone", "user"))
    assert await desk.rows(schema.identity) == before
