"""Probing accounts from a command, beside a running Trunkline: nothing is stored, tokens are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from trunkline.clock import SystemClock
from trunkline.contract import AccessToken, Health, MediaStream
from trunkline.errors import TrunklineError, Undeliverable
from trunkline.model import Media
from trunkline.plugins import Registry
from trunkline.service.account import Account, build_connector, close_account, probe_account
from trunkline.service.accounts import resolve
from trunkline.service.platform_http import build_client
from trunkline.settings import Settings

__all__ = ["probe_written"]


class _PassingTokens:
    """A token cache that forgets everything with the process."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    async def get(self, renew: Callable[[], Awaitable[AccessToken]], *, name: str = "access") -> str:
        if name not in self._values:
            self._values[name] = (await renew()).value
        return self._values[name]

    async def forget(self, value: str, *, name: str = "access") -> None:
        self._values.pop(name, None)


class _NoMedia:
    """A probe sends nothing."""

    async def open(self, media: Media) -> MediaStream:
        raise Undeliverable("A probe has no files.", whose="us", code="media_gone")


async def probe_written(registry: Registry, settings: Settings, positions: Sequence[int]) -> list[Health]:
    """Probe accounts of the configuration file, all at once. Never raises for one of them."""
    return await asyncio.gather(*(_probe(registry, settings, position) for position in positions))


async def _probe(registry: Registry, settings: Settings, position: int) -> Health:
    entry = settings.accounts[position]
    account = Account(entry.id, entry.connector, entry.channel or "", entry.title or "", locked=True)
    try:
        account.spec, account.channel_spec, account.config = resolve(registry, settings, position)
        account.channel = account.channel_spec.code
        account.http = build_client(account.spec.hosts, allow_hosts=settings.server.allow_hosts)
        build_connector(account, SystemClock(), _PassingTokens(), _NoMedia())
    except TrunklineError as error:
        return Health(state="failing", summary=str(error))
    try:
        return await probe_account(account)
    finally:
        await close_account(account)
