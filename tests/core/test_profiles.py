"""The worker that asks platforms who people are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from aiohttp import web as aioweb
from aiohttp.test_utils import TestServer
from sqlalchemy import select, update

from tests.core.conftest import HandClock
from tests.core.media_yard import files_in, picture
from trunkline.contract import Accepted, Connector, Item, OutboundMessage, TrustedBody, WebhookRequest
from trunkline.errors import TryLater, Undeliverable
from trunkline.model import Address, AddressKind, Profile, new_id
from trunkline.service.media import MediaLimits, MediaStore
from trunkline.service.platform_http import build_open_client
from trunkline.service.profiles import Profiles
from trunkline.store import Store
from trunkline.store.schema import contact, event, identity, message, thread


class Directory(Connector):
    """Knows the people in `people`: a profile, None, or an error."""

    def __init__(self) -> None:
        self.people: dict[str, Profile | Exception | None] = {}
        self.asked: list[tuple[Address, Address | None]] = []

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        raise NotImplementedError

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        raise NotImplementedError

    async def deliver(self, message: OutboundMessage) -> Accepted:
        raise NotImplementedError

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        self.asked.append((address, group))
        answer = self.people.get(address.external_id)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Desk:
    """A store with people in it, and the worker."""

    def __init__(self, store: Store, files: MediaStore, web: httpx2.AsyncClient, clock: HandClock) -> None:
        self.store, self.clock = store, clock
        self.directory = Directory()
        self.worker = Profiles(store, files, lambda _: self.directory, web=web, clock=clock, per_second=10_000)

    async def add(self, external_id: str, *, kind: str = "person", with_thread: bool = True) -> str:
        """Add a person (with a thread of their own) and return the contact's id."""
        contact_id, identity_id, now = new_id(), new_id(), self.clock.now_ms()

        def insert(tx: Any) -> None:
            tx.execute(contact.insert().values(id=contact_id, name=None, created_at=now))
            tx.execute(
                identity.insert().values(
                    id=identity_id,
                    account_id="shop",
                    external_id=external_id,
                    kind=kind,
                    contact_id=contact_id,
                    reachable=True,
                    created_at=now,
                )
            )
            if with_thread:
                tx.execute(thread.insert().values(**self._thread(external_id, contact_id, identity_id)))

        await self.store.writer.write(insert)
        return contact_id

    def _thread(self, key: str, contact_id: str, identity_id: str) -> dict[str, Any]:
        now = self.clock.now_ms()
        return {
            "id": f"thread-{key}",
            "account_id": "shop",
            "key": key,
            "contact_id": contact_id,
            "identity_id": identity_id,
            "state": "new",
            "round": 1,
            "last_position": 1,
            "last_message_at": now,
            "last_inbound_at": now,
            "unread": 0,
            "created_at": now,
        }

    async def writes(self, external_id: str) -> None:
        now = self.clock.now_ms()
        values = {"last_message_at": now, "last_inbound_at": now}
        await self.store.writer.write(
            lambda tx: tx.execute(update(thread).where(thread.c.key == external_id).values(**values))
        )

    async def contact(self, contact_id: str) -> Any:
        async with self.store.read() as connection:
            return (await connection.execute(select(contact).where(contact.c.id == contact_id))).one()

    async def events(self) -> list[Any]:
        async with self.store.read() as connection:
            rows = await connection.execute(select(event).where(event.c.kind == "contact_changed"))
            return [(row.thread_id, msgspec.json.decode(row.payload)["contact"]) for row in rows]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
async def desk(store: Store, folder: Path, clock: HandClock) -> AsyncIterator[Desk]:
    files = MediaStore(folder, store, clock, MediaLimits(free_space_floor=0))
    async with build_open_client(allow_hosts=["127.0.0.1"]) as web:
        yield Desk(store, files, web, clock)


@pytest.fixture
async def server() -> AsyncIterator[str]:
    async def serve(request: aioweb.Request) -> aioweb.Response:
        bodies = {"face": picture(), "other": picture(colour="blue"), "svg": b"<svg/>"}
        return aioweb.Response(body=bodies[request.match_info["what"]])

    application = aioweb.Application()
    application.router.add_get("/{what}", serve)
    async with TestServer(application) as server:
        yield f"http://127.0.0.1:{server.port}"


async def test_a_new_person_gets_name_language_and_picture(desk: Desk, server: str, folder: Path) -> None:
    contact_id = await desk.add("U1")
    desk.directory.people["U1"] = Profile(name="Ada", picture_url=f"{server}/face", language="ja")
    await desk.worker.settle()
    row = await desk.contact(contact_id)
    assert (row.name, row.language) == ("Ada", "ja")
    assert len(files_in(folder)) == 2
    [(thread_id, shown)] = await desk.events()
    assert thread_id == "thread-U1"
    assert (shown["name"], shown["avatar"]["id"], shown["avatar"]["state"]) == ("Ada", row.avatar_id, "stored")


async def test_nobody_is_asked_twice_within_a_day(desk: Desk, clock: HandClock) -> None:
    await desk.add("U1")
    desk.directory.people["U1"] = None
    await desk.worker.settle()
    clock.advance(hours=23)
    await desk.writes("U1")
    await desk.worker.settle()
    assert len(desk.directory.asked) == 1


async def test_who_writes_again_after_a_day_is_asked_again(desk: Desk, clock: HandClock) -> None:
    contact_id = await desk.add("U1")
    desk.directory.people["U1"] = Profile(name="Ada")
    await desk.worker.settle()
    clock.advance(hours=25)
    await desk.worker.settle()
    assert len(desk.directory.asked) == 1
    desk.directory.people["U1"] = Profile(name="Ada L.")
    await desk.writes("U1")
    await desk.worker.settle()
    assert (await desk.contact(contact_id)).name == "Ada L."
    assert len(await desk.events()) == 2


async def test_a_changed_picture_replaces_the_old_file_and_an_unchanged_one_is_not_fetched_again(
    desk: Desk, server: str, clock: HandClock
) -> None:
    contact_id = await desk.add("U1")
    pictures = []
    for name in ("face", "face", "other"):
        desk.directory.people["U1"] = Profile(name="Ada", picture_url=f"{server}/{name}")
        await desk.writes("U1")
        await desk.worker.settle()
        pictures.append((await desk.contact(contact_id)).avatar_id)
        clock.advance(hours=25)
    assert pictures[0] == pictures[1] != pictures[2]
    assert len(await desk.events()) == 2


@pytest.mark.parametrize("picture_url", ["http://10.0.0.1/face", "http://127.0.0.1:1/face", "not an address", "SVG"])
async def test_sec_01_a_picture_that_cannot_be_had_or_is_none_does_not_keep_the_name_back(
    desk: Desk, server: str, folder: Path, picture_url: str
) -> None:
    contact_id = await desk.add("U1")
    url = f"{server}/svg" if picture_url == "SVG" else picture_url
    desk.directory.people["U1"] = Profile(name="Ada", picture_url=url)
    await desk.worker.settle()
    row = await desk.contact(contact_id)
    assert (row.name, row.avatar_id) == ("Ada", None)
    assert files_in(folder) == []


async def test_a_failure_blocks_nobody_else_and_is_tried_again_later(desk: Desk, clock: HandClock) -> None:
    first, second = await desk.add("U1"), await desk.add("U2")
    desk.directory.people = {"U1": TryLater("busy"), "U2": Profile(name="Bo")}
    await desk.worker.settle()
    await desk.worker.settle()
    assert (await desk.contact(second)).name == "Bo"
    assert [address.external_id for address, _ in desk.directory.asked].count("U1") == 1
    desk.directory.people["U1"] = Profile(name="Ada")
    clock.advance(seconds=5)
    await desk.worker.settle()
    assert (await desk.contact(first)).name == "Ada"


@pytest.mark.parametrize("error", [Undeliverable("unknown"), KeyError("bug")])
async def test_a_final_failure_is_not_repeated(desk: Desk, error: Exception) -> None:
    contact_id = await desk.add("U1")
    desk.directory.people["U1"] = error
    await desk.worker.settle()
    await desk.worker.settle()
    assert len(desk.directory.asked) == 1
    assert (await desk.contact(contact_id)).name is None


async def test_more_people_than_fit_at_once_are_all_asked(desk: Desk) -> None:
    for number in range(30):
        await desk.add(f"U{number}")
    await desk.worker.settle()
    assert len(desk.directory.asked) == 30


async def test_a_member_of_a_group_is_asked_for_with_the_group(desk: Desk) -> None:
    await desk.add("G1", kind="group")
    member = await desk.add("U1", with_thread=False)
    values = {
        "id": new_id(),
        "thread_id": "thread-G1",
        "position": 1,
        "account_id": "shop",
        "direction": "in",
        "author_kind": "contact",
        "author_id": member,
        "content": "{}",
        "at": desk.clock.now_ms(),
        "late": False,
    }
    await desk.store.writer.write(lambda tx: tx.execute(message.insert().values(**values)))
    await desk.worker.settle()
    asked = {address.external_id: group for address, group in desk.directory.asked}
    assert asked == {"G1": None, "U1": Address(external_id="G1", kind=AddressKind.GROUP)}


async def test_an_account_is_asked_so_many_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    from trunkline.service import profiles

    slept: list[float] = []
    now = 100.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(profiles, "monotonic", lambda: now)
    monkeypatch.setattr("trunkline.service.profiles.asyncio.sleep", sleep)
    pace = profiles._Pace(5)
    for _ in range(11):
        await pace.turn()
    assert slept == [1.0] + [0.0] * 4 + [1.0]
