"""P15: a start with a long queue is a start like any other: ready soon, small, in order, fair between accounts.

Push run: 20,000 replies over 20 accounts, one of which is out of reach.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.history import Database
from tests.promises.processes import line_account
from tests.promises.replies import inversions, until
from trunkline.clock import SystemClock
from trunkline.model import Author, AuthorKind, Content, Text, new_id
from trunkline.store import Store, Transaction, schema

pytestmark = [pytest.mark.promise("P15"), pytest.mark.timeout(1500)]

_ACCOUNTS, _BROKEN = 20, "shop-07"
_MIB = 1024 * 1024
#: What LINE's connector and the other accounts may have under way together.
_AT_ONCE = _ACCOUNTS * 8


class Taker:
    """A platform that takes everything, and remembers who came when."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.most = self._now = 0
        self.first_at = 0.0
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{account}/v2/bot/message/push", self._push)
        app.router.add_route("*", "/{rest:.*}", self._other)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _push(self, request: web.Request) -> web.Response:
        self.first_at = self.first_at or time.monotonic()
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            body = await request.json()
            await asyncio.sleep(0)
            self.texts.append((request.match_info["account"], body["messages"][0]["text"]))
            return web.json_response({"sentMessages": [{"id": str(len(self.texts))}]})
        finally:
            self._now -= 1

    async def _other(self, _request: web.Request) -> web.Response:
        return web.json_response({"message": "Not found"}, status=404)


async def test_a_long_queue_is_drained_in_order_and_fairly_from_the_start(
    servers: Servers, database_url: str, rounds: Rounds
) -> None:
    count = rounds(push=20_000, long=100_000)
    platform, rss = await _drain(servers, database_url, count)
    assert len(platform.texts) == count - count // _ACCOUNTS
    assert _unfair(platform) == []
    assert _disorder(platform) == 0
    assert platform.most <= _AT_ONCE
    assert rss < 300 * _MIB


async def test_a_sender_that_takes_everything_at_once_is_caught(servers: Servers, sqlite_url: str) -> None:
    platform, _ = await _drain(servers, sqlite_url, 4_000, seeds={"claim_all": ""})
    assert platform.most > _AT_ONCE or _unfair(platform)


async def _drain(
    servers: Servers, url: str, count: int, *, seeds: dict[str, object] | None = None
) -> tuple[Taker, int]:
    """Start on a queue of `count`; returns what the platform saw, and the most memory that was seen."""
    await _fill(url, count)
    platform, rss = Taker(), 0
    await platform.start()
    try:
        accounts = "".join(line_account(name, api=_api(name, platform)) for name in _names())
        server = await servers(url, accounts=accounts, seeds=seeds, start=False)
        started = time.monotonic()
        await server.start()
        ready = time.monotonic()
        assert len(platform.texts) < count // 2, "It was ready only when the queue was half empty."
        while len(platform.texts) < count - count // _ACCOUNTS:
            rss = max(rss, server.rss())
            await asyncio.sleep(0.05)
            assert time.monotonic() - started < 600
        took = time.monotonic() - started
        await until(Database(url), f"SELECT count(*) FROM delivery WHERE state <> 'sent' AND account_id <> '{_BROKEN}'")
        starts = f"ready after {ready - started:.1f} s, first send after {platform.first_at - started:.1f} s"
        pace = f"{len(platform.texts) / took:.0f} sends/s, {rss // _MIB} MiB, {platform.most} at once"
        print(f"{count} queued: {starts}, {pace}")
    finally:
        await platform.stop()
    return platform, rss


def _names() -> list[str]:
    return [f"shop-{number:02}" for number in range(_ACCOUNTS)]


def _api(name: str, platform: Taker) -> str:
    return "http://127.0.0.1:1" if name == _BROKEN else f"{platform.url}/{name}"


def _unfair(platform: Taker) -> list[str]:
    """Return the accounts whose first message had to wait until a fifth of all had gone."""
    early = {account for account, _ in platform.texts[: max(200, len(platform.texts) // 5)]}
    return sorted(set(_names()) - {_BROKEN} - early)


def _disorder(platform: Taker) -> int:
    threads: dict[tuple[str, str], list[str]] = {}
    for account, text in platform.texts:
        threads.setdefault((account, text.partition("-")[0]), []).append(text)
    return sum(map(inversions, threads.values()))


# ---------------------------------------------------------------- the queue


async def _fill(url: str, count: int) -> None:
    """Write the queue as a process leaves it that was switched off: ten replies in each thread."""
    store = Store(url)
    await store.open()
    try:
        now, each = SystemClock().now_ms(), count // _ACCOUNTS
        for name in _names():
            rows = list(_rows(name, each, now))
            await store.writer.write(lambda tx, rows=rows: _insert(tx, rows))  # type: ignore[misc]  # bound now
    finally:
        await store.close()


def _insert(tx: Transaction, rows: list[tuple[Any, dict[str, Any]]]) -> None:
    for table in (schema.contact, schema.identity, schema.thread, schema.message, schema.delivery):
        mine = [values for one, values in rows if one is table]
        tx.execute(table.insert(), mine)


def _rows(account: str, count: int, now: int) -> Iterator[tuple[Any, dict[str, Any]]]:
    for number in range(count // 10):
        thread, contact, identity = new_id(), new_id(), new_id()
        person = {"account_id": account, "contact_id": contact, "created_at": now}
        yield schema.contact, {"id": contact, "created_at": now}
        yield (
            schema.identity,
            {"id": identity, "external_id": f"U{number}", "kind": "person", "reachable": True, **person},
        )
        yield (
            schema.thread,
            {
                "id": thread, "key": f"U{number}", "identity_id": identity, "state": "new", "round": 1,
                "last_position": 10, "last_message_at": now, "last_inbound_at": now, "unread": 0, **person,
            },
        )  # fmt: skip
        for position in range(1, 11):
            yield from _reply(account, thread, f"{number}-{position}", position, now)


def _reply(account: str, thread: str, text: str, position: int, now: int) -> Iterator[tuple[Any, dict[str, Any]]]:
    message, contents = new_id(), (Text(text=text),)
    author = Author(kind=AuthorKind.AGENT, id="1", name="Ada")
    common = {"thread_id": thread, "account_id": account, "position": position}
    content = msgspec.json.encode(contents[0]).decode()
    said = {"direction": "out", "author_kind": "agent", "content": content, "at": now, "late": False}
    yield schema.message, {"id": message, **common, **said}
    yield (
        schema.delivery,
        {
            "id": new_id(), "message_id": message, "part": 1, "parts": 1, "state": "queued", "due_at": now,
            # Tried once, so that each stays a request of its own.
            "expires_at": now + 86_400_000, "attempts": 1, "key": new_id(), "plan": _plan(contents),
            "author": msgspec.json.encode(author).decode(), "level": "full", "after_uncertain": False,
            "maybe_duplicate": False, "created_at": now, "updated_at": now, **common,
        },
    )  # fmt: skip


def _plan(contents: tuple[Content, ...]) -> str:
    return msgspec.json.encode(contents).decode()
