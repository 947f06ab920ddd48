"""Rows of the table `account`, and the event that tells of changes; all on the writer's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import insert, select, update

from trunkline.contract import Health
from trunkline.model import Actor, ActorKind
from trunkline.service.secret_box import SecretBox
from trunkline.store import Transaction, schema

__all__ = ["GONE", "AccountRow", "account_snapshot", "note_state", "sync_rows"]

_TABLE = schema.account
#: Why an account of the configuration file is switched off.
GONE = "It no longer stands in the configuration file."
_SYSTEM = Actor(ActorKind.SYSTEM)


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row, its times left out."""

    id: str
    connector: str
    channel: str
    title: str | None
    settings: bytes
    locked: bool
    state: str
    reason: str | None
    #: Encoded `contract.Health`.
    health: str | None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the columns."""
        return cls.__struct_fields__


def account_snapshot(row: AccountRow) -> dict[str, Any]:
    """Return an account in the shape of the API, without its settings."""
    return {
        "id": row.id,
        "connector": row.connector,
        "channel": row.channel,
        "title": row.title,
        "state": row.state,
        "reason": row.reason,
        "locked": row.locked,
    }


def sync_rows(tx: Transaction, rows: Sequence[AccountRow], box: SecretBox, now: int) -> None:
    """Write the accounts of the configuration file and switch off those that left it."""
    known = _all(tx)
    for row in rows:
        _write(tx, row, known.get(row.id), box=box, now=now)
    kept = {row.id for row in rows}
    for row in known.values():
        if row.locked and row.id not in kept and row.state != "disabled":
            note_state(tx, row.id, state="disabled", reason=GONE, now=now)


def note_state(
    tx: Transaction,
    account_id: str,
    *,
    state: str,
    reason: str | None,
    now: int,
    health: Health | None = None,
) -> bool:
    """Write an account's state; returns whether it was new, and tells the log if so.

    One that is switched off stays so: what asked its platform may answer after that.
    """
    row = _all(tx, account_id).get(account_id)
    if row is None or row.state == "disabled":
        return False
    values: dict[str, Any] = {"health": msgspec.json.encode(health).decode()} if health else {}
    new = (row.state, row.reason) != (state, reason)
    if new:
        values |= {"state": state, "reason": reason, "state_at": now}
        _tell(tx, msgspec.structs.replace(row, state=state, reason=reason), now)
    if values:
        tx.execute(update(_TABLE).where(_TABLE.c.id == account_id).values(values))
    return new


def _write(tx: Transaction, row: AccountRow, known: AccountRow | None, *, box: SecretBox, now: int) -> None:
    values = msgspec.structs.asdict(row)
    if known is None:
        tx.execute(insert(_TABLE).values(**values, state_at=now, created_at=now))
        _tell(tx, row, now)
        return
    del values["health"]
    if box.same(row.settings, known.settings):
        values["settings"] = box.rotate(known.settings)
    if account_snapshot(row) != account_snapshot(known):
        values["state_at"] = now
        _tell(tx, row, now)
    tx.execute(update(_TABLE).where(_TABLE.c.id == row.id).values(values))


def _all(tx: Transaction, account_id: str | None = None) -> dict[str, AccountRow]:
    statement = select(*(_TABLE.c[name] for name in AccountRow.names()))
    if account_id is not None:
        statement = statement.where(_TABLE.c.id == account_id)
    return {row["id"]: AccountRow(**row) for row in tx.execute(statement).mappings()}


def _tell(tx: Transaction, row: AccountRow, now: int) -> None:
    tx.append("account_changed", actor=_SYSTEM, at=now, payload={"account": account_snapshot(row)})
