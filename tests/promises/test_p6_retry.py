"""P6: "retry" really sends again, and a second click does not send twice.

Push run: 50 failed replies, each clicked twice at once, on both databases.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.conftest import Rounds
from tests.promises.conftest import Servers
from tests.promises.history import Database
from tests.promises.replies import Clumsy, customers_write, said, signed_in, until
from trunkline.testing.faults import Fault

pytestmark = [pytest.mark.promise("P6"), pytest.mark.timeout(600)]

_REFUSED = Fault(do="answer", status=400, body='{"message": "The request body has 1 error(s)"}')


async def test_a_double_click_sends_each_failed_reply_once_more(
    servers: Servers, database_url: str, rounds: Rounds
) -> None:
    count = rounds(push=50, long=500)
    requests, answers, seen = await _click_twice(servers, database_url, count)
    assert requests == count
    assert answers == {202: count, 409: count}
    assert seen == {f"reply-{number}": 1 for number in range(count)}


async def test_a_retry_that_only_resets_the_state_is_caught(servers: Servers, sqlite_url: str) -> None:
    requests, _, seen = await _click_twice(servers, sqlite_url, 5, seeds={"reset_only": ""})
    assert requests != 5
    assert not seen


async def _click_twice(
    servers: Servers, url: str, count: int, *, seeds: dict[str, object] | None = None
) -> tuple[int, Counter[int], Counter[str]]:
    """Return the requests that the clicks made, how they were answered, and what customers saw."""
    database = Database(url)
    async with Clumsy(fault=_REFUSED, share=1.0) as line:
        server = await servers(url, accounts=line.account(), seeds=seeds, start=False)
        async with signed_in(server) as ada:
            threads = list((await customers_write(line, server, count, database)).values())
            ids = [await ada.reply(thread, f"reply-{number}") for number, thread in enumerate(threads)]
            await until(database, "SELECT count(*) FROM delivery WHERE state = 'failed'", count)
            before, line.share = line.sends, 0.0
            clicks = [ada.post(f"/messages/{message}/retry", {}) for message in ids for _ in range(2)]
            answers = Counter(status for status, _ in await asyncio.gather(*clicks))
            await until(database, "SELECT count(*) FROM delivery WHERE state IN ('queued', 'retrying', 'held')")
            if not seeds:
                await until(database, "SELECT count(*) FROM delivery WHERE state = 'sent'", count)
            return line.sends - before, answers, Counter(text for texts in said(line).values() for text in texts)
