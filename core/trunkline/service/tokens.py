"""Short-lived credentials of accounts: stored encrypted, renewed once for everybody who waits.

Platforms often end the old token when a new one is made, so two renewals at once would break each other. In
this process all callers wait for one flight; between processes the row of the token carries a lease.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

import msgspec
from sqlalchemy import and_, select, update

from trunkline.contract import AccessToken, Clock, TokenCache
from trunkline.errors import DeliveryError, TrunklineError, TryLater
from trunkline.log import get_logger, keep_secret
from trunkline.model import new_id
from trunkline.store import Store, Transaction
from trunkline.store.schema import access_token

__all__ = ["Seal", "Tokens"]

log = get_logger("service")

Renew = Callable[[], Awaitable[AccessToken]]

_LEASE_MS = 30_000
_RENEWAL_S = 25.0
_POLL_S = 0.1
_AHEAD_MS = 60_000
_Key = tuple[str, str]


class Seal(Protocol):
    """What keeps secrets at rest: `trunkline.service.secret_box.SecretBox`."""

    def encrypt(self, value: Any) -> bytes:
        """Seal a JSON value."""
        ...

    def decrypt(self, sealed: bytes) -> Any:
        """Open a sealed value; a TrunklineError if it cannot be opened."""
        ...


class _Token(msgspec.Struct, frozen=True):
    value: str
    expires_at: int
    #: From here on a new one is asked for, although this one still works.
    renew_at: int


class _Turn(msgspec.Struct, frozen=True):
    """What the row says to somebody who needs a token."""

    #: "token": here it is; "mine": the lease is yours; "wait": somebody renews.
    kind: Literal["token", "mine", "wait"]
    token: _Token | None = None
    fence: int = 0


class Tokens:
    """The tokens of all accounts; `of` gives an account its own."""

    def __init__(self, store: Store, clock: Clock, seal: Seal) -> None:
        self._store, self._clock, self._seal = store, clock, seal
        self._owner = new_id()
        self._known: dict[_Key, _Token] = {}
        self._flights: dict[_Key, asyncio.Task[str]] = {}

    def of(self, account_id: str) -> TokenCache:
        """Return the cache that a connector is given."""
        return _OfAccount(self, account_id)

    async def get(self, key: _Key, renew: Renew) -> str:
        """Return a token with some life left, renewing it at most once for all who wait."""
        token = self._known.get(key)
        if token is not None and self._clock.now_ms() < token.renew_at:
            return token.value
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._fly(key, renew), name="token")
            flight.add_done_callback(lambda task: self._landed(key, task))
        return await asyncio.shield(flight)

    async def forget(self, key: _Key, value: str) -> None:
        """Drop a refused token, unless somebody has already stored another."""
        known = self._known.get(key)
        if known is not None and _same(known.value, value):
            del self._known[key]

        def drop(tx: Transaction) -> bool:
            token = self._open(tx.execute(select(access_token).where(_is(key))).fetchone())
            if token is None or not _same(token.value, value):
                return False
            tx.execute(update(access_token).where(_is(key)).values(value=b"", expires_at=0))
            return True

        if await self._store.writer.write(drop):
            log.warning("token.refused", account_id=key[0], name=key[1])

    def drop(self, account_id: str) -> None:
        """Remember no token of an account whose settings changed."""
        for key in [key for key in self._known if key[0] == account_id]:
            del self._known[key]

    async def aclose(self) -> None:
        """Let renewals that are under way come to their end: what they got is stored."""
        await asyncio.gather(*self._flights.values(), return_exceptions=True)

    def _landed(self, key: _Key, flight: asyncio.Task[str]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # seen, even if every caller has gone

    async def _fly(self, key: _Key, renew: Renew) -> str:
        while True:
            now = self._clock.now_ms()
            turn = await self._store.writer.write(functools.partial(self._take_turn, key=key, now=now))
            if turn.kind == "mine":
                token = await self._renew(key, renew, turn)
            elif turn.kind == "token" and turn.token is not None:
                token = turn.token
            else:
                await asyncio.sleep(_POLL_S)
                continue
            self._known[key] = token
            return token.value

    def _take_turn(self, tx: Transaction, key: _Key, now: int) -> _Turn:
        """Read the row; where its token is missing or ends soon, take the lease unless somebody has it."""
        row = tx.execute(select(access_token).where(_is(key)).with_for_update()).fetchone()
        if row is None:
            columns = ("account_id", "name", "value", "expires_at", "fence")
            tx.insert_new(access_token, [(*key, b"", 0, 0)], columns, ("account_id",))
            return self._take_turn(tx, key, now)
        token = self._open(row)
        if token is not None and now < token.renew_at:
            return _Turn("token", token)
        if row.owner not in {None, self._owner} and (row.lease_until or 0) > now:
            alive = token if token is not None and now < token.expires_at else None
            return _Turn("token", alive) if alive else _Turn("wait")
        lease = {"owner": self._owner, "lease_until": now + _LEASE_MS, "fence": row.fence + 1}
        tx.execute(update(access_token).where(_is(key)).values(**lease))
        return _Turn("mine", token, row.fence + 1)

    async def _renew(self, key: _Key, renew: Renew, turn: _Turn) -> _Token:
        try:
            async with asyncio.timeout(_RENEWAL_S):
                fresh = await renew()
        except (DeliveryError, TimeoutError) as error:
            await self._store.writer.write(lambda tx: self._release(tx, key, turn.fence))
            return self._fall_back(key, turn.token, error)
        except BaseException:
            await self._store.writer.write(lambda tx: self._release(tx, key, turn.fence))
            raise
        token = self._measure(fresh)
        keep_secret(token.value)
        sealed = self._seal.encrypt(msgspec.to_builtins(token))
        if not await self._store.writer.write(lambda tx: self._keep(tx, key, (turn.fence, token, sealed))):
            log.warning("token.renewed_late", account_id=key[0], name=key[1])
        log.info("token.refreshed", account_id=key[0], name=key[1])
        return token

    def _measure(self, fresh: AccessToken) -> _Token:
        """Renew when a tenth of the life is left, at most a minute before the end."""
        left = fresh.expires_at_ms - self._clock.now_ms()
        ahead = min(max(left, 0) // 10, _AHEAD_MS)
        return _Token(fresh.value, fresh.expires_at_ms, fresh.expires_at_ms - ahead)

    def _fall_back(self, key: _Key, old: _Token | None, error: Exception) -> _Token:
        """Use the old token while it works: a renewal ahead of time may fail."""
        log.warning("token.not_refreshed", account_id=key[0], name=key[1], error=type(error).__name__)
        if old is not None and self._clock.now_ms() < old.expires_at:
            return old
        if isinstance(error, TimeoutError):
            raise TryLater("The platform gave no access token in time.", code="token_timeout") from error
        raise error

    def _keep(self, tx: Transaction, key: _Key, renewed: tuple[int, _Token, bytes]) -> bool:
        fence, token, sealed = renewed
        values = {"value": sealed, "expires_at": token.expires_at, "owner": None, "lease_until": None}
        done = tx.execute(update(access_token).where(_is(key), access_token.c.fence == fence).values(**values))
        return done.rowcount == 1

    def _release(self, tx: Transaction, key: _Key, fence: int) -> None:
        values = {"owner": None, "lease_until": None}
        tx.execute(update(access_token).where(_is(key), access_token.c.fence == fence).values(**values))

    def _open(self, row: Any) -> _Token | None:
        if row is None or not row.value:
            return None
        try:
            return msgspec.convert(self._seal.decrypt(bytes(row.value)), _Token)
        except (TrunklineError, msgspec.ValidationError):
            log.warning("token.unreadable", account_id=row.account_id, name=row.name)
            return None


class _OfAccount(TokenCache):
    """The tokens of one account."""

    def __init__(self, tokens: Tokens, account_id: str) -> None:
        self._tokens, self._account_id = tokens, account_id

    async def get(self, renew: Renew, *, name: str = "access") -> str:
        return await self._tokens.get((self._account_id, name), renew)

    async def forget(self, value: str, *, name: str = "access") -> None:
        await self._tokens.forget((self._account_id, name), value)


def _is(key: _Key) -> Any:
    return and_(access_token.c.account_id == key[0], access_token.c.name == key[1])


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
