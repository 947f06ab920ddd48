"""Pulling: every page once, the cursor with the page, one puller per scope, nothing lost by a failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
from sqlalchemy import select

from tests.core.conftest import NOON, HandClock
from trunkline.contract import (
    Accepted,
    Capabilities,
    Channel,
    Connector,
    Item,
    MessageReceived,
    OutboundMessage,
    Page,
    PullRequest,
    PullRequested,
    Receiving,
    Transport,
    TrustedBody,
    WebhookRequest,
)
from trunkline.errors import BodyUnreadable, SignInNeeded, TryLater
from trunkline.model import Address, Text, new_id
from trunkline.service.account import Account
from trunkline.service.arrivals import AccountFacts, Arrival
from trunkline.service.house import House
from trunkline.service.intake import Intake
from trunkline.service.pull_cursors import Progress
from trunkline.service.puller import PULLED, Puller
from trunkline.store import Store, schema

PULLING = Capabilities(receives={}, sends={}, receiving=Receiving(transport=Transport.NOTIFY, pull_every_s=600))


class Desk(Connector):
    """A platform that keeps messages until they are pulled, a few per page."""

    def __init__(self, *texts: str, size: int = 2) -> None:
        self.kept: list[tuple[int, str]] = [(NOON + number, text) for number, text in enumerate(texts)]
        self.size = size
        self.asked: list[PullRequest] = []
        self.trouble: list[Exception] = []
        self.gate: asyncio.Event | None = None
        #: Set when somebody has come to the gate.
        self.at_gate = asyncio.Event()

    def say(self, *texts: str, at: int = NOON + 1000) -> None:
        self.kept += [(at, text) for text in texts]

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        try:
            entries = json.loads(body)
        except ValueError as error:
            raise BodyUnreadable("No JSON.") from error
        return [_message(*entry) for entry in entries]

    def scopes(self) -> Sequence[str]:
        return ("desk",)

    async def pull(self, request: PullRequest) -> Page:
        self.asked.append(request)
        if self.gate is not None:
            self.at_gate.set()
            await self.gate.wait()
        if self.trouble:
            raise self.trouble.pop(0)
        start = int(request.cursor or 0)
        end = min(start + self.size, len(self.kept))
        page = [[number, *self.kept[number]] for number in range(start, end)]
        return Page(raw=json.dumps(page).encode(), cursor=str(end), more=end < len(self.kept))

    async def deliver(self, message: OutboundMessage) -> Accepted:
        raise NotImplementedError


def _message(number: int, at: int, text: str) -> Item:
    values: dict[str, Any] = {"dedupe_key": f"k{number}", "external_id": f"m{number}", "at_ms": at}
    return MessageReceived(**values, thread_key="mei", contact=Address(external_id="mei"), content=Text(text=text))


class World:
    """A store with an account that is pulled, and its worker."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store, self.clock, self.intake = store, clock, Intake(store, clock)
        self.states: list[tuple[str, str]] = []
        self.account = Account("shop", "desk", "desk", "Shop", locked=True, state="connected")
        self.account.channel_spec = Channel(code="desk", title={"en": "Desk"}, capabilities=PULLING)

    async def open(self, platform: Desk) -> Puller:
        self.account.connector = platform
        row = {
            "id": "shop", "connector": "desk", "channel": "desk", "settings": b"", "locked": True,
            "state": "connected", "state_at": NOON, "created_at": NOON,
        }  # fmt: skip
        await self.store.writer.write(lambda tx: tx.execute(schema.account.insert().values(row)))
        return self.worker()

    def worker(self) -> Puller:
        async def change(account_id: str, state: str, reason: str | None = None) -> None:
            self.states.append((account_id, state))

        accounts = SimpleNamespace(all=lambda: [self.account], change=change)
        house = SimpleNamespace(store=self.store, clock=self.clock, accounts=accounts, intake=self.intake)
        return Puller(cast(House, house))

    async def notified(self, token: str | None = None) -> None:
        """Let a notification arrive."""
        assert self.account.channel_spec is not None
        asked = PullRequested(dedupe_key=new_id(), scope="desk", token=token)
        facts = AccountFacts("shop", self.account.channel_spec)
        await self.intake.take(Arrival(raw_id=new_id(), account=facts, received_at=NOON, request_id="r", items=[asked]))

    async def rows(self, table: Any) -> list[Any]:
        async with self.store.read() as connection:
            return list((await connection.execute(select(table))).fetchall())

    async def texts(self) -> list[str]:
        rows = sorted(await self.rows(schema.message), key=lambda row: row.position)
        return [json.loads(row.content)["text"] for row in rows]


@pytest.fixture
async def world(any_store: Store, clock: HandClock) -> World:
    return World(any_store, clock)


async def test_everything_is_pulled_at_the_start_page_after_page(world: World) -> None:
    platform = Desk("a", "b", "c", "d", "e")
    puller = await world.open(platform)
    await puller.settle()
    assert await world.texts() == ["a", "b", "c", "d", "e"]
    assert [request.cursor for request in platform.asked] == [None, "2", "4"]
    assert {row.method for row in await world.rows(schema.raw_request)} == {PULLED}


async def test_nothing_is_asked_again_before_its_time(world: World, clock: HandClock) -> None:
    platform = Desk("a")
    puller = await world.open(platform)
    await puller.settle()
    await puller.settle()
    assert len(platform.asked) == 1
    platform.say("b")
    clock.advance(seconds=601)
    await puller.settle()
    assert await world.texts() == ["a", "b"]
    assert platform.asked[-1] == PullRequest(scope="desk", cursor="1", token=None)


async def test_a_notification_pulls_at_once_with_its_token(world: World) -> None:
    platform = Desk("a")
    puller = await world.open(platform)
    await puller.settle()
    platform.say("b")
    await world.notified("token-1")
    await puller.settle()
    assert await world.texts() == ["a", "b"]
    assert platform.asked[-1].token == "token-1"


async def test_a_notification_during_a_pull_means_once_more(world: World) -> None:
    platform = Desk("a")
    puller = await world.open(platform)
    platform.gate = asyncio.Event()
    await puller.step()
    await platform.at_gate.wait()
    await world.notified("token-1")
    await puller.step()
    platform.gate.set()
    await puller.settle()
    platform.say("b")
    assert len(platform.asked) == 2
    assert [request.token for request in platform.asked] == [None, "token-1"]


async def test_two_processes_never_pull_one_scope_at_once(world: World) -> None:
    platform = Desk("a", "b", "c")
    first = await world.open(platform)
    second = world.worker()
    platform.gate = asyncio.Event()
    await asyncio.gather(first.step(), second.step())
    await asyncio.sleep(0)
    platform.gate.set()
    await asyncio.gather(first.settle(), second.settle())
    assert [request.cursor for request in platform.asked] == [None, "2"]
    assert await world.texts() == ["a", "b", "c"]


async def test_what_another_process_pulled_while_one_looked_is_not_pulled_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Desk("a", "b", "c")
    first = await world.open(platform)
    second = world.worker()

    async def as_it_was(account_id: str) -> dict[str, Progress]:
        return {}

    await first.settle()
    monkeypatch.setattr(second, "_known", as_it_was)
    await second.step()
    monkeypatch.undo()
    await second.settle()
    assert [request.cursor for request in platform.asked] == [None, "2"]


async def test_another_takes_over_from_one_that_died_and_its_late_page_is_dropped(
    world: World, clock: HandClock
) -> None:
    platform = Desk("a", "b", "c")
    dead = await world.open(platform)
    platform.gate = asyncio.Event()
    await dead.step()
    await platform.at_gate.wait()
    clock.advance(seconds=46)
    platform_gate, platform.gate = platform.gate, None
    heir = world.worker()
    await heir.settle()
    assert await world.texts() == ["a", "b", "c"]
    platform_gate.set()
    await dead.settle()
    assert await world.texts() == ["a", "b", "c"]
    (cursor,) = [row for row in await world.rows(schema.cursor) if row.name == "pull:shop:desk"]
    assert json.loads(cursor.position)["cursor"] == "3"


async def test_a_failure_waits_longer_each_time_and_loses_nothing(world: World, clock: HandClock) -> None:
    platform = Desk("a", "b")
    platform.trouble = [TryLater("Busy."), httpx2.ConnectError("Gone."), TryLater("Busy.", after_s=60)]
    puller = await world.open(platform)
    for pause in (0, 5, 10, 60):
        before = len(platform.asked)
        clock.advance(seconds=pause - 1 if pause else 0)
        if pause:
            await puller.settle()
            assert len(platform.asked) == before
            clock.advance(seconds=1)
        await puller.settle()
    assert await world.texts() == ["a", "b"]


async def test_refused_credentials_are_shown_at_the_account(world: World) -> None:
    platform = Desk("a")
    platform.trouble = [SignInNeeded("The secret is refused.")]
    await (await world.open(platform)).settle()
    assert world.states == [("shop", "sign_in_needed")]


async def test_what_lay_there_before_the_account_is_not_filed(world: World) -> None:
    platform = Desk()
    platform.say("three days old", at=NOON - 1)
    platform.say("new")
    await (await world.open(platform)).settle()
    assert await world.texts() == ["new"]


async def test_later_an_old_message_is_a_message(world: World) -> None:
    platform = Desk("a")
    puller = await world.open(platform)
    await puller.settle()
    platform.say("late", at=NOON - 1)
    await world.notified()
    await puller.settle()
    assert await world.texts() == ["a", "late"]


async def test_a_page_that_cannot_be_read_is_kept_and_stands_in_nobodys_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Desk("a", "b", "c")
    puller = await world.open(platform)
    read = platform.parse
    monkeypatch.setattr(platform, "parse", lambda body: read(TrustedBody(b"?" if b'"a"' in body else body)))
    await puller.settle()
    assert await world.texts() == ["c"]
    (bad,) = [row for row in await world.rows(schema.raw_request) if row.state == "quarantined"]
    assert json.loads(bad.body)[0][2] == "a"


async def test_a_page_that_cannot_be_stored_is_set_aside_item_by_item(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Desk("a", "bad", "c", size=3)
    puller = await world.open(platform)
    read = platform.parse

    def parse(body: TrustedBody) -> Sequence[Item]:
        items = list(read(body))
        items[1:2] = [cast(Item, _Broken(dedupe_key="broken"))]
        return items

    monkeypatch.setattr(platform, "parse", parse)
    await puller.settle()
    assert await world.texts() == ["a", "c"]
    assert [row.state for row in await world.rows(schema.raw_request)] == ["quarantined"]


class _Broken(Item, frozen=True, kw_only=True):
    """An item that nobody handles."""
