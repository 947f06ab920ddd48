"""A token is followed by another after a day: nobody is locked out by it, and a stolen old one dies."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, update

from tests.databases import drop_database, make_database
from tests.hosted.booth import vouch
from tests.hosted.conftest import Opener
from tests.hosted.people import KEY, Answer, Place, Visitor, message
from tests.promises.waiting import until as until_true
from trunkline.errors import StoreUnavailable
from trunkline.hosted import rotating
from trunkline.hosted.rotating import HEADER
from trunkline.hosted.visitors import fingerprint
from trunkline.store import migrate, schema
from trunkline.store.migrate import core_migrations, upgrade

_ROW = schema.visitor_token


def holding(visitor: Visitor, token: str) -> Visitor:
    """The same visitor with another token: another tab, or a thief."""
    other = Visitor(visitor.place, visitor.given, visitor.key)
    other.token = token
    return other


async def asked(visitor: Visitor) -> Answer:
    return await visitor.call("GET", "/threads")


async def offered(visitor: Visitor) -> str:
    """The token that an answer offers."""
    answer = await asked(visitor)
    assert answer.status == 200, answer.raw
    return str(answer.headers[HEADER])


async def day_two(place: Place) -> tuple[Visitor, Visitor]:
    """Somebody with the token of yesterday, and the same with the one that follows, not used yet."""
    ana = await place.visitor()
    await ana.say("Yesterday")
    place.clock.advance(hours=24)
    return ana, holding(ana, await offered(ana))


async def refused(visitor: Visitor) -> tuple[int, str | None]:
    answer = await asked(visitor)
    return answer.status, answer.code


# ---------------------------------------------------------------- what is offered


async def test_a_token_in_use_for_a_day_is_followed_by_another(place: Place) -> None:
    ana = await place.visitor()
    place.clock.advance(hours=23.99)
    assert HEADER not in (await asked(ana)).headers
    place.clock.advance(hours=0.01)
    token = await offered(ana)
    assert token.startswith("vt_")
    assert len(token) == 46
    assert token != ana.token
    (row,) = await place.rows(_ROW)
    assert (row.token_hash, row.next_hash) == (fingerprint(ana.token), fingerprint(token))


async def test_every_answer_and_every_tab_is_offered_the_same_however_many_are_lost(booth: Place) -> None:
    ana, next_one = await day_two(booth)
    answers = await asyncio.gather(*(asked(ana) for _ in range(5)))
    booth.clock.advance(hours=24 * 30)
    answers.append(await ana.call("POST", "/threads/live/messages", message("Still here")))
    assert {answer.headers[HEADER] for answer in answers} == {next_one.token}
    assert await next_one.texts() == ["Yesterday", "Still here"]


async def test_an_answer_that_browsers_keep_carries_no_token(booth: Place) -> None:
    ana, _ = await day_two(booth)
    answer = await ana.call("GET", "/unread")
    assert "max-age" in answer.headers["Cache-Control"]
    assert HEADER not in answer.headers


async def test_what_is_offered_before_a_refusal_is_offered_again_after_it(booth: Place) -> None:
    ana, next_one = await day_two(booth)
    answer = await ana.call("POST", "/threads/live/messages", {"client_id": str(uuid.uuid4()), "kind": "text"})
    assert answer.code == "empty_message"
    assert await offered(ana) == next_one.token


async def test_a_proved_token_is_renewed_by_the_site_and_not_by_us(booth: Place) -> None:
    known = await booth.visitor(identity=vouch("cust-1", KEY, booth.clock.now))
    booth.clock.advance(hours=11.9)
    assert HEADER not in (await asked(known)).headers
    booth.clock.advance(hours=13)
    assert await refused(known) == (401, "token_expired")


# ---------------------------------------------------------------- who takes over, and what ends


async def test_an_old_token_dies_an_hour_after_the_next_was_first_used(place: Place) -> None:
    ana, next_one = await day_two(place)
    place.clock.advance(hours=100)
    assert (await asked(ana)).status == 200
    assert HEADER not in (await asked(next_one)).headers
    place.clock.advance(seconds=3599)
    assert await offered(ana) == next_one.token
    place.clock.advance(seconds=1)
    assert await refused(ana) == (401, "token_expired")
    assert (await asked(next_one)).status == 200


async def test_a_token_of_two_generations_ago_is_nobodys(booth: Place) -> None:
    ana, next_one = await day_two(booth)
    await asked(next_one)
    booth.clock.advance(hours=24)
    last = holding(ana, await offered(next_one))
    await asked(last)
    assert await refused(ana) == (401, "token_invalid")
    assert (await asked(next_one)).status == 200
    booth.clock.advance(hours=1)
    assert await refused(next_one) == (401, "token_expired")
    assert await last.texts() == ["Yesterday"]


async def test_whoever_takes_no_offer_keeps_the_token_to_its_own_end(booth: Place) -> None:
    """A client of before: it knows nothing of the header."""
    ana, _ = await day_two(booth)
    booth.clock.advance(hours=24 * 178)
    assert (await asked(ana)).status == 200
    booth.clock.advance(hours=24)
    assert await refused(ana) == (401, "token_expired")


async def test_the_next_token_is_good_for_as_long_as_a_fresh_one(booth: Place) -> None:
    _, next_one = await day_two(booth)
    await asked(next_one)
    booth.clock.advance(hours=24 * 179.9)
    assert (await asked(next_one)).status == 200
    booth.clock.advance(hours=24)
    assert await refused(next_one) == (401, "token_expired")


async def test_several_first_uses_at_once_are_one(place: Place) -> None:
    ana, next_one = await day_two(place)
    answers = await asyncio.gather(*(asked(next_one) for _ in range(6)), asked(ana))
    assert {answer.status for answer in answers} == {200}
    (row,) = await place.rows(_ROW)
    assert (row.token_hash, row.next_hash) == (fingerprint(next_one.token), None)
    assert (row.previous_hash, row.previous_until) == (fingerprint(ana.token), place.clock.now + 3600 * 1000)


async def test_a_request_under_way_with_the_old_token_comes_to_its_end(booth: Place) -> None:
    ana, next_one = await day_two(booth)
    cursor = (await ana.changes())["cursor"]
    waiting = asyncio.create_task(ana.changes(cursor, wait=25))
    await until_true(lambda: bool(booth.front.hub.lines))
    await asked(next_one)
    booth.clock.advance(hours=2)
    assert await refused(ana) == (401, "token_expired")
    await next_one.say("Told to the one who waits")
    told = (await waiting)["changes"]
    assert [change["data"].get("text") for change in told] == ["Told to the one who waits"]


# ---------------------------------------------------------------- what stays


async def test_cursors_and_both_kinds_of_repeats_go_on_with_the_next_token(booth: Place) -> None:
    ana, next_one = await day_two(booth)
    cursor, wish = (await ana.changes())["cursor"], message("Once")
    first = await ana.post("/threads/live/messages", wish)
    view = {"views": [{"url": "https://shop.example/a"}]}
    await ana.post("/context", view, headers={"Idempotency-Key": "k1"})
    assert await next_one.post("/threads/live/messages", wish) == {**first, "replayed": True}
    await next_one.post("/context", view, headers={"Idempotency-Key": "k1"})
    (row,) = await booth.rows(schema.visitor)
    assert row.visits.count("shop.example/a") == 1
    told = await next_one.changes(cursor)
    assert (told["reset"], [one["data"]["text"] for one in told["changes"]]) == (False, ["Once"])


async def test_the_device_and_the_place_up_to_which_it_has_shown_stay(booth: Place) -> None:
    ana, next_one = await day_two(booth)
    await ana.call("PUT", "/devices/phone", {"provider": "fcm", "push_token": "invented-push-token"})
    await ana.changes((await ana.changes())["cursor"])
    await booth.front.settle()
    (before,) = await booth.rows(_ROW)
    await asked(next_one)
    (device,), (after,) = await booth.rows(schema.visitor_device), await booth.rows(_ROW)
    assert (device.token_id, after.acked_seq) == (after.id, before.acked_seq)
    assert after.acked_seq > 0
    assert (await next_one.call("DELETE", "/devices/phone")).status == 204
    assert await booth.rows(schema.visitor_device) == []


async def test_somebody_who_is_blocked_stays_so(booth: Place) -> None:
    _, next_one = await day_two(booth)
    blocking = update(schema.visitor).values(blocked=True)
    await booth.house.store.writer.write(lambda tx: tx.execute(blocking).rowcount)
    await next_one.say("Does it reach anybody?")
    assert await next_one.texts() == ["Yesterday"]


# ---------------------------------------------------------------- what ends all of them at once


@pytest.mark.parametrize("who", ["old", "next"])
async def test_a_sign_out_ends_the_old_and_the_next(booth: Place, who: str) -> None:
    ana, next_one = await day_two(booth)
    await asked(next_one)
    leaving = ana if who == "old" else next_one
    answer = await leaving.call("DELETE", "/tokens/current?force=true")
    assert (answer.status, HEADER in answer.headers) == (204, False)
    assert [await refused(one) for one in (ana, next_one)] == [(401, "token_invalid")] * 2


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("known", [False, True])
async def test_a_sign_in_ends_the_old_and_the_next(booth: Place, used: bool, known: bool) -> None:
    """With `known` two visitors become one."""
    ana, next_one = await day_two(booth)
    if known:
        await (await booth.visitor(identity=vouch("cust-1", KEY, booth.clock.now))).say("Known")
    if used:
        await asked(next_one)
    answer = await ana.call("POST", "/tokens/exchange", {"identity": vouch("cust-1", KEY, booth.clock.now)})
    assert (answer.status, answer.json["merged"], HEADER in answer.headers) == (200, known, False)
    assert [await refused(one) for one in (ana, next_one)] == [(401, "token_invalid")] * 2
    assert await holding(ana, answer.json["token"]).texts() == ["Yesterday"]


# ---------------------------------------------------------------- when it cannot be written, and by whom


async def test_nobody_is_refused_because_nothing_can_be_written(booth: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = await booth.visitor()
    booth.clock.advance(hours=24)

    async def full(_work: Any) -> Any:
        raise StoreUnavailable("Not now.", code="busy", after_s=1)

    with monkeypatch.context() as patch:
        patch.setattr(booth.house.store.writer, "write", full)
        answer = await asked(ana)
        assert (answer.status, HEADER in answer.headers) == (200, False)
    with monkeypatch.context() as patch:
        patch.setattr(booth.house.vitals, "disk_is_full", True)
        answer = await asked(ana)
        assert (answer.status, HEADER in answer.headers) == (200, False)
    next_one = holding(ana, await offered(ana))
    with monkeypatch.context() as patch:
        patch.setattr(booth.house.store.writer, "write", full)
        assert (await asked(next_one)).status == 200
    (row,) = await booth.rows(_ROW)
    assert row.next_hash == fingerprint(next_one.token)


async def test_a_process_with_an_older_key_replaces_nothing_that_was_offered(
    booth: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, next_one = await day_two(booth)
    old, new = booth.front.signer._keys, (b"a key put in front",)
    with monkeypatch.context() as patch:
        patch.setattr(booth.front.signer, "_keys", new)
        answer = await asked(ana)
        assert (answer.status, HEADER in answer.headers) == (200, False)
        patch.setattr(booth.front.signer, "_keys", (*new, *old))
        assert await offered(ana) == next_one.token
    assert (await asked(next_one)).status == 200


async def test_two_processes_agree_on_what_follows(postgres_url: str, open_place: Opener, settings_file: Any) -> None:
    async with open_place(postgres_url) as one, open_place(postgres_url) as two:
        ana = await one.visitor()
        there = Visitor(two, ana.given, ana.key)
        one.clock.advance(hours=24)
        answers = await asyncio.gather(*(asked(who) for who in (ana, there) * 4))
        (token,) = {answer.headers[HEADER] for answer in answers}
        there.token = token
        await asyncio.gather(asked(there), asked(holding(ana, token)))
        one.clock.advance(hours=1)
        assert await refused(ana) == (401, "token_expired")
        assert (await asked(holding(ana, token))).status == 200
        answer = await there.call("DELETE", "/tokens/current?force=true")
        assert answer.status == 204
        assert await refused(holding(ana, token)) == (401, "token_invalid")


async def test_a_first_use_that_loses_against_a_sign_out_changes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, next_one = await day_two(place)
    take_over = rotating._take_over

    def too_late(tx: Any, *given: Any) -> None:
        tx.execute(update(_ROW).values(revoked_at=place.clock.now))
        take_over(tx, *given)

    monkeypatch.setattr(rotating, "_take_over", too_late)
    await asked(next_one)
    (row,) = await place.rows(_ROW)
    assert row.token_hash == fingerprint(ana.token)
    assert await refused(next_one) == (401, "token_invalid")


# ---------------------------------------------------------------- the tables


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/old.db"
        return
    server: str = request.getfixturevalue("postgres")
    address = make_database(server)
    yield address.replace("postgresql://", "postgresql+psycopg://")
    drop_database(server, address)


def test_tokens_of_before_go_on_after_the_upgrade(empty_database: str) -> None:
    engine, core = create_engine(empty_database), core_migrations()
    with engine.connect() as connection:
        config = migrate._config(core)
        config.attributes.update(connection=connection, migrations=core)
        command.upgrade(config, "0002")
        visitor = {"id": "v", "account_id": "shop", "external_id": "v:1", "epoch": 1, "blocked": False}
        facts = dict.fromkeys(("stated", "verified"), "{}")
        connection.execute(schema.visitor.insert().values(**visitor, **facts, visits="[]", seen_at=1, created_at=1))
        token = {"id": "t", "token_hash": "h", "account_id": "shop", "visitor_id": "v", "key": KEY, "client": "{}"}
        connection.execute(_ROW.insert().values(**token, expires_at=2, created_at=1))
        connection.commit()
    upgrade(engine, [core])
    with engine.connect() as connection:
        row = connection.execute(_ROW.select()).one()
    engine.dispose()
    assert (row.id, row.token_hash, row.created_at) == ("t", "h", 1)
    assert (row.next_hash, row.previous_hash, row.previous_until, row.rotated_at) == (None, None, None, None)
