"""A write that a client sends twice under one `Idempotency-Key` is answered twice and done once.

Messages, buttons and forms have their own proof, `client_id`, which stands in the same transaction as what it proves.
Here stands the general one, for every other write of somebody who holds a token: the key is claimed before the handler
runs and carries its answer afterwards. Should the house end between the two, a repeat is done again after a minute:
what these calls do (marks, facts, files, pages) does no harm when it is done twice.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, select, update

from trunkline.hosted.refusals import ClientRefused
from trunkline.store import schema

if TYPE_CHECKING:
    from aiohttp import web

    from trunkline.hosted.calls import ClientRoute
    from trunkline.store import Store, Transaction

__all__ = ["HEADER", "KEPT_MS", "Repeat", "Told", "is_repeatable", "repeat_of"]

HEADER = "Idempotency-Key"
#: How long an answer is kept for repeats.
KEPT_MS = 24 * 3600 * 1000
#: A claim without an answer is given up after this.
_GIVEN_UP_MS = 60 * 1000
#: The status of a claim whose answer is not there yet.
_UNDER_WAY = 0
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_COLUMNS = ("actor", "key", "fingerprint", "status", "response", "at")
_t = schema.idempotency


class Told(msgspec.Struct, frozen=True):
    """What was answered: its status and its JSON."""

    status: int
    body: bytes


def is_repeatable(route: ClientRoute) -> bool:
    """Whether a key does anything here: a write, by somebody who will hold the same token when they repeat it."""
    return route.method != "GET" and route.auth == "token" and not route.ends_token


class Repeat(msgspec.Struct, frozen=True):
    """The key of one write of one visitor."""

    actor: str
    key: str
    fingerprint: str
    now: int

    async def once(self, store: Store, work: Callable[[], Awaitable[Told]]) -> Told:
        """Return what `work` answers, or what it answered before. What is refused may be tried again.

        Raises:
            ClientRefused: 409 when the key came with another request, 503 while the first one is under way.
        """
        known = await store.writer.write(self._claim)
        if known is not None:
            return known
        try:
            told = await work()
        except BaseException:
            await store.writer.write(self._let_go)
            raise
        await store.writer.write(lambda tx: self._keep(tx, told))
        return told

    def _claim(self, tx: Transaction) -> Told | None:
        """Return what was answered before; None when the key is ours from now on."""
        tx.execute(delete(_t).where(*self._mine(), _t.c.at <= self.now - KEPT_MS))
        given_up = (_t.c.status == _UNDER_WAY, _t.c.at <= self.now - _GIVEN_UP_MS)
        tx.execute(delete(_t).where(*self._mine(), *given_up))
        row = (self.actor, self.key, self.fingerprint, _UNDER_WAY, "null", self.now)
        if tx.insert_new(_t, [row], _COLUMNS, ("actor", "key")):
            return None
        found = tx.execute(select(_t.c.fingerprint, _t.c.status, _t.c.response).where(*self._mine())).one()
        if not hmac.compare_digest(found.fingerprint, self.fingerprint):
            raise ClientRefused("idempotency_key_reused")
        if found.status == _UNDER_WAY:
            raise ClientRefused("unavailable", retry_after=1)
        return Told(found.status, b"" if found.status == 204 else found.response.encode())

    def _keep(self, tx: Transaction, told: Told) -> None:
        values = {"status": told.status, "response": told.body.decode() or "null"}
        tx.execute(update(_t).where(*self._mine()).values(values))

    def _let_go(self, tx: Transaction) -> None:
        tx.execute(delete(_t).where(*self._mine(), _t.c.status == _UNDER_WAY))

    def _mine(self) -> tuple[Any, Any]:
        return (_t.c.actor == self.actor, _t.c.key == self.key)


def repeat_of(request: web.Request, visitor_id: str, body: bytes, now: int) -> Repeat | None:
    """Return the key that a request carries, None without one. A file is not read for it: it counts by its address.

    Raises:
        ClientRefused: 400 when it is no key.
    """
    keys = request.headers.getall(HEADER, [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise ClientRefused("bad_idempotency_key")
    said = f"{request.method} {request.path_qs} {hashlib.sha256(body).hexdigest()}"
    return Repeat(f"visitor:{visitor_id}", keys[0], hashlib.sha256(said.encode()).hexdigest(), now)
