"""How far each scope of a pulled account was read: one row per scope, with a lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select, update

from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = ["Progress", "cursor_name", "decode", "encode", "request_pull"]

_c = schema.cursor.c


class Progress(msgspec.Struct, omit_defaults=True):
    """What the cursor's row holds."""

    cursor: str | None = None
    #: From the newest request to pull.
    token: str | None = None
    #: How often was asked, and how much of that is answered.
    asked: int = 1
    done: int = 0
    #: False until everything that lay there at the beginning was read.
    caught_up: bool = False
    #: When the last run ended, ms since the epoch.
    at: int = 0
    #: Runs that failed one after the other, and when the next may begin.
    failures: int = 0
    not_before: int = 0

    def due_at(self, every_ms: int) -> int:
        """When the next run may begin, in ms since the epoch: at once where somebody asked for one."""
        return max(self.not_before, 0 if self.asked > self.done else self.at + every_ms)


decode = msgspec.json.Decoder(Progress).decode


def encode(progress: Progress) -> str:
    return msgspec.json.encode(progress).decode()


def cursor_name(account_id: str, scope: str) -> str:
    return f"pull:{account_id}:{scope}"


def request_pull(tx: Transaction, account_id: str, scope: str, token: str | None) -> None:
    """Note that a platform asked to be pulled; the worker hears of it with the commit."""
    name = cursor_name(account_id, scope)
    row = tx.execute(select(_c.position).where(_c.name == name).with_for_update()).one_or_none()
    if row is None:
        tx.insert_new(schema.cursor, [(name, encode(Progress(token=token)))], ("name", "position"), ("name",))
    else:
        known = decode(row.position)
        known.asked, known.token, known.not_before = known.asked + 1, token or known.token, 0
        tx.execute(update(schema.cursor).where(_c.name == name).values(position=encode(known)))
    tx.wake("pull")
