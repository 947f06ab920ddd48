"""Accounts: our presences on channels, built from the configuration and from the database.

An account that cannot be built is `failing` with its reason while the others serve. Those of the
configuration file are locked: they are written to the table at every start and change nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel
from sqlalchemy import select

from trunkline.contract import (
    Channel,
    Clock,
    Connector,
    ConnectorSpec,
    Health,
    MediaBytes,
    TokenCache,
)
from trunkline.errors import TrunklineError
from trunkline.log import get_logger
from trunkline.plugins import Registry
from trunkline.service.account import Account, build_connector, close_account, failing, narrow, probe_account
from trunkline.service.account_closing import retire_connector
from trunkline.service.account_rows import GONE, AccountRow, note_state, sync_rows
from trunkline.service.secret_box import SecretBox
from trunkline.settings import Settings, resolve_account
from trunkline.store import LogRow, Store, Transaction, schema
from trunkline.toml_places import nearest

if TYPE_CHECKING:
    import httpx2

__all__ = ["Accounts", "check_accounts", "resolve"]

log = get_logger("accounts")


@dataclass
class Accounts:
    """All accounts of this process.

    `client` makes the guarded HTTP client of an account, `tokens` its token cache.
    """

    store: Store
    registry: Registry
    secrets: SecretBox
    clock: Clock
    client: Callable[[ConnectorSpec, Account], httpx2.AsyncClient]
    tokens: Callable[[str], TokenCache]
    media: MediaBytes
    #: Told the id of an account that was built anew.
    on_replaced: Callable[[str], None] | None = None
    _accounts: dict[str, Account] = field(default_factory=dict, init=False, repr=False)
    _refreshing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)
    _retired: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)
    #: Accounts whose state was told since the table was last read: what was read of them is older.
    _told: set[str] = field(default_factory=set, init=False, repr=False)

    def get(self, account_id: str) -> Account | None:
        """Return an account that is in use, None if it is unknown or switched off."""
        account = self._accounts.get(account_id)
        return account if account is not None and account.state != "disabled" else None

    def find(self, account_id: str) -> Account | None:
        """Return an account, also one that is switched off."""
        return self._accounts.get(account_id)

    def all(self) -> list[Account]:
        """Return every account in the order of their ids, those that are switched off too."""
        return [self._accounts[account_id] for account_id in sorted(self._accounts)]

    async def load(self, settings: Settings) -> None:
        """Build every account and write those of the configuration to the table.

        Raises:
            ConfigError: an account of the configuration file is wrong; the message says where.
        """
        written = [self._written(settings, position) for position in range(len(settings.accounts))]
        rows = {row.id: row for row in await self._rows()}
        found = [*written, *(self._kept(row) for row in rows.values() if not row.locked)]
        for account in found:
            self._build(account, rows.get(account.id))
        await self._sync([account for account in found if account.locked])
        gone = [self._gone(row) for row in rows.values() if row.locked and row.id not in {a.id for a in written}]
        self._accounts = {account.id: account for account in (*gone, *found)}
        self.store.writer.listen(self._on_commit)

    async def refresh(self) -> None:
        """Take over accounts that were made or changed in the table, by this process or another."""
        async with self._refreshing:
            self._told.clear()
            for row in await self._rows():
                known = self._accounts.get(row.id)
                if row.locked or (known is not None and known.locked):
                    continue
                if known is None or _differs(known, row):
                    self._replace(known, row)
                elif row.id not in self._told:
                    known.state, known.reason = row.state, row.reason

    async def trial(self, account_id: str, spec: ConnectorSpec, config: BaseModel) -> Connector | None:
        """Build a connector, close it again, and return it to be looked at; None when it cannot be built."""
        account = Account(account_id, spec.name, "", "", locked=False, spec=spec, config=config)
        account.http = self.client(spec, account)
        self._connect(account)
        await close_account(account)
        return account.connector

    def _replace(self, known: Account | None, row: AccountRow) -> None:
        account = self._kept(row)
        self._build(account, None)
        self._accounts[row.id] = account
        if self.on_replaced is not None:
            self.on_replaced(row.id)
        if known is not None:
            task = asyncio.create_task(retire_connector(known.connector, known.http), name="account-retire")
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)

    async def probe(self, account_id: str) -> Health:
        """Ask the platform whether the account works, and remember the answer. Raises nothing."""
        account = self._accounts[account_id]
        health = await probe_account(account)
        account.health = health
        await self.change(account_id, health.state, None if health.state == "connected" else health.summary)
        return health

    async def change(self, account_id: str, state: str, reason: str | None = None) -> None:
        """Write a new state of an account, with the last probe's answer."""
        account, now = self._accounts[account_id], self.clock.now_ms()
        await self.store.writer.write(
            lambda tx: note_state(tx, account_id, state=state, reason=reason, now=now, health=account.health)
        )

    def set_state(self, tx: Transaction, account_id: str, state: str, reason: str | None = None) -> bool:
        """Write a new state inside a transaction; returns whether it was new. Memory follows the commit."""
        return note_state(tx, account_id, state=state, reason=reason, now=self.clock.now_ms())

    def apply(self, payload: Mapping[str, Any]) -> None:
        """Take over an `account_changed` event, of this process or another."""
        told = payload["account"]
        account = self._accounts.get(told["id"])
        if account is not None:
            self._told.add(account.id)
            if account.state != told["state"]:
                said = {"account": account.id, "before": account.state, "reason": told["reason"]}
                log.info("channel.state_changed", state=told["state"], **said)
            account.state, account.reason = told["state"], told["reason"]

    async def close(self) -> None:
        """Let go of every connector and its connections."""
        for task in self._retired:
            task.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)
        await asyncio.gather(*(close_account(account) for account in self._accounts.values()))

    def _on_commit(self, events: Sequence[LogRow], _wakes: set[str]) -> None:
        for event in events:
            if event.kind == "account_changed":
                self.apply(msgspec.json.decode(event.payload))

    def _written(self, settings: Settings, position: int) -> Account:
        """Return an account of the configuration file."""
        entry = settings.accounts[position]
        account = Account(entry.id, entry.connector, entry.channel or "", entry.title or "", locked=True)
        broken = self.registry.broken_connector(entry.connector)
        if entry.connector not in self.registry.connectors and broken is not None:
            return failing(account, f"Its plugin {broken.distribution} is broken: {broken.error}.")
        spec, channel, config = resolve(self.registry, settings, position)
        account.spec, account.channel_spec, account.channel, account.config = (
            spec,
            channel,
            channel.code,
            config,
        )
        account.title = account.title or channel.title["en"]
        return account

    def _kept(self, row: AccountRow) -> Account:
        """Return an account of the database; whatever is wrong with it is its own."""
        account = Account(row.id, row.connector, row.channel, row.title or "", locked=False, sealed=bytes(row.settings))
        if row.state == "disabled":
            account.state, account.reason = row.state, row.reason
            return account
        try:
            account.spec = self.registry.connectors[row.connector]
            account.channel_spec = account.spec.channel(row.channel)
            account.config = account.spec.config.model_validate(self.secrets.decrypt(row.settings, all_secret=False))
        except KeyError:
            return failing(account, f"No plugin brings the connector {row.connector} with the channel {row.channel}.")
        except TrunklineError as error:
            return failing(account, str(error))
        except ValueError:
            return failing(account, f"Its settings do not fit the connector {row.connector}: enter them again.")
        return account

    def _gone(self, row: AccountRow) -> Account:
        """Return an account that once stood in the configuration file."""
        account = Account(row.id, row.connector, row.channel, row.title or "", locked=True)
        account.state, account.reason = "disabled", GONE
        return account

    def _build(self, account: Account, row: AccountRow | None) -> None:
        """Let the connector be built; its failure is the account's own."""
        if account.spec is None or account.config is None:
            return
        if not narrow(account):
            return
        if row is not None and self.secrets.same(self._row(account).settings, row.settings):
            _remember(account, row)
        account.http = self.client(account.spec, account)
        self._connect(account)

    def _connect(self, account: Account) -> None:
        build_connector(account, self.clock, self.tokens(account.id), self.media)

    async def _rows(self) -> list[AccountRow]:
        async with self.store.read() as connection:
            found = await connection.execute(select(*(schema.account.c[name] for name in AccountRow.names())))
            return [AccountRow(**row) for row in found.mappings()]

    async def _sync(self, accounts: Iterable[Account]) -> None:
        """Write the accounts of the configuration file; what a row had changes only if it differs."""
        now, snapshots = self.clock.now_ms(), [self._row(account) for account in accounts]
        await self.store.writer.write(lambda tx: sync_rows(tx, snapshots, self.secrets, now))

    def _row(self, account: Account) -> AccountRow:
        plain = account.config.model_dump(exclude_unset=True) if account.config else {}
        return AccountRow(
            id=account.id,
            connector=account.connector_name,
            channel=account.channel,
            title=account.title,
            settings=self.secrets.encrypt(plain),
            locked=True,
            state=account.state,
            reason=account.reason,
            health=None,
        )


def check_accounts(registry: Registry, settings: Settings) -> None:
    """Check the accounts of the configuration file before anything is opened or written.

    Raises:
        ConfigError: the first one that is wrong. One whose plugin is broken is not: it will fail alone.
    """
    for position, entry in enumerate(settings.accounts):
        if entry.connector in registry.connectors or registry.broken_connector(entry.connector) is None:
            resolve(registry, settings, position)


def resolve(registry: Registry, settings: Settings, position: int) -> tuple[ConnectorSpec, Channel, BaseModel]:
    """Return the connector, the channel and the validated settings of an account of the configuration file.

    Raises:
        ConfigError: no such connector or channel, or its settings are wrong.
    """
    entry = settings.accounts[position]
    spec = registry.connectors.get(entry.connector)
    if spec is None:
        hint = nearest(entry.connector, registry.connectors)
        raise settings.error(f'no plugin brings the connector "{entry.connector}"{hint}', position, "connector")
    config = resolve_account(settings, entry, spec)
    try:
        code = entry.channel or _only_channel(spec, config)
        return spec, spec.channel(code), config
    except KeyError:
        codes = ", ".join(channel.code for channel in spec.channels)
        words = f'the account "{entry.id}" must say which channel it is: channel = one of {codes}'
        raise settings.error(words, position, "channel") from None


def _only_channel(spec: ConnectorSpec, config: BaseModel) -> str:
    if spec.channel_of is not None:
        return spec.channel_of(config)
    if len(spec.channels) > 1:
        raise KeyError(spec.name)
    return spec.channels[0].code


def _differs(known: Account, row: AccountRow) -> bool:
    """Whether an account must be built anew to be what its row says."""
    told = (row.title or "", row.channel, bytes(row.settings), row.state == "disabled")
    return (known.title, known.channel, known.sealed, known.state == "disabled") != told


def _remember(account: Account, row: AccountRow) -> None:
    """Keep what the last probe found; a failure before this start says nothing about this one."""
    if row.health:
        account.health = msgspec.json.decode(row.health, type=Health)
    if row.state in {"connected", "sign_in_needed"}:
        account.state, account.reason = row.state, row.reason
