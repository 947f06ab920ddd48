"""P3, P5 and P13 on every platform: order under faults, no unmarked duplicate, one renewal of a dead token.

Push run, on each platform: 1,000 replies in 100 threads with one request in five failing; 300 replies of which the
answer is cut three times in ten; 100 replies on a dead token. No second passes: the clock is moved by hand.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Rounds
from tests.promises.office import PLATFORMS, SEEDED, SUBJECTS, Office, open_office
from tests.promises.platform_seeds import planted
from tests.promises.replies import inversions
from trunkline.contract import Idempotency
from trunkline.testing.conformance.strangers import foreign
from trunkline.testing.faults import Fault

pytestmark = [pytest.mark.timeout(600)]

_BUSY = Fault(do="answer", status=503, body="busy", content_type="text/plain")
_CUT = Fault(do="close_after")
#: Where the key is the message itself, which the platform compares only when it is told that this is a repetition.
_SPOILERS = {"wecom": "forgetful"}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")


def _with(idempotency: Idempotency) -> list[str]:
    found = {code for code in PLATFORMS if SUBJECTS[code].capabilities.sending.idempotency is idempotency}
    return sorted(found)


async def _answer(office: Office, people: dict[str, str], each: int, *, burst: int) -> None:
    """Write `each` replies into every thread; customers write again before a budget of answers is used up."""
    for start in range(0, each, burst):
        for customer in people if start else ():
            await office.write(customer)
        await office.settle()
        numbers = range(start, min(each, start + burst))
        await office.post({thread: [f"{thread}-{number}" for number in numbers] for thread in people.values()})
        await office.drain()


def _burst(office: Office, most: int) -> int:
    return most if office.budget is None else min(most, office.budget)


# ---------------------------------------------------------------- P3


@pytest.mark.promise("P3")
@pytest.mark.parametrize("channel", PLATFORMS)
async def test_replies_leave_in_their_order_though_one_request_in_five_fails(
    channel: str, tmp_path: Path, rounds: Rounds
) -> None:
    threads = rounds(push=100, long=1_000)
    heard, failed = await _talk(tmp_path, channel, threads, each=10)
    assert failed > 0
    assert {customer: len(texts) for customer, texts in heard.items()} == dict.fromkeys(heard, 10)
    assert sum(map(inversions, heard.values())) == 0


@pytest.mark.promise("P3")
@pytest.mark.parametrize("channel", SEEDED)
async def test_a_sender_that_does_not_look_at_the_thread_is_caught(channel: str, tmp_path: Path) -> None:
    with planted("no_order"):
        heard, _ = await _talk(tmp_path, channel, 5, each=5)
    assert sum(map(inversions, heard.values())) > 0


async def _talk(folder: Path, channel: str, threads: int, *, each: int) -> tuple[dict[str, list[str]], int]:
    async with open_office(folder, channel) as office:
        office.weather.fault, office.weather.share = _BUSY, 0.2
        people = await office.customers(threads)
        await _answer(office, people, each, burst=_burst(office, 10))
        return {customer: office.heard(customer) for customer in people}, office.weather.failed


# ---------------------------------------------------------------- P5


@pytest.mark.promise("P5")
@pytest.mark.parametrize("channel", PLATFORMS)
async def test_a_lost_answer_makes_no_duplicate_that_is_not_marked(
    channel: str, tmp_path: Path, rounds: Rounds
) -> None:
    count = rounds(push=300, long=3_000)
    async with open_office(tmp_path, channel) as office:
        seen, flagged = await _lose_answers(office, count)
        assert office.weather.failed > count // 20
        assert office.silent(seen) == set()
        assert _twice(seen) <= flagged
        if office.idempotency is not Idempotency.NOTHING:
            assert _twice(seen) == set(), "A key or a word of ours that comes back keeps it from being said twice."


@pytest.mark.promise("P5")
@pytest.mark.parametrize("channel", _with(Idempotency.KEY))
async def test_a_sender_that_spoils_the_key_of_a_repetition_is_caught(channel: str, tmp_path: Path) -> None:
    with planted(_SPOILERS.get(channel, "new_key")):
        async with open_office(tmp_path, channel) as office:
            seen, _ = await _lose_answers(office, 40)
    assert _twice(seen)


@pytest.mark.promise("P5")
@pytest.mark.parametrize("channel", _with(Idempotency.CORRELATION))
async def test_a_house_that_does_not_hear_what_the_platform_tells_is_caught(channel: str, tmp_path: Path) -> None:
    with planted("deaf"):
        async with open_office(tmp_path, channel) as office:
            seen, flagged = await _lose_answers(office, 40)
    assert _twice(seen)
    assert _twice(seen) <= flagged


@pytest.mark.promise("P5")
@pytest.mark.parametrize("channel", _with(Idempotency.NOTHING))
async def test_a_sender_that_marks_no_repetition_is_caught(channel: str, tmp_path: Path) -> None:
    with planted("unflagged"):
        async with open_office(tmp_path, channel) as office:
            seen, flagged = await _lose_answers(office, 40)
    assert not _twice(seen) <= flagged


async def _lose_answers(office: Office, count: int) -> tuple[Counter[str], set[str]]:
    """Return how often each reply was read, and those that are marked as possible duplicates."""
    office.weather.fault, office.weather.share = _CUT, 0.3
    each = 5
    people = await office.customers(max(1, count // each))
    # What answers at once, and works once only, is over: every answer needs the key, if there is one.
    await office.later(3_600)
    # A repetition costs the platform's budget too: two replies leave room for three repetitions.
    await _answer(office, people, each, burst=_burst(office, 2))
    return office.seen(people), office.flagged()


def _twice(seen: Counter[str]) -> set[str]:
    return {text for text, count in seen.items() if count > 1}


# ---------------------------------------------------------------- P13


@pytest.mark.promise("P13")
@pytest.mark.parametrize("channel", PLATFORMS)
async def test_a_dead_token_is_renewed_once_and_no_reply_is_lost(channel: str, tmp_path: Path, rounds: Rounds) -> None:
    count = rounds(push=100, long=1_000)
    async with open_office(tmp_path, channel) as office:
        seen, renewals = await _send_with_a_dead_token(office, count)
        assert renewals == (1 if office.renews else 0)
        assert seen == dict.fromkeys(seen, 1)
        assert len(seen) == count
        assert set(office.states()) <= {"sent", "delivered"}


@pytest.mark.promise("P13")
@pytest.mark.parametrize("channel", ["baidu_ad", "line", "wechat_oa", "wecom"])
async def test_a_house_that_renews_for_every_send_is_caught(channel: str, tmp_path: Path) -> None:
    with planted("refresh_each"):
        async with open_office(tmp_path, channel) as office:
            _, renewals = await _send_with_a_dead_token(office, 10)
    assert renewals > 1


async def _send_with_a_dead_token(office: Office, count: int) -> tuple[Counter[str], int]:
    people = await office.customers(count)
    office.renews = office.platform.expire_tokens()
    before = len(office.platform.journal)
    await office.post({thread: [f"to {thread}"] for thread in people.values()})
    await office.drain()
    asked = [entry.path for entry in list(office.platform.journal)[before:]]
    secret = office.platform.secret_paths if office.renews else ()
    return office.seen(people), sum(path.startswith(secret) for path in asked) if secret else 0


@pytest.mark.promise("P13")
@pytest.mark.parametrize("channel", PLATFORMS)
async def test_replies_wait_while_the_platform_refuses_the_account(
    channel: str, tmp_path: Path, rounds: Rounds
) -> None:
    count = rounds(push=100, long=1_000)
    async with open_office(tmp_path, channel) as office:
        people = await office.customers(count)
        states, account = await _refused(office, people)
        assert states.total() == count
        assert set(states) <= {"held", "queued"}
        assert account[0] == "sign_in_needed"
        assert "administrator" in account[1]
        await office.open()
        await office.drain(step_s=30)
        assert office.account_state()[0] == "connected"
        assert office.seen(people) == {f"to {thread}": 1 for thread in people.values()}


@pytest.mark.promise("P13")
@pytest.mark.parametrize("channel", SEEDED)
async def test_a_sender_that_gives_up_when_it_must_sign_in_is_caught(channel: str, tmp_path: Path) -> None:
    with planted("fail_signed_out"):
        async with open_office(tmp_path, channel) as office:
            states, _ = await _refused(office, await office.customers(3))
    assert states["failed"] == 3


async def _refused(office: Office, people: dict[str, str]) -> tuple[Counter[str], tuple[str, str]]:
    """Answer with secrets that the platform does not know; returns how the replies and the account stand."""
    before = office.states()
    office.platform.expire_tokens()
    await office.open(foreign(office.subject.spec.config, office.platform.settings()))
    await office.post({thread: [f"to {thread}"] for thread in people.values()})
    await office.settle()
    return office.states() - before, office.account_state()
