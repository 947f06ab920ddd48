"""P8 beside every platform: a plugin that raises, hangs or floods stops nobody else, and is shown for what it is.

Push run, beside each platform: 100 customers (no more than the platform's rate of a second) who are answered while 40
sends of one plugin raise, 40 of another hang, and 2,000 messages flood in through a third. What spins, leaks or
ends the process is not tried: a plugin runs inside of the house.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import Rounds
from tests.promises.office import ACCOUNT, PLATFORMS, Office, account_toml, open_office
from tests.promises.platform_seeds import planted
from tests.promises.troll import TROLL, Troll
from tests.promises.waiting import until

pytestmark = [pytest.mark.promise("P8"), pytest.mark.timeout(600)]

#: The bad neighbours: each is an account of its own, named after what it does.
TEMPERS = ("raise", "hang", "flood")
_WAITING = "SELECT count(*) FROM delivery WHERE account_id = ? AND state = 'queued'"
_TRAFFIC = "SELECT count(*) FROM message m JOIN thread t ON t.id = m.thread_id WHERE t.account_id = ?"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")


class Street:
    """A good office and its bad neighbours, by temper."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def troll(self, temper: str) -> Troll:
        account = self.office.house.accounts.get(temper)
        assert account is not None
        assert isinstance(account.connector, Troll)
        return account.connector

    async def shout(self, temper: str, number: int, count: int = 1) -> int:
        """Let messages come in through a bad plugin; returns the answer's status."""
        url = str(self.office.platform.webhook_url).replace(f"/{ACCOUNT}", f"/{temper}")
        body = json.dumps({"number": number, "count": count})
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
            return answer.status

    async def answer_their_customers(self) -> None:
        rows = self.office.database.rows("SELECT id FROM thread WHERE account_id <> ?", ACCOUNT)
        await self.office.post({str(thread): [f"troll {thread}"] for (thread,) in rows})

    def shown(self, temper: str) -> tuple[str, str]:
        """Return a bad plugin's state and reason as agents see them."""
        query = "SELECT state, reason FROM account WHERE id = ?"
        ((state, reason),) = self.office.database.rows(query, temper)
        return str(state), str(reason)

    async def probed(self, temper: str) -> tuple[str, str]:
        await self.office.house.accounts.probe(temper)
        return self.shown(temper)

    def stored(self, temper: str) -> int:
        return int(self.office.database.rows(_TRAFFIC, temper)[0][0])

    def waiting(self, temper: str) -> int:
        return int(self.office.database.rows(_WAITING, temper)[0][0])


@asynccontextmanager
async def _street(folder: Path, channel: str) -> AsyncIterator[Street]:
    """Open an office beside bad plugins; its outbox works by itself, as it does in a running house."""
    accounts = "".join(account_toml(TROLL, {"temper": temper}, temper) for temper in TEMPERS)
    async with open_office(folder, channel, more=[TROLL], accounts=accounts) as office:
        street, outbox = Street(office), office.house.outbox
        trolls = [street.troll(temper) for temper in TEMPERS]
        office.house.store.writer.listen(lambda _rows, wakes: outbox.wake() if "outbox" in wakes else None)
        try:
            yield street
        finally:
            for troll in trolls:
                troll.released.set()
            await outbox.stop()


async def _all_answered(office: Office, people: dict[str, str]) -> None:
    """Answer everybody, and wait until everybody has read it once."""
    await office.post({thread: [f"to {thread}"] for thread in people.values()})
    wanted = dict.fromkeys((f"to {thread}" for thread in people.values()), 1)
    await until(lambda: office.seen(people) == wanted, lambda: f"{len(office.seen(people))} of {len(people)}")


def _few(office: Office, rounds: Rounds) -> int:
    """Return how many customers are answered within one second of the clock, which stands: no more than its rate."""
    rates = [rate.limit for rate in office.subject.capabilities.sending.rates if rate.scope == "account"]
    return min(rounds(push=100, long=1_000), *[limit - 5 for limit in rates], 1_000)


@pytest.mark.parametrize("channel", PLATFORMS)
async def test_plugins_that_raise_hang_and_flood_stop_nobody_else(
    channel: str, tmp_path: Path, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = rounds(push=2_000, long=100_000)
    async with _street(tmp_path, channel) as street:
        office = street.office
        people = await _in_the_noise(street, flood, _few(office, rounds))
        await street.answer_their_customers()
        await office.house.outbox.start()
        await until(lambda: street.troll("hang").begun == 8, "Its sends do not begin.")
        await _all_answered(office, people)
        # What hangs has no more under way than its channel declares, and what floods waits behind its own.
        assert (street.troll("hang").begun, street.waiting("flood")) == (8, flood - 8)
        await until(lambda: street.shown("raise")[0] == "failing", "Its sends raise, and nobody is told.")
        assert await street.probed("raise") == ("failing", "The probe failed: RuntimeError.")
        monkeypatch.setattr("trunkline.service.account.PROBE_TIMEOUT_S", 0.01)
        state, reason = await street.probed("hang")
        assert (state, reason[:30]) == ("failing", "The platform did not answer wi")


async def _in_the_noise(street: Street, flood: int, count: int) -> dict[str, str]:
    """Let customers write while the bad plugins make noise; nothing of it is lost."""
    noise = [street.shout("flood", number, count=20) for number in range(flood // 20)]
    noise += [street.shout(temper, 1, count=40) for temper in ("raise", "hang")]
    # What cannot be read is kept, and the platform hears a yes.
    noise += [street.shout("raise", -1)]
    people, answers = await asyncio.gather(street.office.customers(count), asyncio.gather(*noise))
    assert set(answers) == {200}
    assert [street.stored(temper) for temper in TEMPERS] == [40, 40, flood]
    assert street.office.database.rows("SELECT reason FROM raw_request WHERE error IS NOT NULL") == [("unreadable",)]
    assert len(people) == count
    return people


@pytest.mark.parametrize("channel", ["line", "weibo"])
async def test_a_sender_that_begins_nothing_beside_what_hangs_is_caught(channel: str, tmp_path: Path) -> None:
    with planted("one_by_one"):
        async with _street(tmp_path, channel) as street:
            office = street.office
            people = await office.customers(3)
            await street.shout("hang", 1, count=8)
            await street.answer_their_customers()
            await office.house.outbox.start()
            await until(lambda: street.troll("hang").begun == 1)
            await office.post({thread: [f"to {thread}"] for thread in people.values()})
            await until(lambda: office.house.outbox.busy == 8 + 3, "The good sends do not stand in line.")
            assert not set(office.seen(people)), "It was no fault."
