"""One account: what is known of it, how its connector is built and asked. Whatever goes wrong is its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel

from trunkline.contract import (
    Capabilities,
    Channel,
    Clock,
    Connector,
    ConnectorSpec,
    Context,
    Health,
    MediaBytes,
    TokenCache,
)
from trunkline.errors import ContractError, SignInNeeded, TrunklineError
from trunkline.log import get_logger, keep_secret, redact
from trunkline.service.account_closing import close_connector
from trunkline.settings import secrets_of

if TYPE_CHECKING:
    import httpx2

__all__ = [
    "Account",
    "AccountServices",
    "build_connector",
    "close_account",
    "failing",
    "narrow",
    "probe_account",
]

#: What an account can do whose connector is missing.
NOTHING = Capabilities(receives={}, sends={})

log = get_logger("accounts")

PROBE_TIMEOUT_S = 10.0
#: What a probe may say about an account.
_PROBED = frozenset({"connected", "sign_in_needed", "failing"})


@dataclass(frozen=True)
class AccountServices:
    """What a connector is given; see `contract.Services`."""

    account_id: str
    channel: str
    config: Any = field(repr=False)
    http: httpx2.AsyncClient = field(repr=False)
    clock: Clock = field(repr=False)
    tokens: TokenCache = field(repr=False)
    media: MediaBytes = field(repr=False)


@dataclass
class Account:
    """One account. While it cannot be built `connector` is None, `state` failing, and `reason` says why."""

    id: str
    connector_name: str
    channel: str
    title: str
    locked: bool
    state: str = "connecting"
    reason: str | None = None
    health: Health | None = None
    spec: ConnectorSpec | None = None
    channel_spec: Channel | None = None
    config: BaseModel | None = field(default=None, repr=False)
    #: Its settings as the table has them; None for one of the file.
    sealed: bytes | None = field(default=None, repr=False)
    connector: Connector | None = field(default=None, repr=False)
    http: httpx2.AsyncClient | None = field(default=None, repr=False)

    @property
    def capabilities(self) -> Capabilities:
        """What its channel declares; nothing while it cannot be built."""
        return NOTHING if self.channel_spec is None else self.channel_spec.capabilities


def build_connector(account: Account, clock: Clock, tokens: TokenCache, media: MediaBytes) -> None:
    """Let an account's connector be built; its failure is the account's own."""
    if account.spec is None or account.config is None or account.http is None:
        return
    keep_secret(*(secret.get_secret_value() for _, secret in secrets_of(account.config)))
    services = AccountServices(
        account_id=account.id,
        channel=account.channel,
        config=account.config,
        http=account.http,
        clock=clock,
        tokens=tokens,
        media=media,
    )
    try:
        built: Any = account.spec.build(services)
        if not isinstance(built, Connector):
            raise ContractError(f"build returned a {type(built).__name__} instead of a Connector")
        account.connector = built
    except Exception as error:  # noqa: BLE001 - isolation point: a connector may fail in any way
        log.warning("account.build_failed", account_id=account.id, error=type(error).__name__)
        failing(account, f"The connector {account.connector_name} cannot be built: {_words(error)}")


def narrow(account: Account) -> bool:
    """Leave of the channel what the account's settings leave of it; False if the connector cannot tell."""
    if account.channel_spec is None or account.config is None:
        return True
    context = Context(account_id=account.id, settings=account.config.model_dump())
    try:
        capabilities = account.channel_spec.effective(context).capabilities
    except Exception as error:  # noqa: BLE001 - isolation point: a connector may fail in any way
        log.warning("account.build_failed", account_id=account.id, error=type(error).__name__)
        failing(account, f"The connector {account.connector_name} cannot tell what it can do: {_words(error)}")
        return False
    account.channel_spec = msgspec.structs.replace(account.channel_spec, capabilities=capabilities)
    return True


async def probe_account(account: Account) -> Health:
    """Run the probe of an account; any failure becomes an answer in words."""
    if account.connector is None:
        return Health(state="failing", summary=account.reason or "It cannot be built.")
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            health: Any = await account.connector.probe()
    except TimeoutError:
        return Health(state="failing", summary=f"The platform did not answer within {PROBE_TIMEOUT_S:.0f} seconds.")
    except SignInNeeded as error:
        return Health(state="sign_in_needed", summary=str(redact(str(error))))
    except Exception as error:  # noqa: BLE001 - isolation point: a connector may fail in any way
        log.warning("account.probe_failed", account_id=account.id, error=type(error).__name__)
        return Health(state="failing", summary=f"The probe failed: {_words(error)}")
    if not isinstance(health, Health):
        return Health(state="failing", summary=f"The probe returned a {type(health).__name__} instead of a Health.")
    if health.state not in _PROBED:
        return Health(state="failing", summary=f"The probe answered with the unknown state {health.state}.")
    return health


async def close_account(account: Account) -> None:
    """Let go of an account's connector and its connections."""
    await close_connector(account.connector, account.http)


def failing(account: Account, reason: str) -> Account:
    account.state, account.reason = "failing", str(redact(reason))
    return account


def _words(error: Exception) -> str:
    """What an operator may read: our own words; of other errors the kind, as they may quote a request."""
    text = str(error) if isinstance(error, TrunklineError) else type(error).__name__
    return f"{redact(text)}".rstrip(".") + "."
