"""P8 beside every hosted channel: plugins that raise and hang, and visitors who flood, stop nobody else.

Push run, on each channel: 30 visitors who are answered and read it over sockets, beside a hosted plugin that raises at
whatever it is asked, one whose 20 sends hang, and a visitor who sends 300 messages, 200 frames and opens 30 sockets.
What spins, leaks or ends the process is not tried: a plugin runs inside of the house.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Rounds
from tests.core.conftest import HandClock
from tests.promises.guests import ACCOUNTS, HOSTED, KINDS, Guest, Kind, arrived
from tests.promises.heckler import HECKLER, Heckler
from tests.promises.history import Database
from tests.promises.platform_seeds import planted
from tests.promises.waiting import until
from trunkline.hosted import asking
from trunkline.hosted.limiting import LIMITS, Limiter
from trunkline.main import open_house, serve_house
from trunkline.model import Actor, ActorKind, Author, AuthorKind
from trunkline.plugins import Registry, load_registry
from trunkline.service.house import House
from trunkline.service.replies import Draft, post_reply
from trunkline.settings import load_settings

pytestmark = [pytest.mark.promise("P8"), pytest.mark.timeout(600)]

#: The bad neighbours: each is an account of its own, named after what it does.
TEMPERS = ("raise", "hang")
_BAD = tuple(Kind("heckler", temper, f"wk_bad_{temper}_01", {"platform": "web"}) for temper in TEMPERS)
_ADA = Actor(ActorKind.AGENT, "1", "Ada")
_AGENT = Author(kind=AuthorKind.AGENT, id="1", name="Ada")
_BURST, _MOST_SOCKETS = int(LIMITS["messages"].burst), 10
#: Visitors of each bad plugin: enough for its failures to be noticed, and more than may be under way at once.
_RAISED, _HUNG = 10, 20


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")


class Street:
    """Good hosted accounts and their bad neighbours, behind one door."""

    def __init__(self, house: House, address: str, database: Database) -> None:
        self.house, self.address, self.database = house, address, database

    def heckler(self, temper: str) -> Heckler:
        account = self.house.accounts.get(temper)
        assert account is not None
        assert isinstance(account.connector, Heckler)
        return account.connector

    async def ask_config(self, kind: Kind) -> int:
        """Return the status of what every page asks first."""
        async with aiohttp.ClientSession() as session:
            url, headers = f"{self.address}/client/v1/config", {"X-Inbox-Key": kind.key, **kind.headers}
            async with session.get(url, headers=headers) as answer:
                return answer.status

    async def answer_everybody(self) -> list[str]:
        """Write a reply into every thread, all in one transaction; returns the threads of the bad ones first."""
        threads = [
            str(thread) for (thread,) in self.database.rows("SELECT id FROM thread ORDER BY channel = 'heckler'")
        ]
        now = self.house.clock.now_ms()

        def work(tx: Any) -> None:
            for thread in threads:
                post_reply(tx, self.house, thread, Draft(text=f"to {thread}"), author=_AGENT, actor=_ADA, now=now)

        await self.house.store.writer.write(work)
        return threads

    def unsent(self) -> int:
        """Return how many replies of the good accounts are still on their way."""
        query = "SELECT count(*) FROM delivery d JOIN thread t ON t.id = d.thread_id WHERE t.channel <> 'heckler'"
        return int(self.database.rows(f"{query} AND d.state NOT IN ('sent', 'delivered', 'read')")[0][0])

    def stored(self, guest: Guest) -> int:
        query = "SELECT count(*) FROM message WHERE external_id LIKE ? AND direction = 'in'"
        return int(self.database.rows(query, f"{guest.visitor}:%")[0][0])


@asynccontextmanager
async def _street(folder: Path) -> AsyncIterator[Street]:
    """Open a house with a website, an app, and bad neighbours; it works by itself. Time stands."""
    bad = "".join(
        f'[[accounts]]\nid = "{kind.account}"\nconnector = "heckler"\n'
        f'settings = {{ key = "{kind.key}", temper = "{kind.account}" }}\n'
        for kind in _BAD
    )
    file, database = folder / "trunkline.toml", Database(f"sqlite:///{folder}/street.db")
    head = '[server]\npublic_url = "http://street.example"\nmetrics_listen = "off"\n[log]\nlevel = "ERROR"\n'
    file.write_text(f'{head}[database]\nurl = "{database.url}"\n[media]\nfree_space_floor = 0\n{ACCOUNTS}{bad}')
    async with (
        open_house(load_settings(file), clock=HandClock(), registry=_registry()) as house,
        serve_house(house, "127.0.0.1:0") as address,
    ):
        street = Street(house, address, database)
        try:
            yield street
        finally:
            for temper in TEMPERS:
                street.heckler(temper).released.set()


def _registry() -> Registry:
    installed = load_registry(()).connectors
    specs = (installed["web"], installed["sdk"], HECKLER)
    return Registry(
        connectors={spec.name: spec for spec in specs},
        channels={channel.code: (spec, channel) for spec in specs for channel in spec.channels},
    )


def _kind(channel: str) -> Kind:
    return next(kind for kind in KINDS if kind.channel == channel)


@pytest.mark.parametrize("channel", HOSTED)
async def test_plugins_that_raise_and_hang_and_visitors_who_flood_stop_nobody_else(
    channel: str, tmp_path: Path, rounds: Rounds
) -> None:
    count, flood = rounds(push=30, long=300), rounds(push=300, long=5_000)
    async with _street(tmp_path) as street, _noisy(street):
        async with arrived([street.address], [_kind(channel)], count + 1) as (flooder, *good):
            statuses, _, codes = await asyncio.gather(_flood(flooder, flood), _converse(street, good), _crowd(flooder))
            # What is too much is refused with words, and none of it is stored.
            assert statuses == {201: _BURST, 429: flood - _BURST}
            assert street.stored(flooder) == _BURST
            assert codes == Counter({4409: 30 - _MOST_SOCKETS})
            assert await flooder.drum(200) == 4429
        assert await street.ask_config(_kind(channel)) == 200
        await until(lambda: street.heckler("hang").begun == 8, "Its sends do not begin.")
        await until(lambda: street.unsent() == 0, lambda: f"{street.unsent()} good replies wait.")
        await until(lambda: _shown(street, "raise") == "failing", "Its sends raise, and nobody is told.")
        # What hangs has no more under way than its channel declares.
        assert street.heckler("hang").begun == 8


async def test_a_house_that_lets_out_what_a_plugin_raises_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ask", lambda account, _name, question, _otherwise: question(account.connector))
    async with _street(tmp_path) as street, _noisy(street):
        assert 500 in {await street.ask_config(kind) for kind in KINDS}


async def test_a_sender_that_begins_nothing_beside_what_hangs_is_caught(tmp_path: Path) -> None:
    with planted("one_by_one"):
        async with _street(tmp_path) as street, _noisy(street), arrived([street.address], KINDS, 1) as good:
            for guest in good:
                await guest.say("Hello?", str(uuid.uuid4()))
            await street.answer_everybody()
            await until(lambda: street.heckler("hang").begun > 0)
            await until(lambda: street.house.outbox.busy >= 8 + len(good), "The good sends do not stand in line.")
            assert street.unsent() > 0, "It was no fault."


async def test_a_house_without_limits_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limiter, "take", lambda *_given, **_more: None)
    async with _street(tmp_path) as street, arrived([street.address], KINDS, 1) as guests:
        for guest in guests:
            assert await _flood(guest, 50) == {201: 50}
            assert street.stored(guest) > _BURST


@asynccontextmanager
async def _noisy(street: Street) -> AsyncIterator[None]:
    """Let visitors of the bad plugins write, then make those angry."""
    raising, hanging = _BAD
    async with contextlib.AsyncExitStack() as stack:
        few = await stack.enter_async_context(arrived([street.address], [raising], _RAISED))
        many = await stack.enter_async_context(arrived([street.address], [hanging], _HUNG))
        for guest in (*few, *many):
            await guest.say("Hm.", str(uuid.uuid4()))
        for temper in TEMPERS:
            street.heckler(temper).angry = True
        assert await street.ask_config(raising) >= 400
        yield


async def _converse(street: Street, good: Sequence[Guest]) -> None:
    """Let everybody write, listen and be answered; each reads their own answer once."""
    answers = await asyncio.gather(*(guest.say("Hello?", str(uuid.uuid4())) for guest in good))
    threads = [answer["message"]["thread_id"].removeprefix("th_") for answer in answers]
    sockets = await asyncio.gather(*(guest.connect(guest.cursor) for guest in good))
    await street.answer_everybody()
    places = zip(good, sockets, threads, strict=True)
    await asyncio.gather(*(guest.hear_until(socket, f"to {thread}") for guest, socket, thread in places))
    assert [guest.heard() for guest in good] == [[f"to {thread}"] for thread in threads]
    assert [guest.heard("contact") for guest in good] == [["Hello?"]] * len(good)
    for socket in sockets:
        await socket.close()


async def _flood(guest: Guest, count: int) -> Counter[int]:
    """Send so many messages, eight at once; returns how often each status was answered."""
    left, statuses = list(range(count)), Counter[int]()

    async def send() -> None:
        while left:
            left.pop()
            status, answer = await guest.post({"client_id": str(uuid.uuid4()), "kind": "text", "text": "x"})
            statuses[status] += 1
            assert status != 429 or answer["error"]["retry_after"] > 0

    await asyncio.gather(*(send() for _ in range(8)))
    return statuses


async def _crowd(guest: Guest) -> Counter[int]:
    """Open many sockets; returns the codes with which the house closed those that are too many."""
    sockets, reading = list[Any](), list[asyncio.Task[int]]()
    for _ in range(30):
        sockets.append(await guest.connect())
        # The house counts who was greeted, in that order; whoever is closed must be listening.
        assert (await sockets[-1].receive_json())["t"] == "ready"
        reading.append(asyncio.create_task(guest.goodbye(sockets[-1])))
    codes = Counter(await asyncio.gather(*reading[: 30 - _MOST_SOCKETS]))
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    for socket in sockets:
        await socket.close()
    return codes


def _shown(street: Street, temper: str) -> str:
    """Return a bad plugin's state as agents see it."""
    return str(street.database.rows("SELECT state FROM account WHERE id = ?", temper)[0][0])
