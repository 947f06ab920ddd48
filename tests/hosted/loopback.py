"""An invented push provider in memory: it keeps what it was handed, and answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from tests.hosted.booth import BOOTH, BoothConnector, vouch
from tests.hosted.conftest import Opener
from tests.hosted.people import KEY, Place, Visitor
from trunkline.contract import ConnectorSpec, Health
from trunkline.hosted import Notice, Push, PushAnswer, PushResult, PushSender, PushTarget
from trunkline.service.house import House
from trunkline.store import schema

DAY = 24 * 3600
PUSH_TOKEN = "invented-push-token"


class Loopback(PushSender):
    def __init__(self) -> None:
        self.pushed: list[tuple[PushTarget, Push]] = []
        #: Answers to come; `SENT` after the last.
        self.answers: list[PushResult | PushAnswer | Exception] = []

    async def send_push(self, target: PushTarget, push: Push) -> PushAnswer:
        self.pushed.append((target, push))
        answer = self.answers.pop(0) if self.answers else PushResult.SENT
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, PushAnswer) else PushAnswer(answer)

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [push.payload() for _, push in self.pushed]


class PushingBooth(BoothConnector):
    """A booth with a provider behind it. Every account has one of its own."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.provider = Loopback()
        self.providers = {"fcm", "apns"}
        self.preview = False
        self.probes = 0

    def pushes(self) -> bool:
        return True

    def push_sender(self, provider: str) -> PushSender | None:
        return self.provider if provider in self.providers else None

    def notice(self, locale: str | None, preview: str) -> Notice:
        words = {"pl": "Masz nową wiadomość"}.get(locale or "", "You have a new message")
        return Notice("", preview if self.preview and preview else words)

    async def probe(self) -> Health:
        self.probes += 1
        return Health(state="connected", summary="Asked.")


PUSHING: ConnectorSpec = msgspec.structs.replace(BOOTH, build=lambda services: PushingBooth(services.config))


def provider(place: Place, account: str = "shop") -> Loopback:
    connector = place.connector(account)
    assert isinstance(connector, PushingBooth)
    return connector.provider


async def pushed(place: Place, *, after_s: float = 5) -> list[dict[str, Any]]:
    """Let the time pass in which apps may acknowledge; returns all that was pushed so far."""
    await planned(place.house)
    place.clock.advance(seconds=after_s)
    await place.house.workers["push"].settle()
    return provider(place).payloads


async def planned(house: House) -> None:
    """Wait until the log is planned to its end, by whoever does it."""
    await house.workers["application:push"].settle()


async def with_device(place: Place, device_id: str = "phone", **more: Any) -> Visitor:
    """Somebody who has written from an app that may be woken."""
    visitor = await place.visitor()
    await visitor.say()
    await register(visitor, device_id, **more)
    return visitor


async def register(visitor: Visitor, device_id: str = "phone", **more: Any) -> None:
    body = {"provider": "fcm", "push_token": PUSH_TOKEN, **more}
    answer = await visitor.call("PUT", f"/devices/{device_id}", body)
    assert answer.status == 200, answer.raw


async def thread_of(visitor: Visitor) -> str:
    """Our id of the visitor's live thread."""
    threads = (await visitor.get("/threads"))["threads"]
    return str(threads[0]["id"]).removeprefix("th_")


async def jobs(place: Place) -> int:
    async with place.house.store.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(schema.push_job))).scalar_one())


async def signed_in(place: Place, subject: str) -> Visitor:
    return await place.visitor(identity=vouch(subject, KEY, place.clock.now))


# ---------------------------------------------------------------- fixtures of both files of tests


@pytest.fixture(autouse=True)
def acknowledging_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acknowledgements are written once a second; here each is written at once."""
    monkeypatch.setattr("trunkline.hosted.frames._ACK_S", 0)


@pytest.fixture
async def place(database_url: str, open_place: Opener) -> AsyncIterator[Place]:
    async with open_place(database_url, specs=(PUSHING,)) as place:
        yield place


@pytest.fixture
async def app(sqlite_url: str, open_place: Opener) -> AsyncIterator[Place]:
    """On SQLite, for what has nothing to do with the store."""
    async with open_place(sqlite_url, specs=(PUSHING,)) as place:
        yield place
