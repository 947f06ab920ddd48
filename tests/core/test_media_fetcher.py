"""The worker that fetches what customers sent, against connectors that fail in every way and servers on loopback."""

from __future__ import annotations

import asyncio
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
from tests.core.media_yard import chunks, files_in, picture
from trunkline.contract import (
    Accepted,
    Connector,
    Item,
    MediaStream,
    OutboundMessage,
    TrustedBody,
    WebhookRequest,
)
from trunkline.errors import RateLimited, SignInNeeded, TryLater, Undeliverable
from trunkline.model import Media, MediaSource, new_id
from trunkline.service.media import MediaLimits, MediaStore
from trunkline.service.media_fetcher import MediaFetcher
from trunkline.service.platform_http import build_open_client
from trunkline.store import Store
from trunkline.store.schema import event
from trunkline.store.schema import media as table


class FakeConnector(Connector):
    """Answers `fetch` with what a test put into `answers`, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Media] = []
        self.running = self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        #: Set when `expected` fetches run at the same time.
        self.expected, self.busy = 1, asyncio.Event()

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        raise NotImplementedError

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        raise NotImplementedError

    async def deliver(self, message: OutboundMessage) -> Accepted:
        raise NotImplementedError

    async def fetch(self, media: Media) -> MediaStream:
        self.asked.append(media)
        self.running += 1
        self.most = max(self.most, self.running)
        if self.running == self.expected:
            self.busy.set()
        await self.gate.wait()
        self.running -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return MediaStream(chunks=chunks(answer), mime="image/png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def files(folder: Path, store: Store, clock: HandClock) -> MediaStore:
    return MediaStore(folder, store, clock, MediaLimits(free_space_floor=0, max_bytes=100_000))


@pytest.fixture
async def web() -> AsyncIterator[httpx2.AsyncClient]:
    async with build_open_client(allow_hosts=["127.0.0.1"]) as client:
        yield client


class Bench:
    """A fetcher with one connector for all accounts."""

    def __init__(self, store: Store, files: MediaStore, web: httpx2.AsyncClient, clock: HandClock) -> None:
        self.store, self.clock = store, clock
        self.connector: Connector | None = FakeConnector(picture())
        self.fetcher = MediaFetcher(store, files, lambda _: self.connector, web=web, clock=clock)

    async def add(self, *, account: str = "shop", url: str | None = None, **values: Any) -> str:
        source = MediaSource(reference=url or "m-1", external=url is not None, extra={"kind": "image"})
        row = {
            "id": new_id(),
            "account_id": account,
            "thread_id": "t1",
            "message_id": "m1",
            "state": "pending",
            "source": msgspec.json.encode(source).decode(),
            "due_at": self.clock.now_ms(),
            "created_at": self.clock.now_ms(),
            **values,
        }
        await self.store.writer.write(lambda tx: tx.execute(table.insert().values(**row)))
        return str(row["id"])

    async def row(self, media_id: str) -> Any:
        async with self.store.read() as connection:
            return (await connection.execute(select(table).where(table.c.id == media_id))).one()

    async def events(self) -> list[dict[str, Any]]:
        async with self.store.read() as connection:
            rows = await connection.execute(select(event.c.payload).where(event.c.kind == "media_changed"))
            return [msgspec.json.decode(row.payload) for row in rows]

    async def run(self, *answers: Any, **values: Any) -> Any:
        """Fetch one medium with these answers and return its row."""
        self.connector = FakeConnector(*answers)
        media_id = await self.add(**values)
        await self.fetcher.settle()
        return await self.row(media_id)


@pytest.fixture
async def bench(store: Store, files: MediaStore, web: httpx2.AsyncClient, clock: HandClock) -> AsyncIterator[Bench]:
    bench = Bench(store, files, web, clock)
    yield bench
    await bench.fetcher.stop()


async def test_a_medium_is_fetched_stored_and_told(bench: Bench, files: MediaStore) -> None:
    row = await bench.run(picture(size=(30, 20)), name="holiday.png")
    assert (row.state, row.mime, row.width, row.height, row.due_at) == ("stored", "image/png", 30, 20, None)
    assert await files.open(row.id, "preview") is not None
    told = await bench.events()
    assert [(told[0]["message_id"], told[0]["media"]["state"])] == [("m1", "stored")]
    assert isinstance(bench.connector, FakeConnector)
    source = bench.connector.asked[0].source
    assert source == MediaSource(reference="m-1", extra={"kind": "image"})


async def test_a_medium_that_is_not_ready_is_asked_for_again_with_growing_pauses(
    bench: Bench, clock: HandClock
) -> None:
    row = await bench.run(TryLater("not yet"))
    pauses = []
    for _ in range(8):
        row = await bench.row(row.id)
        pauses.append((row.due_at - clock.now) // 1000)
        clock.now = row.due_at
        await bench.fetcher.settle()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert await bench.events() == []


async def test_a_platform_that_says_when_is_obeyed(bench: Bench, clock: HandClock) -> None:
    row = await bench.run(RateLimited(after_s=7))
    assert row.due_at == clock.now + 7000


async def test_after_a_day_it_is_given_up(bench: Bench, clock: HandClock) -> None:
    row = await bench.run(TryLater("not yet"))
    clock.advance(hours=24)
    await bench.fetcher.settle()
    row = await bench.row(row.id)
    assert (row.state, row.reason) == ("failed", "gave_up")
    assert (await bench.events())[0]["media"]["state"] == "failed"


@pytest.mark.parametrize("error", [SignInNeeded(), httpx2.ConnectError("x"), httpx2.ReadError("x"), TimeoutError()])
async def test_a_passing_failure_is_tried_again(bench: Bench, clock: HandClock, error: Exception) -> None:
    row = await bench.run(error, picture())
    assert row.state == "pending"
    clock.now = row.due_at
    await bench.fetcher.settle()
    assert (await bench.row(row.id)).state == "stored"


async def test_what_is_gone_fails_with_the_reason(bench: Bench) -> None:
    row = await bench.run(Undeliverable("deleted", code="gone"))
    assert (row.state, row.reason) == ("failed", "gone")


async def test_a_connector_that_crashes_costs_its_own_file_and_not_for_ever(bench: Bench, clock: HandClock) -> None:
    row = await bench.run(KeyError("bug"))
    for _ in range(10):
        clock.advance(seconds=61)
        await bench.fetcher.settle()
    row = await bench.row(row.id)
    assert (row.state, row.reason) == ("failed", "connector_failed")
    assert (await bench.run(picture())).state == "stored"


async def test_a_file_that_is_too_long_is_refused_and_leaves_nothing(bench: Bench, folder: Path) -> None:
    row = await bench.run(b"x" * 100_001)
    assert (row.state, row.reason) == ("refused", "too_large")
    assert files_in(folder) == []


async def test_a_picture_that_cannot_be_read_is_kept_as_a_plain_file(bench: Bench) -> None:
    row = await bench.run(b"\xff\xd8\xff broken")
    assert (row.state, row.mime) == ("stored", "application/octet-stream")


async def test_an_account_that_is_not_at_work_waits(bench: Bench, clock: HandClock) -> None:
    bench.connector = None
    media_id = await bench.add()
    await bench.fetcher.settle()
    assert (await bench.row(media_id)).due_at == clock.now + 60_000


async def test_a_medium_that_was_recalled_while_it_was_fetched_leaves_no_file(bench: Bench, folder: Path) -> None:
    connector = bench.connector
    assert isinstance(connector, FakeConnector)
    connector.gate.clear()
    media_id = await bench.add()
    running = asyncio.create_task(bench.fetcher.settle())
    await connector.busy.wait()
    await bench.store.writer.write(lambda tx: tx.execute(update(table).values(state="removed", due_at=None)))
    connector.gate.set()
    await running
    assert (await bench.row(media_id)).state == "removed"
    assert files_in(folder) == []
    assert await bench.events() == []


async def test_the_files_of_a_recalled_message_are_deleted(bench: Bench, files: MediaStore, folder: Path) -> None:
    row = await bench.run(picture())
    assert len(files_in(folder)) == 2
    await bench.store.writer.write(lambda tx: tx.execute(update(table).values(state="removed", due_at=None)))
    await bench.fetcher.settle()
    assert files_in(folder) == []
    assert await files.open(row.id) is None
    assert (await bench.row(row.id)).file is None


async def test_no_more_than_four_of_an_account_are_fetched_at_once(bench: Bench) -> None:
    connector = bench.connector
    assert isinstance(connector, FakeConnector)
    ids = [await bench.add() for _ in range(11)] + [await bench.add(account="other") for _ in range(2)]
    connector.gate.clear()
    connector.expected = 6
    await bench.fetcher.step()
    await bench.fetcher.step()
    await connector.busy.wait()
    connector.gate.set()
    await bench.fetcher.settle()
    assert connector.most == 6
    assert {(await bench.row(media_id)).state for media_id in ids} == {"stored"}


async def test_a_claim_of_a_process_that_died_is_taken_over(bench: Bench, clock: HandClock) -> None:
    media_id = await bench.add()
    claimed = await bench.store.writer.write(lambda tx: bench.fetcher._claim(tx, clock.now_ms(), 4))
    assert [row.id for row in claimed] == [media_id]
    await bench.fetcher.settle()
    assert (await bench.row(media_id)).state == "pending"
    clock.advance(seconds=120)
    await bench.fetcher.settle()
    assert (await bench.row(media_id)).state == "stored"


async def test_a_worker_that_runs_is_woken_and_stops(bench: Bench) -> None:
    told = asyncio.Event()
    bench.store.writer.listen(lambda events, wakes: told.set() if events else bench.fetcher.wake())
    await bench.fetcher.start()
    media_id = await bench.add()
    bench.fetcher.wake()
    await told.wait()
    assert (await bench.row(media_id)).state == "stored"
    await bench.fetcher.stop()


# ---------------------------------------------------------------- media on other servers


async def _bytes(request: aioweb.Request) -> aioweb.StreamResponse:
    seen.append(dict(request.headers))
    match request.match_info["what"]:
        case "picture":
            return aioweb.Response(body=picture(), content_type="text/html")
        case "moved":
            raise aioweb.HTTPFound("/picture")
        case "private":
            raise aioweb.HTTPFound("http://10.0.0.1/")
        case "busy":
            raise aioweb.HTTPServiceUnavailable(headers={"Retry-After": "9"})
        case "long":
            return aioweb.Response(body=b"x" * 100_001)
    raise aioweb.HTTPNotFound


seen: list[dict[str, str]] = []


@pytest.fixture
async def server() -> AsyncIterator[str]:
    seen.clear()
    application = aioweb.Application()
    application.router.add_get("/{what}", _bytes)
    async with TestServer(application) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("path", "state", "reason"),
    [
        ("picture", "stored", None),
        ("moved", "stored", None),
        ("private", "failed", "egress_refused"),
        ("missing", "failed", "gone"),
        ("long", "refused", "too_large"),
        ("busy", "pending", "try_later"),
    ],
)
async def test_external_media_are_read_with_the_open_client(
    bench: Bench, server: str, path: str, state: str, reason: str | None
) -> None:
    row = await bench.run(AssertionError("not the connector"), url=f"{server}/{path}")
    assert (row.state, row.reason) == (state, reason)
    assert all("Authorization" not in headers for headers in seen)


async def test_sec_02_an_external_address_inside_is_never_asked(bench: Bench, server: str) -> None:
    async with build_open_client() as strict:
        bench.fetcher._web = strict
        row = await bench.run(AssertionError("not the connector"), url=f"{server}/picture")
    assert (row.state, row.reason) == ("failed", "egress_refused")
    assert seen == []
