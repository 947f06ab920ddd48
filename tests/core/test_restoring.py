"""What is read again: a placeholder becomes the message that it stood for, with its files."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tests.core.conftest import NOON, HandClock
from trunkline.contract import Capabilities, Channel, Item, MessageReceived, Unknown
from trunkline.model import Address, Content, Image, Media, MediaSource, Text, new_id
from trunkline.service.arrivals import AccountFacts, Arrival
from trunkline.service.intake import Intake
from trunkline.service.restoring import Difference, repair
from trunkline.store import Store, schema

SHOP = AccountFacts(
    "shop", Channel(code="test", title={"en": "Test"}, capabilities=Capabilities(receives={}, sends={}))
)
PICTURE = Image(media=Media(mime="image/jpeg", source=MediaSource(reference="at-platform")))
OTHER = Image(media=Media(mime="image/jpeg", source=MediaSource(reference="elsewhere")))


class Archive:
    """A store whose requests are read again."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store, self.intake, self.clock = store, Intake(store, clock), clock
        self.woken: set[str] = set()
        store.writer.listen(lambda _rows, wakes: self.woken.update(wakes))

    async def take(self, item: Item) -> None:
        await self.intake.take(_arrival(item))
        self.woken.clear()

    async def again(self, item: Item) -> list[Difference]:
        """Read a request again that holds this item today."""
        arrival, now = _arrival(item), self.clock.now_ms()
        return await self.store.writer.write(lambda tx: repair(tx, self.intake, arrival, now))

    async def rows(self, table: str) -> list[Any]:
        async with self.store.read() as connection:
            return list((await connection.execute(select(schema.metadata.tables[table]))).fetchall())

    async def shown(self) -> Any:
        """Return the content that the last event tells of."""
        query = select(schema.event.c.payload).where(schema.event.c.kind == "message_restored")
        async with self.store.read() as connection:
            *_, payload = (await connection.execute(query.order_by(schema.event.c.seq))).scalars()
        return msgspec.json.decode(payload)["message"]["content"]


def _arrival(item: Item) -> Arrival:
    return Arrival(raw_id=new_id(), account=SHOP, received_at=NOON, request_id="r", items=[item])


def unknown() -> Unknown:
    return Unknown(
        dedupe_key="k1", at_ms=NOON, platform_kind="hologram", raw={}, thread_key="mei",
        contact=Address(external_id="mei"),
    )  # fmt: skip


def message(content: Content) -> MessageReceived:
    return MessageReceived(
        dedupe_key="k1", external_id="m1", at_ms=NOON, platform_kind="hologram", thread_key="mei",
        contact=Address(external_id="mei"), content=content,
    )  # fmt: skip


@pytest.fixture
async def archive(any_store: Store, clock: HandClock) -> Archive:
    return Archive(any_store, clock)


async def test_the_file_of_a_restored_placeholder_is_fetched(archive: Archive) -> None:
    await archive.take(unknown())
    (found,) = await archive.again(message(PICTURE))
    assert found.kind == "restored"
    (row,), (medium,) = await archive.rows("message"), await archive.rows("media")
    assert (medium.state, medium.message_id, medium.thread_id) == ("pending", row.id, row.thread_id)
    assert medium.due_at <= archive.clock.now_ms()
    assert "media" in archive.woken
    shown = (await archive.shown())["media"]
    assert (shown["id"], shown["state"]) == (medium.id, "pending")


async def test_a_message_that_reads_otherwise_keeps_the_files_that_it_has(archive: Archive) -> None:
    await archive.take(message(PICTURE))
    (before,) = await archive.rows("media")
    captioned = Image(media=PICTURE.media, caption="The red one")
    (found,) = await archive.again(message(captioned))
    assert found.kind == "changed"
    (after,) = await archive.rows("media")
    assert after.id == before.id == (await archive.shown())["media"]["id"]
    assert "media" not in archive.woken


async def test_a_message_that_was_read_as_text_gets_its_file(archive: Archive) -> None:
    await archive.take(message(Text(text="[picture]")))
    await archive.again(message(PICTURE))
    await archive.again(message(OTHER))
    assert [msgspec.json.decode(row.source)["reference"] for row in await archive.rows("media")] == [
        "at-platform",
        "elsewhere",
    ]
