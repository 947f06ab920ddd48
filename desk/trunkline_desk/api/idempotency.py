"""A write that comes twice is done once: the key, the effect and the answer are stored in one transaction."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import delete, select, update

from trunkline.http.problems import Problem
from trunkline.store import schema

if TYPE_CHECKING:
    from aiohttp import web
    from sqlalchemy import Row

    from trunkline.service.secret_box import SecretBox
    from trunkline.store import Transaction

__all__ = ["KEPT_MS", "Repeat", "fingerprint_of", "key_of"]

T = TypeVar("T")

#: How long an answer is kept for repeats.
KEPT_MS = 24 * 3600 * 1000
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_COLUMNS = ("actor", "key", "fingerprint", "status", "response", "at")
_table = schema.idempotency


def key_of(request: web.Request) -> str | None:
    """Return the request's key, None without one.

    Raises:
        Problem: 400 when it is no key.
    """
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise Problem(400, "bad_idempotency_key", "An Idempotency-Key is 1 to 255 visible ASCII characters.")
    return keys[0]


def fingerprint_of(request: web.Request, body_hash: str) -> str:
    """Return what tells one request from another under the same key."""
    return hashlib.sha256(f"{request.method} {request.path_qs} {body_hash}".encode()).hexdigest()


class Repeat(msgspec.Struct, kw_only=True):
    """The key of one write."""

    actor: str
    key: str
    fingerprint: str
    status: int
    now: int
    #: Seals answers that hold a secret.
    box: SecretBox | None = None

    def once(self, work: Callable[[Transaction], T]) -> Callable[[Transaction], Any]:
        """Return `work` as a write that is done once per key and answers the same ever after."""

        def write(tx: Transaction) -> Any:
            tx.execute(delete(_table).where(self._mine(), _table.c.at <= self.now - KEPT_MS))
            row = (self.actor, self.key, self.fingerprint, self.status, "null", self.now)
            if not tx.insert_new(_table, [row], _COLUMNS, ("actor", "key")):
                return self.read(tx.execute(self.find()).one())
            result = work(tx)
            tx.execute(update(_table).where(self._mine()).values(response=self._keep(result)))
            return result

        return write

    def find(self) -> Any:
        """Return the statement that finds the answer given before."""
        return select(_table.c.fingerprint, _table.c.response).where(self._mine())

    def read(self, row: Row[Any]) -> Any:
        """Return the answer given before.

        Raises:
            Problem: 409 when the key came with another request.
        """
        if not hmac.compare_digest(row.fingerprint, self.fingerprint):
            words = "This Idempotency-Key was used for another request; use a new one."
            raise Problem(409, "idempotency_key_reused", words)
        kept = msgspec.json.decode(row.response)
        if self.box is None:
            return kept
        return self.box.decrypt(kept.encode(), all_secret=False)

    def _mine(self) -> Any:
        return (_table.c.actor == self.actor) & (_table.c.key == self.key)

    def _keep(self, result: Any) -> str:
        plain = msgspec.json.encode(result)
        if self.box is None:
            return plain.decode()
        return msgspec.json.encode(self.box.encrypt(msgspec.json.decode(plain)).decode()).decode()
