"""Making, changing and disabling accounts while Trunkline runs; those of the configuration file change there.

Plain functions of a transaction. Each writes `account_changed` with who did it and which settings, never their values,
and wakes the workers of all processes that take the change over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, insert, select, update

from trunkline.errors import TrunklineError
from trunkline.service.account_forms import FormRefused, read_form
from trunkline.service.account_rows import AccountRow, account_snapshot
from trunkline.store import schema

if TYPE_CHECKING:
    from pydantic import BaseModel

    from trunkline.contract import ConnectorSpec
    from trunkline.model import Actor
    from trunkline.service.secret_box import SecretBox
    from trunkline.store import Transaction

__all__ = ["REFS", "AccountRefused", "By", "Wanted", "create_account", "set_account", "switch_account"]

_TABLE = schema.account
#: What the key is for that names secrets without telling them.
REFS = "settings refs"
#: Why an account is off that somebody switched off.
OFF = "Switched off in the inbox."


class AccountRefused(TrunklineError):
    """The account cannot be made or changed; `code` says why."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class By(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes an account, when (ms), and what is needed for it."""

    actor: Actor
    now: int
    box: SecretBox
    #: `server.allow_hosts`.
    allow_hosts: Sequence[str]

    def read(self, spec: ConnectorSpec, given: Mapping[str, Any], stored: BaseModel | None) -> BaseModel:
        """Return the settings that somebody filled in. Raises FormRefused."""
        return read_form(spec, given, stored, key=self.box.derive(REFS)[0], allow_hosts=self.allow_hosts)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What an account shall be; None for what stays as it is (or is the usual)."""

    id: str
    spec: ConnectorSpec
    channel: str | None = None
    title: str | None = None
    settings: Mapping[str, Any] | None = None


def create_account(tx: Transaction, wanted: Wanted, by: By) -> None:
    """Store a new account.

    Raises:
        AccountRefused: the id is taken.
        FormRefused: its settings are wrong.
    """
    if _find(tx, wanted.id) is not None:
        raise AccountRefused("account_taken", "There is an account with this id; choose another.")
    config = by.read(wanted.spec, wanted.settings or {}, None)
    channel = _channel_for(wanted.spec, config, wanted.channel)
    row = AccountRow(
        id=wanted.id,
        connector=wanted.spec.name,
        channel=channel,
        title=wanted.title or wanted.spec.channel(channel).title["en"],
        settings=by.box.encrypt(_plain(config)),
        locked=False,
        state="connecting",
        reason=None,
        health=None,
    )
    tx.execute(insert(_TABLE).values(**msgspec.structs.asdict(row), state_at=by.now, created_at=by.now))
    _tell(tx, row, by, change="created", fields=sorted(_plain(config)))


def _channel_for(spec: ConnectorSpec, config: BaseModel, asked: str | None) -> str:
    codes = [channel.code for channel in spec.channels]
    chosen = asked or (spec.channel_of(config) if spec.channel_of is not None else None)
    chosen = chosen or (codes[0] if len(codes) == 1 else None)
    if chosen not in codes:
        raise FormRefused([("channel", f"say which channel it is: one of {', '.join(codes)}")])
    return chosen


def set_account(tx: Transaction, wanted: Wanted, by: By) -> None:
    """Change title and settings.

    Raises:
        AccountRefused: it stands in the configuration file, or is gone.
        FormRefused: its settings are wrong.
    """
    row = _open_row(tx, wanted.id)
    values: dict[str, Any] = {}
    fields: list[str] = []
    if wanted.title is not None and wanted.title != row.title:
        values["title"] = wanted.title
        fields.append("title")
    if wanted.settings is not None:
        stored = stored_settings(wanted.spec, row.settings, by.box)
        after = _plain(by.read(wanted.spec, wanted.settings, stored))
        before = {} if stored is None else _plain(stored)
        changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        if changed or stored is None:
            fields += changed
            values |= {"settings": by.box.encrypt(after), "state": _begun(row), "reason": None, "state_at": by.now}
            tx.execute(delete(schema.access_token).where(schema.access_token.c.account_id == row.id))
    if values:
        tx.execute(update(_TABLE).where(_TABLE.c.id == row.id).values(values))
        _tell(tx, _open_row(tx, row.id), by, change="changed", fields=fields)


def stored_settings(spec: ConnectorSpec, sealed: bytes, box: SecretBox) -> BaseModel | None:
    """Return the settings that are stored, None when they cannot be read or no longer fit the connector."""
    try:
        return spec.config.model_validate(box.decrypt(sealed, all_secret=False))
    except (TrunklineError, ValueError):
        return None


def switch_account(tx: Transaction, account_id: str, by: By, *, on: bool) -> None:
    """Switch an account off, or on again; its history stays.

    Raises:
        AccountRefused: it stands in the configuration file, or is gone.
    """
    row = _open_row(tx, account_id)
    if (row.state != "disabled") == on:
        return
    values = {"state": "connecting" if on else "disabled", "reason": None if on else OFF, "state_at": by.now}
    tx.execute(update(_TABLE).where(_TABLE.c.id == account_id).values(values))
    _tell(tx, _open_row(tx, account_id), by, change="enabled" if on else "disabled", fields=[])


def _begun(row: AccountRow) -> str:
    """Settings that changed are tried anew, but for an account that is switched off."""
    return row.state if row.state == "disabled" else "connecting"


def _plain(config: BaseModel) -> dict[str, Any]:
    return config.model_dump(exclude_unset=True)


def _find(tx: Transaction, account_id: str) -> AccountRow | None:
    columns = (_TABLE.c[name] for name in AccountRow.names())
    row = tx.execute(select(*columns).where(_TABLE.c.id == account_id).with_for_update()).mappings().one_or_none()
    return None if row is None else AccountRow(**row)


def _open_row(tx: Transaction, account_id: str) -> AccountRow:
    row = _find(tx, account_id)
    if row is None:
        raise AccountRefused("unknown_account", "There is no such account.")
    if row.locked:
        raise AccountRefused("account_locked", "This account stands in the configuration file; change it there.")
    return row


def _tell(tx: Transaction, row: AccountRow, by: By, *, change: str, fields: list[str]) -> None:
    payload = {"account": account_snapshot(row), "change": change, "fields": fields}
    tx.append("account_changed", actor=by.actor, at=by.now, payload=payload)
    tx.wake("accounts")
    tx.wake("account-watch")
