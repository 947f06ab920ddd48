"""The token cache over real stores: one renewal for everybody, in one process and in two."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from tests.core.conftest import HandClock
from trunkline.contract import AccessToken, TokenCache
from trunkline.errors import SignInNeeded, TryLater
from trunkline.service import tokens as module
from trunkline.service.secret_box import SecretBox
from trunkline.service.tokens import Tokens
from trunkline.store import Store
from trunkline.store.schema import access_token

BOX = SecretBox([base64.urlsafe_b64encode(b"k" * 32).decode()])


class Platform:
    """Hands out tokens and ends the one before, as WeChat does."""

    def __init__(self, clock: HandClock, *, life_s: int = 7200) -> None:
        self.clock, self.life_s = clock, life_s
        self.renewals = 0
        self.fails: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def renew(self) -> AccessToken:
        self.asked.set()
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        self.renewals += 1
        return AccessToken(value=self.current, expires_at_ms=self.clock.now_ms() + self.life_s * 1000)

    @property
    def current(self) -> str:
        return f"invented-token-{self.renewals}"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = Store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with opened(database_url) as store:
        yield store


@pytest.fixture
def tokens(store: Store, clock: HandClock) -> Tokens:
    return Tokens(store, clock, BOX)


@pytest.fixture
def cache(tokens: Tokens) -> TokenCache:
    return tokens.of("shop")


@pytest.fixture
def platform(clock: HandClock) -> Platform:
    return Platform(clock)


async def stored_value(store: Store) -> bytes:
    async with store.read() as connection:
        row = (await connection.execute(select(access_token))).one()
    return bytes(row.value)


async def test_a_hundred_callers_cause_one_renewal(cache: TokenCache, platform: Platform) -> None:
    values = await asyncio.gather(*(cache.get(platform.renew) for _ in range(100)))
    assert set(values) == {"invented-token-1"}
    assert platform.renewals == 1


async def test_a_token_survives_a_restart_and_is_not_readable_at_rest(
    store: Store, clock: HandClock, platform: Platform
) -> None:
    await Tokens(store, clock, BOX).of("shop").get(platform.renew)
    assert await Tokens(store, clock, BOX).of("shop").get(platform.renew) == "invented-token-1"
    assert platform.renewals == 1
    assert b"invented" not in await stored_value(store)


async def test_accounts_and_names_have_tokens_of_their_own(tokens: Tokens, platform: Platform) -> None:
    first = await tokens.of("shop").get(platform.renew)
    second = await tokens.of("other").get(platform.renew)
    third = await tokens.of("shop").get(platform.renew, name="jsapi")
    assert len({first, second, third}) == 3


@pytest.mark.parametrize(("life_s", "ahead_s"), [(7200, 60), (100, 10)])
async def test_a_token_is_renewed_ahead_of_its_end(
    cache: TokenCache, clock: HandClock, life_s: int, ahead_s: int
) -> None:
    platform = Platform(clock, life_s=life_s)
    await cache.get(platform.renew)
    clock.advance(seconds=life_s - ahead_s - 1)
    assert await cache.get(platform.renew) == "invented-token-1"
    clock.advance(seconds=1)
    assert await cache.get(platform.renew) == "invented-token-2"


async def test_a_failed_renewal_ahead_of_time_leaves_the_old_token_in_use(
    cache: TokenCache, clock: HandClock, platform: Platform
) -> None:
    await cache.get(platform.renew)
    clock.advance(seconds=7150)
    platform.fails = TryLater("busy")
    assert await cache.get(platform.renew) == "invented-token-1"
    clock.advance(seconds=50)
    with pytest.raises(TryLater):
        await cache.get(platform.renew)


async def test_a_refusal_reaches_all_who_wait_and_the_next_call_tries_again(
    cache: TokenCache, platform: Platform
) -> None:
    platform.fails = SignInNeeded()
    refused = await asyncio.gather(*(cache.get(platform.renew) for _ in range(5)), return_exceptions=True)
    assert [type(error) for error in refused] == [SignInNeeded] * 5
    platform.fails = None
    assert await cache.get(platform.renew) == "invented-token-1"


async def test_forgetting_drops_only_the_token_that_was_refused(cache: TokenCache, platform: Platform) -> None:
    await cache.get(platform.renew)
    await cache.forget("invented-token-0")
    assert await cache.get(platform.renew) == "invented-token-1"
    await cache.forget("invented-token-1")
    assert await cache.get(platform.renew) == "invented-token-2"


async def test_a_refused_token_that_another_process_has_replaced_is_replaced_here_without_a_renewal(
    store: Store, clock: HandClock, platform: Platform
) -> None:
    here, there = Tokens(store, clock, BOX).of("shop"), Tokens(store, clock, BOX).of("shop")
    first = await here.get(platform.renew)
    await there.forget(first)
    assert await there.get(platform.renew) == "invented-token-2"
    await here.forget(first)
    assert await here.get(platform.renew) == "invented-token-2"
    assert platform.renewals == 2


async def test_a_caller_who_goes_away_does_not_end_the_renewal(
    tokens: Tokens, cache: TokenCache, platform: Platform
) -> None:
    platform.gate.clear()
    caller = asyncio.create_task(cache.get(platform.renew))
    await platform.asked.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    platform.gate.set()
    assert await cache.get(platform.renew) == "invented-token-1"
    await tokens.aclose()


async def test_a_token_sealed_with_a_lost_key_is_renewed(store: Store, clock: HandClock, platform: Platform) -> None:
    other = SecretBox([base64.urlsafe_b64encode(b"o" * 32).decode()])
    await Tokens(store, clock, other).of("shop").get(platform.renew)
    assert await Tokens(store, clock, BOX).of("shop").get(platform.renew) == "invented-token-2"


async def test_two_processes_renew_once(
    postgres_url: str, clock: HandClock, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_POLL_S", 0.01)
    async with opened(postgres_url) as one, opened(postgres_url) as two:
        caches = [Tokens(store, clock, BOX).of("shop") for store in (one, two)]
        values = await asyncio.gather(*(caches[index % 2].get(platform.renew) for index in range(100)))
    assert set(values) == {"invented-token-1"}
    assert platform.renewals == 1


async def test_another_process_takes_over_when_the_first_dies_while_renewing(
    store: Store, clock: HandClock, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_POLL_S", 0)
    dead, alive = Platform(clock), platform
    dead.gate.clear()
    dying = asyncio.create_task(Tokens(store, clock, BOX).of("shop").get(dead.renew))
    await dead.asked.wait()
    waiting = asyncio.create_task(Tokens(store, clock, BOX).of("shop").get(alive.renew))
    clock.advance(seconds=31)
    assert await waiting == "invented-token-1"
    dead.gate.set()
    await dying
    # The row still has the token of the process that held the lease last: the fence kept the late one out.
    assert await Tokens(store, clock, BOX).of("shop").get(alive.renew) == "invented-token-1"
    assert alive.renewals == 1
